//! Reading what there is to say of many tasks: how many are where, and how those took that ended lately.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::analyse::{facts, shape};
use crate::domain::analysis::figures::{Took, steps_took, task_took};
use crate::domain::analysis::shape::Shape;
use crate::domain::id::{RevisionId, StepIndex, TaskId};
use crate::domain::time::Timestamp;
use crate::engine::catalog::{Catalog, StoredTemplate};
use crate::storage::rows::{Census, EndedTask, StepProgress, Window};
use crate::storage::{Result, Transaction, Tx};

/// How far back is looked where nothing else is said.
pub const LATELY: Duration = Duration::from_secs(3_600);

/// What there is, counted, and when that was.
pub struct CountAll;

impl Transaction for CountAll {
    type Output = (Census, Timestamp);

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Output> {
        Ok((tx.census().await?, tx.now().await?))
    }
}

/// The tasks that ended in a window, and their steps where they are wanted.
pub struct SumUp {
    /// Those that ended at this moment or later; [`LATELY`] where `None`.
    pub since: Option<Timestamp>,
    /// Of this namespace.
    pub namespace: Option<String>,
    /// Of this template name.
    pub name: Option<String>,
    /// Whether their steps are wanted.
    pub steps: bool,
    /// Known templates.
    pub catalog: Arc<Catalog>,
}

/// What [`SumUp`] found.
pub struct Summed {
    /// From when on.
    pub since: Timestamp,
    /// Until when, by the database's clock.
    pub until: Timestamp,
    /// The tasks by when they ended.
    pub tasks: Vec<TaskRun>,
    /// Their steps that ran.
    pub steps: Vec<StepRun>,
}

/// A task that ended.
pub struct TaskRun {
    /// The task.
    pub task: EndedTask,
    /// Its template.
    pub stored: Arc<StoredTemplate>,
    /// How long it took; `None` when nothing of it was ever claimed.
    pub took: Option<Took>,
}

/// A step of a task that ended, which ran and ended, too.
pub struct StepRun {
    /// The place of its task among the tasks.
    pub task: usize,
    /// What is stored.
    pub step: StepProgress,
    /// How long it took.
    pub took: Took,
}

impl Transaction for SumUp {
    type Output = Summed;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Summed> {
        let until = tx.now().await?;
        let lately = Timestamp(until.0.saturating_sub(i64::try_from(LATELY.as_micros()).unwrap_or(i64::MAX)));
        let since = self.since.unwrap_or(lately);
        let window = Window { since, namespace: self.namespace.clone(), name: self.name.clone() };
        let mut ended = tx.ended_tasks(&window).await?;
        ended.sort_unstable_by_key(|task| (task.finished_at, task.id));
        let templates = self.catalog.revisions(tx, ended.iter().map(|task| task.revision)).await?;
        let run = |task: EndedTask| {
            let stored = templates.get(&task.revision)?.clone();
            let took = task_took(task.created_at, task.run_at, task.started_at, task.finished_at);
            Some(TaskRun { task, stored, took })
        };
        let tasks: Vec<TaskRun> = ended.into_iter().filter_map(run).collect();
        let steps = if self.steps { step_runs(&tasks, tx.ended_steps(&window).await?) } else { Vec::new() };
        Ok(Summed { since, until, tasks, steps })
    }
}

/// The steps that ran and ended, with how long each took.
fn step_runs(tasks: &[TaskRun], steps: Vec<(TaskId, StepProgress)>) -> Vec<StepRun> {
    let places: HashMap<TaskId, usize> = tasks.iter().enumerate().map(|(place, run)| (run.task.id, place)).collect();
    let placed = steps.into_iter().filter_map(|(task, step)| Some((*places.get(&task)?, step)));
    let mut placed: Vec<(usize, StepProgress)> = placed.collect();
    placed.sort_unstable_by_key(|(task, step)| (*task, step.index));
    let mut shapes = Shapes::default();
    let mut runs = Vec::with_capacity(placed.len());
    for steps in placed.chunk_by(|(task, _), (next, _)| task == next) {
        let Some((&(place, _), run)) = steps.first().and_then(|first| Some((first, tasks.get(first.0)?))) else {
            continue;
        };
        let indexes: Vec<StepIndex> = steps.iter().map(|(_, step)| step.index).collect();
        let all: Vec<_> = steps.iter().map(|(_, step)| facts(step)).collect();
        let from = run.task.run_at.map_or(run.task.created_at, |run_at| run_at.max(run.task.created_at));
        let took = steps_took(from, &all, shapes.of(&run.stored, &indexes));
        let ran = steps.iter().zip(took);
        runs.extend(ran.filter_map(|((_, step), took)| Some(StepRun { task: place, step: *step, took: took? })));
    }
    runs
}

/// The shapes of tasks: those that have the steps of their template have one in common.
#[derive(Default)]
struct Shapes {
    plain: HashMap<RevisionId, Shape>,
    other: Option<Shape>,
}

impl Shapes {
    fn of(&mut self, stored: &StoredTemplate, indexes: &[StepIndex]) -> &Shape {
        if indexes.len() == stored.template.steps.len() {
            return self.plain.entry(stored.revision).or_insert_with(|| shape(&stored.template, indexes));
        }
        self.other.insert(shape(&stored.template, indexes))
    }
}

impl Summed {
    /// The name of a step that ran; `parcel[]` stands for each of a list's items.
    pub fn kind_of(&self, run: &StepRun) -> String {
        let template = &self.tasks[run.task].stored.template;
        let home = template.home(run.step.index);
        let name = template.step(home).map_or("", |step| step.name.as_str());
        if home == run.step.index { name.to_owned() } else { format!("{name}[]") }
    }
}

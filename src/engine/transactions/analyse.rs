//! Reading what there is to say of tasks: one as it stands.

use std::borrow::Cow;
use std::sync::Arc;

use super::look::{FoundTask, Tasks};
use crate::domain::analysis::shape::Shape;
use crate::domain::analysis::{HeldBack, StepFacts, TaskFacts};
use crate::domain::id::{StepIndex, TaskId};
use crate::domain::template::{StepTemplate, Template};
use crate::domain::time::Timestamp;
use crate::engine::catalog::{Catalog, StoredTemplate};
use crate::storage::rows::{StepProgress, TaskRow};
use crate::storage::{Result, Transaction, Tx};

/// A task with how far its steps have come: two narrow reads of one state of the database.
pub struct Analyse {
    /// The task.
    pub task: TaskId,
    /// Known templates.
    pub catalog: Arc<Catalog>,
}

/// What [`Analyse`] found.
#[derive(Debug)]
pub struct Analysed {
    /// The task.
    pub row: TaskRow,
    /// Its template.
    pub stored: Arc<StoredTemplate>,
    /// The index of each step: those of the template, then those of items.
    pub indexes: Vec<StepIndex>,
    /// What is known of each, in the same order.
    pub steps: Vec<StepFacts>,
    /// When, by the database's clock.
    pub now: Timestamp,
}

impl Transaction for Analyse {
    type Output = Option<Analysed>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Output> {
        let found = Tasks { ids: vec![self.task], catalog: self.catalog.clone() }.run(tx).await?;
        let Some((row, stored)): Option<FoundTask> = found.into_iter().next() else { return Ok(None) };
        let progress = tx.progress(self.task).await?;
        let parked = tx.parked(self.task).await?;
        let pauses = tx.paused_queues().await?;
        let held_back = |index| {
            let queue = stored.template.queue_of(index, row.queue.as_deref());
            let paused = pauses.iter().any(|pause| pause.covers(queue, &row.namespace));
            let limited = parked.contains(&index).then_some(HeldBack::Limit);
            limited.or(paused.then_some(HeldBack::PausedQueue))
        };
        let step = |step: StepProgress| (step.index, StepFacts { held_back: held_back(step.index), ..facts(&step) });
        let (indexes, steps) = progress.into_iter().map(step).unzip();
        Ok(Some(Analysed { row, stored, indexes, steps, now: tx.now().await? }))
    }
}

impl Analysed {
    /// What the analysis wants to know of the task.
    pub fn facts(&self) -> TaskFacts {
        TaskFacts { state: self.row.state, run_at: self.row.run_at }
    }

    /// The shape of its graph, by the steps' places.
    pub fn shape(&self) -> Shape {
        shape(&self.stored.template, &self.indexes)
    }

    /// The name of the step at this place.
    pub fn name(&self, place: StepIndex) -> Cow<'_, str> {
        self.index(place).and_then(|index| self.stored.template.name_of(index)).unwrap_or_default()
    }

    /// The definition of the step at this place.
    pub fn definition(&self, place: StepIndex) -> Option<&StepTemplate> {
        self.stored.template.step(self.index(place)?)
    }

    fn index(&self, place: StepIndex) -> Option<StepIndex> {
        self.indexes.get(place as usize).copied()
    }
}

/// The shape of a task's graph, by the places of its steps, which have these indexes. A step of an item needs what the
/// step with the list needs, and is needed by that.
pub(super) fn shape(template: &Template, indexes: &[StepIndex]) -> Shape {
    let place = |index: StepIndex| indexes.binary_search(&index).ok().map(|place| place as StepIndex);
    let mut edges: Vec<(StepIndex, StepIndex)> = Vec::new();
    for (&index, child) in indexes.iter().zip(0..) {
        edges.extend(template.parents(index).iter().filter_map(|&parent| Some((place(parent)?, child))));
        if template.home(index) != index {
            edges.extend(place(template.home(index)).map(|list| (child, list)));
        }
    }
    Shape::of(indexes.len(), &edges)
}

/// What the analysis wants to know of a step.
pub(super) fn facts(step: &StepProgress) -> StepFacts {
    let StepProgress { index: _, state, attempts, started_at, finished_at, next_retry_at, items } = *step;
    StepFacts { state, attempts, started_at, finished_at, next_retry_at, items, held_back: None }
}

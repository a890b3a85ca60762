//! Snapshots of what is stored.

use std::sync::Arc;

use crate::domain::id::StepIndex;
use crate::domain::state::TaskState;
use crate::domain::template::{DEFAULT_QUEUE, StepTemplate, Template};
use crate::engine::NewTasks;
use crate::engine::catalog::StoredTemplate;
use crate::storage::rows::{HistoryRow, NewTask, StepRow, TaskRow};

/// A snapshot of a task.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// What is stored.
    pub row: TaskRow,
    /// Its template.
    pub stored: Arc<StoredTemplate>,
}

impl TaskView {
    /// A task as it was committed by [`crate::engine::Engine::create`].
    pub(in crate::ffi::shared) fn of_new(planned: NewTask, stored: Arc<StoredTemplate>, made: &NewTasks) -> Self {
        let started = made.started.contains(&planned.id);
        let template = &stored.template;
        let row = TaskRow {
            id: planned.id,
            namespace: template.namespace.clone(),
            name: template.name.clone(),
            version: template.version.clone(),
            revision: planned.revision,
            state: if started { TaskState::InProgress } else { TaskState::Pending },
            key: planned.key,
            priority: planned.priority,
            queue: planned.queue,
            tags: planned.tags,
            initiator: planned.initiator,
            reason: planned.reason,
            run_at: planned.run_at,
            context: planned.context,
            created_at: made.at,
            started_at: started.then_some(made.claimed_at),
            finished_at: None,
            error: None,
        };
        Self { row, stored }
    }

    /// Its template.
    pub fn template(&self) -> &Template {
        &self.stored.template
    }

    /// Its priority, its own or the template's.
    pub fn priority(&self) -> i16 {
        self.row.priority.or(self.template().priority).unwrap_or(0)
    }

    /// Its queue, its own or the template's.
    pub fn queue(&self) -> &str {
        self.row.queue.as_deref().or(self.template().queue.as_deref()).unwrap_or(DEFAULT_QUEUE)
    }
}

/// A snapshot of a step.
#[derive(Clone, Debug)]
pub struct StepView {
    /// Its task as it was at the same time.
    pub task: Arc<TaskView>,
    /// What is stored.
    pub row: StepRow,
}

impl StepView {
    /// Its definition.
    pub fn definition(&self) -> Option<&StepTemplate> {
        self.task.template().step(self.row.index)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.definition().map_or("", |step| step.name.as_str())
    }

    /// Its priority: its own, else its task's.
    pub fn priority(&self) -> i16 {
        self.task.template().priority_of(self.row.index, self.task.row.priority)
    }

    /// Its queue: its own, else its task's.
    pub fn queue(&self) -> &str {
        self.task.template().queue_of(self.row.index, self.task.row.queue.as_deref())
    }

    /// The names of the steps it needs.
    pub fn depends_on(&self) -> impl Iterator<Item = &str> {
        let template = self.task.template();
        template
            .graph
            .parents(self.row.index)
            .iter()
            .filter_map(|&index: &StepIndex| Some(template.step(index)?.name.as_str()))
    }
}

/// A recorded transition, with the step's name.
#[derive(Clone, Debug)]
pub struct HistoryView {
    /// The step's name; `None` for the task itself.
    pub step: Option<String>,
    /// What is stored.
    pub row: HistoryRow,
}

//! A task in hand: with its steps, the steps of items behind those of the template.

use std::borrow::Cow;
use std::sync::Arc;

use crate::domain::graph::Graph;
use crate::domain::id::{StepIndex, StepKey, TaskId};
use crate::domain::json::Json;
use crate::domain::operation::{Change, Operation, Standing, StepStanding, TaskOperation, decide};
use crate::domain::state::{StepState, TaskState};
use crate::engine::catalog::{Catalog, Lanes, StoredTemplate, lane_of};
use crate::storage::rows::{HeldTask, ReadyRow, StepPlacement, StepRow, TaskHead};
use crate::storage::{Result, StoreError, Tx};

/// See the module. The place of a step is where it stands among its steps.
pub(super) struct Taken {
    pub(super) head: TaskHead,
    pub(super) stored: Arc<StoredTemplate>,
    /// With the items, where there are any.
    graph: Option<Graph>,
    pub(super) state: TaskState,
    pub(super) started: bool,
    pub(super) steps: Vec<StepRow>,
}

pub(super) fn no_place(task: TaskId) -> StoreError {
    StoreError::Database(format!("an operation moves a step that the task {task} does not have").into())
}

impl Taken {
    pub(super) async fn find<T: Tx>(tx: &mut T, id: TaskId, catalog: &Catalog) -> Result<Option<Self>> {
        let (Some(head), Some(task)) = (tx.heads(&[id]).await?.pop(), tx.tasks(&[id]).await?.pop()) else {
            return Ok(None);
        };
        let stored = catalog.revisions(tx, std::iter::once(head.revision)).await?.remove(&head.revision);
        let stored =
            stored.ok_or_else(|| StoreError::Database(format!("the task {id} has no stored template").into()))?;
        let steps = tx.steps(id).await?;
        let template = &stored.template;
        let mut groups = steps.iter().filter_map(|step| Some(*template.groups.item(step.index)?.0)).peekable();
        let graph = groups.peek().is_some().then(|| template.graph.with_items(groups));
        Ok(Some(Self { head, stored, graph, state: task.state, started: task.started_at.is_some(), steps }))
    }

    pub(super) fn decide(&self, operation: &Operation) -> Result<Option<Change>> {
        let standing_of = |step: &StepRow| StepStanding {
            state: step.state,
            result: step.result.clone(),
            route: step.route.clone(),
            bypassed: step.bypassed,
            group: self.stored.template.groups.item(step.index).map(|(group, _)| *group),
        };
        let steps: Vec<_> = self.steps.iter().map(standing_of).collect();
        let standing = Standing {
            graph: self.graph.as_ref().unwrap_or(&self.stored.template.graph),
            branches: &self.stored.template.branches,
            state: self.state,
            started: self.started,
            priority: self.head.priority,
            queue: self.head.queue.as_deref(),
            steps: &steps,
        };
        let name = |place| self.step(place).map_or(Cow::Borrowed(""), |step| self.name(step));
        let operation = match operation {
            Operation::Step(index, asked) => Operation::Step(self.place(*index), asked.clone()),
            Operation::Task(TaskOperation::RestartFrom(index)) => {
                Operation::Task(TaskOperation::RestartFrom(self.place(*index)))
            }
            Operation::Task(asked) => Operation::Task(asked.clone()),
        };
        decide(self.head.id, &standing, &operation, name).map_err(StoreError::Refused)
    }

    /// The place of the step with this index; one behind the last where there is none.
    pub(super) fn place(&self, index: StepIndex) -> StepIndex {
        self.steps.binary_search_by_key(&index, |step| step.index).unwrap_or(self.steps.len()) as StepIndex
    }

    pub(super) fn step(&self, place: StepIndex) -> Option<&StepRow> {
        self.steps.get(place as usize)
    }

    pub(super) fn state_of(&self, place: StepIndex) -> Option<StepState> {
        self.step(place).map(|step| step.state)
    }

    pub(super) fn name(&self, step: &StepRow) -> Cow<'_, str> {
        self.stored.template.name_of(step.index).unwrap_or_default()
    }

    /// The groups of these items.
    pub(super) fn groups_of(&self, places: &[StepIndex]) -> Vec<StepKey> {
        let items = places.iter().filter_map(|place| self.stored.template.groups.item(self.step(*place)?.index));
        let mut groups: Vec<StepKey> = items.map(|(group, _)| StepKey { task: self.head.id, index: *group }).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Has a step be as it was written.
    pub(super) fn apply(&mut self, place: StepIndex, placed: &StepPlacement) {
        if let Some(step) = self.steps.get_mut(place as usize) {
            (step.state, step.token, step.attempts) = (placed.state, placed.token, placed.attempts);
            step.next_retry_at = None;
        }
    }

    /// Counts steps that were deleted as nothing.
    pub(super) fn forget(&mut self, places: &[StepIndex]) {
        for place in places {
            if let Some(step) = self.steps.get_mut(*place as usize) {
                step.state = StepState::Skipped;
            }
        }
    }

    /// The lanes of all its steps, in a task that asks for this queue.
    pub(super) async fn lanes<T: Tx>(&self, tx: &mut T, catalog: &Catalog, queue: Option<&str>) -> Result<Lanes> {
        let template = &self.stored.template;
        let mut queues: Vec<&str> = self.steps.iter().map(|step| template.queue_of(step.index, queue)).collect();
        queues.sort_unstable();
        queues.dedup();
        catalog.lanes(tx, queues.into_iter().map(|queue| (self.head.named_task, queue))).await
    }

    /// A step as it stands in the queue.
    pub(super) fn queued(&self, step: &StepRow, lanes: &Lanes) -> Result<ReadyRow> {
        let (template, index) = (&self.stored.template, step.index);
        let queue = template.queue_of(index, self.head.queue.as_deref()).to_owned();
        Ok(ReadyRow {
            lane: lane_of(lanes, self.head.named_task, queue)?,
            priority: template.priority_of(index, self.head.priority),
            key: StepKey { task: self.head.id, index },
            token: step.token,
            attempts: step.attempts,
            state: step.state,
        })
    }

    /// The error that the task keeps: the one it has while that step is in error, else that of another step
    /// that is. One that was given up keeps what it had.
    pub(super) fn error(&self, held: &HeldTask, state: TaskState) -> Option<Json> {
        if matches!(state, TaskState::Cancelled | TaskState::ResolvedManually) {
            return held.error.clone();
        }
        let of = held.error.as_ref().and_then(|error| error.tree().ok()?.get("step")?.as_str().map(str::to_owned));
        let mut failed = self.steps.iter().filter(|step| step.state == StepState::Error).peekable();
        let first = failed.peek().copied()?;
        if failed.any(|step| Some(&*self.name(step)) == of.as_deref()) {
            return held.error.clone();
        }
        super::verdict::with_step_name(first.error.as_ref()?, &self.name(first))
    }
}

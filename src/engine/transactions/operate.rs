//! Operations by hand: a task is taken in hand whole, moved, and put back.
//!
//! Every step is locked, without waiting at first (whoever settles one of them just now goes first), the task's
//! timers and ready rows are taken away, the task is locked; then nothing of it can move, and what the
//! receipts say is held. [`decide`] says what becomes of it; what differs is written, and what may run is put
//! back. A held step that moves keeps its receipt and gets another token: its holder's report is late.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::graph::Graph;
use crate::domain::id::{StepIndex, StepKey, TaskId};
use crate::domain::json::Json;
use crate::domain::operation::{
    Arrangement, Change, Operation, Standing, StepOperation, StepStanding, TaskOperation, decide,
};
use crate::domain::state::{StepState, TaskState};
use crate::engine::catalog::{Catalog, Lanes, StoredTemplate, lane_of};
use crate::storage::rows::{
    HeldTask, ReadyRow, StepPlacement, StepRow, StepTransition, StepWait, TaskHead, TaskMoved, TaskPlacement,
    TaskTransition, TimerKind, TimerRow,
};
use crate::storage::{Result, StoreError, Transaction, Tx};

/// Who asks for an operation, and why.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// Who.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// See the module.
pub struct Operate {
    /// The task.
    pub task: TaskId,
    /// What is asked.
    pub operation: Operation,
    /// By whom, and why.
    pub note: Note,
    /// Whether nothing is to be written.
    pub dry_run: bool,
    /// How long to wait for each of its steps that others settle.
    pub patience: Duration,
    /// Known templates and lanes.
    pub catalog: Arc<Catalog>,
}

/// What an operation did.
#[derive(Default)]
pub struct Operated {
    /// Whether anything changed, or would.
    pub changed: bool,
    /// Whether steps were put in the queue.
    pub queued: bool,
    /// Whether steps were moved that somebody holds.
    pub revoked: bool,
    /// The moves of the task.
    pub moved: Vec<TaskMoved>,
    /// The lanes that were used, to keep.
    pub lanes: Lanes,
}

impl Transaction for Operate {
    /// `None` where there is no such task.
    type Output = Option<Operated>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Option<Operated>> {
        if !self.dry_run {
            tx.lock_steps_of(self.task, self.patience).await?;
        }
        let Some(task) = Taken::find(tx, self.task, &self.catalog).await? else { return Ok(None) };
        // Most of what changes nothing is known to before anything is taken away.
        let Some(_) = task.decide(&self.operation)? else { return Ok(Some(Operated::default())) };
        if self.dry_run {
            return Ok(Some(Operated { changed: true, ..Operated::default() }));
        }
        let lanes = task.lanes(tx, &self.catalog, task.head.queue.as_deref()).await?;
        let queued = task.steps.iter().filter(|step| step.state.is_unfinished());
        let queued = queued.map(|step| task.queued(step, &lanes)).collect::<Result<Vec<_>>>()?;
        tx.take_task_out(self.task, &queued).await?;
        let Some(held) = tx.lock_task(self.task).await? else { return Ok(None) };
        let Some(task) = Taken::find(tx, self.task, &self.catalog).await? else { return Ok(None) };
        match task.decide(&self.operation)? {
            Some(change) => self.put_back(tx, task, &held, change).await.map(Some),
            // What a claim under way changed in between made it so: the queue is as it was.
            None => Err(StoreError::Conflict("the task moved meanwhile".into())),
        }
    }
}

impl Operate {
    async fn put_back<T: Tx>(&self, tx: &mut T, mut task: Taken, held: &HeldTask, change: Change) -> Result<Operated> {
        let restarts = matches!(self.operation, Operation::Task(TaskOperation::RestartFrom(_)));
        if let Operation::Task(TaskOperation::Update { priority, queue }) = &self.operation {
            task.head.priority = priority.unwrap_or(task.head.priority);
            task.head.queue = queue.clone().unwrap_or(task.head.queue);
        }
        let moves = self.moves(&task, &change)?;
        tx.place_steps(&moves.placements).await?;
        tx.remove_items(&task.groups_of(&change.removed)).await?;
        tx.set_waiting(&self.waits(&task, &change.arrangement, &moves.placements)).await?;
        tx.record_steps(&moves.transitions).await?;
        let moved = change.steps.iter().map(|(place, _)| place).chain(&change.removed);
        let revoked = moved.into_iter().any(|place| task.state_of(*place) == Some(StepState::InProgress));
        for ((place, _), placement) in change.steps.iter().zip(&moves.placements) {
            task.apply(*place, placement);
        }
        task.forget(&change.removed);

        let lanes = task.lanes(tx, &self.catalog, task.head.queue.as_deref()).await?;
        let queued = self.queue(tx, &task, held, &change.arrangement, &lanes).await?;
        let run = if restarts { task.head.run.saturating_add(1) } else { task.head.run };
        let moved = self.place_task(tx, &task, held, &change, run).await?;
        Ok(Operated { changed: true, queued, revoked, moved, lanes })
    }

    /// What the moved steps become, and what their histories gain.
    fn moves(&self, task: &Taken, change: &Change) -> Result<Moves> {
        let mut moves = Moves::default();
        let lists_again = task.groups_of(&change.removed);
        for (place, to) in &change.steps {
            let step = task.step(*place).ok_or_else(|| no_place(self.task))?;
            let key = StepKey { task: self.task, index: step.index };
            let fresh = matches!(self.operation, Operation::Task(TaskOperation::RestartFrom(_)));
            // A list that stays took the attempts that it took.
            let again = *to == StepState::Pending && (step.items.is_none() || lists_again.contains(&key));
            let token = step.token.next();
            moves.placements.push(StepPlacement {
                key,
                state: *to,
                token,
                attempts: if again { 0 } else { step.attempts },
                crashes: if again { 0 } else { step.crashes },
                waiting: change.arrangement.waiting.get(*place as usize).copied().unwrap_or(0),
                result: match &self.operation {
                    // Not that of the items that end with it.
                    Operation::Step(index, StepOperation::Resolve(result)) if *index == step.index => {
                        Some(result.clone())
                    }
                    _ => None,
                },
                fresh,
            });
            let before = fresh.then_some((task.head.run, step.result.as_ref()));
            moves.transitions.push(StepTransition {
                key,
                revision: task.head.revision,
                seq: token.entered(),
                from: Some(step.state),
                to: *to,
                attempt: step.attempts,
                by: None,
                detail: Some(self.detail(before)?),
            });
        }
        Ok(moves)
    }

    /// What the steps that do not move wait for from now on, where that is something else.
    fn waits(&self, task: &Taken, arrangement: &Arrangement, placed: &[StepPlacement]) -> Vec<StepWait> {
        let updated = matches!(self.operation, Operation::Task(TaskOperation::Update { .. }));
        let moved: std::collections::HashSet<StepIndex> = placed.iter().map(|row| row.key.index).collect();
        let steps = task.steps.iter().zip(&arrangement.waiting);
        let stay = steps.filter(|(step, _)| step.state.is_unfinished() && !moved.contains(&step.index));
        let waits = stay.filter_map(|(step, &waiting)| {
            let stale = updated && step.state == StepState::InProgress;
            let key = StepKey { task: self.task, index: step.index };
            (stale || step.waiting != waiting).then_some(StepWait { key, waiting, stale })
        });
        waits.collect()
    }

    /// Puts what may run where it belongs: on a timer while it is not due.
    async fn queue<T: Tx>(
        &self,
        tx: &mut T,
        task: &Taken,
        held: &HeldTask,
        arrangement: &Arrangement,
        lanes: &Lanes,
    ) -> Result<bool> {
        let now = tx.now().await?;
        let (mut ready, mut timers) = (Vec::new(), Vec::new());
        for &place in &arrangement.runnable {
            let step = task.step(place).ok_or_else(|| no_place(self.task))?;
            let row = task.queued(step, lanes)?;
            let retry = step.next_retry_at.filter(|_| step.state == StepState::WaitingForRetry);
            let start = held.run_at.filter(|at| *at > now);
            match (retry, start) {
                (Some(due), _) => timers.push(TimerRow { due, kind: TimerKind::Retry, ready: row }),
                (None, Some(due)) => timers.push(TimerRow { due, kind: TimerKind::Start, ready: row }),
                (None, None) => ready.push(row),
            }
        }
        tx.put_timers(&timers).await?;
        tx.put_ready(&ready).await?;
        Ok(!arrangement.runnable.is_empty())
    }

    async fn place_task<T: Tx>(
        &self,
        tx: &mut T,
        task: &Taken,
        held: &HeldTask,
        change: &Change,
        run: i32,
    ) -> Result<Vec<TaskMoved>> {
        let mut moved = Vec::new();
        let (mut from, mut seq) = (held.state, held.seq);
        for &to in &change.task {
            seq += 1;
            moved.push(TaskMoved { id: self.task, from, to, seq });
            from = to;
        }
        let placement = TaskPlacement {
            id: self.task,
            state: from,
            live: change.arrangement.live,
            failed: change.arrangement.failed,
            seq,
            run,
            priority: task.head.priority,
            queue: task.head.queue.clone(),
            error: task.error(held, from),
            started: change.starts || held.started_at.is_some(),
        };
        tx.place_task(&placement).await?;
        // Who and why stand with the first move; what follows from it follows by itself.
        let first = Some(self.detail(None)?);
        let details = std::iter::once(first).chain(std::iter::repeat(None));
        let transitions = moved.iter().zip(details).map(|(moved, detail)| TaskTransition {
            id: moved.id,
            revision: task.head.revision,
            seq: moved.seq,
            from: Some(moved.from),
            to: moved.to,
            detail,
        });
        tx.record_tasks(&transitions.collect::<Vec<_>>()).await?;
        Ok(moved)
    }

    /// What a transition keeps of the operation: its name, who and why; of a restart, the number and the
    /// result of the run that it ends.
    fn detail(&self, before: Option<(i32, Option<&Json>)>) -> Result<Json> {
        #[derive(serde::Serialize)]
        struct Detail<'a> {
            operation: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            by: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            run: Option<i32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            result: Option<&'a Json>,
            #[serde(skip_serializing_if = "Option::is_none")]
            priority: Option<Option<i16>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            queue: Option<Option<&'a str>>,
        }
        let (priority, queue) = match &self.operation {
            Operation::Task(TaskOperation::Update { priority, queue }) => {
                (*priority, queue.as_ref().map(Option::as_deref))
            }
            _ => (None, None),
        };
        let detail = Detail {
            operation: self.operation.name(),
            by: self.note.by.as_deref(),
            reason: self.note.reason.as_deref(),
            run: before.map(|(run, _)| run),
            result: before.and_then(|(_, result)| result),
            priority,
            queue,
        };
        Json::of(&detail).map_err(|error| StoreError::Data(error.to_string().into()))
    }
}

/// What is written of the steps that move.
#[derive(Default)]
struct Moves {
    placements: Vec<StepPlacement>,
    transitions: Vec<StepTransition>,
}

/// A task with its steps, the steps of items behind those of the template. The place of a step is where it
/// stands among them.
struct Taken {
    head: TaskHead,
    stored: Arc<StoredTemplate>,
    /// With the items, where there are any.
    graph: Option<Graph>,
    state: TaskState,
    started: bool,
    steps: Vec<StepRow>,
}

fn no_place(task: TaskId) -> StoreError {
    StoreError::Database(format!("an operation moves a step that the task {task} does not have").into())
}

impl Taken {
    async fn find<T: Tx>(tx: &mut T, id: TaskId, catalog: &Catalog) -> Result<Option<Self>> {
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

    fn decide(&self, operation: &Operation) -> Result<Option<Change>> {
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
        decide(self.head.id, &standing, &operation, name).map_err(|refused| StoreError::Refused(Box::new(refused)))
    }

    /// The place of the step with this index; one behind the last where there is none.
    fn place(&self, index: StepIndex) -> StepIndex {
        self.steps.binary_search_by_key(&index, |step| step.index).unwrap_or(self.steps.len()) as StepIndex
    }

    fn step(&self, place: StepIndex) -> Option<&StepRow> {
        self.steps.get(place as usize)
    }

    fn state_of(&self, place: StepIndex) -> Option<StepState> {
        self.step(place).map(|step| step.state)
    }

    fn name(&self, step: &StepRow) -> Cow<'_, str> {
        self.stored.template.name_of(step.index).unwrap_or_default()
    }

    /// The groups of these items.
    fn groups_of(&self, places: &[StepIndex]) -> Vec<StepKey> {
        let items = places.iter().filter_map(|place| self.stored.template.groups.item(self.step(*place)?.index));
        let mut groups: Vec<StepKey> = items.map(|(group, _)| StepKey { task: self.head.id, index: *group }).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Has a step be as it was written.
    fn apply(&mut self, place: StepIndex, placed: &StepPlacement) {
        if let Some(step) = self.steps.get_mut(place as usize) {
            (step.state, step.token, step.attempts) = (placed.state, placed.token, placed.attempts);
            step.next_retry_at = None;
        }
    }

    /// Counts steps that were deleted as nothing.
    fn forget(&mut self, places: &[StepIndex]) {
        for place in places {
            if let Some(step) = self.steps.get_mut(*place as usize) {
                step.state = StepState::Skipped;
            }
        }
    }

    /// The lanes of all its steps, in a task that asks for this queue.
    async fn lanes<T: Tx>(&self, tx: &mut T, catalog: &Catalog, queue: Option<&str>) -> Result<Lanes> {
        let template = &self.stored.template;
        let mut queues: Vec<&str> = self.steps.iter().map(|step| template.queue_of(step.index, queue)).collect();
        queues.sort_unstable();
        queues.dedup();
        catalog.lanes(tx, queues.into_iter().map(|queue| (self.head.named_task, queue))).await
    }

    /// A step as it stands in the queue.
    fn queued(&self, step: &StepRow, lanes: &Lanes) -> Result<ReadyRow> {
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
    fn error(&self, held: &HeldTask, state: TaskState) -> Option<Json> {
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

//! Operations by hand: a task is taken in hand whole, moved, and put back.
//!
//! Every step is locked, without waiting at first (whoever settles one of them just now goes first), the task's
//! timers and ready rows are taken away, the task is locked; then nothing of it can move, and what the
//! receipts say is held. [`decide`](crate::domain::operation::decide) says what becomes of it; what differs is written, and what may run is put
//! back. A held step that moves keeps its receipt and gets another token: its holder's report is late.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::taken::{Taken, no_place};
use super::tried::Tried;
use crate::domain::id::{StepIndex, StepKey, TaskId};
use crate::domain::json::Json;
use crate::domain::operation::{Arrangement, Change, Operation, StepOperation, TaskOperation};
use crate::domain::state::StepState;
use crate::engine::catalog::{Catalog, Lanes};
use crate::fault_point;
use crate::storage::rows::{
    HeldTask, Hold, StepPlacement, StepTransition, StepWait, TaskMoved, TaskPlacement, TaskTransition, TimerKind,
    TimerRow,
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
    /// What earlier tries of it wrote, of which there was no answer.
    pub tried: Tried,
    /// Known templates and lanes.
    pub catalog: Arc<Catalog>,
}

/// What an operation did.
#[derive(Clone, Default)]
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
            if let Some(operated) = self.tried.committed(tx, self.task).await? {
                return Ok(Some(operated));
            }
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
        fault_point!(Operating);
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
        let holds = tx.held_now(self.task).await?.into_iter().map(|held| (held.index, held.hold)).collect();
        let moves = self.moves(&task, &change, &holds)?;
        let moved = change.steps.iter().map(|(place, _)| place).chain(&change.removed);
        let ended = moved.filter_map(|place| task.step(*place)).filter(|step| !step.state.is_unfinished());
        let ended: Vec<StepKey> = ended.map(|step| StepKey { task: self.task, index: step.index }).collect();
        tx.write_down(&ended).await?;
        tx.place_steps(&moves.placements).await?;
        if let Operation::Step(index, StepOperation::Decide(_, route)) = &self.operation {
            tx.keep_routes(&[(StepKey { task: self.task, index: *index }, route.clone())]).await?;
        }
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
        let operated = Operated { changed: true, queued, revoked, moved, lanes };
        let of_step = moves.transitions.first().map(|step| (Some(step.key.index), step.seq));
        if let Some((index, seq)) = of_step.or_else(|| operated.moved.first().map(|task| (None, task.seq))) {
            self.tried.remember(index, seq, tx.now().await?, &operated);
        }
        Ok(operated)
    }

    /// What the moved steps become, and what their histories gain.
    fn moves(&self, task: &Taken, change: &Change, holds: &HashMap<StepIndex, Hold>) -> Result<Moves> {
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
                    Operation::Step(index, StepOperation::Resolve(result) | StepOperation::Decide(result, _))
                        if *index == step.index =>
                    {
                        Some(result.clone())
                    }
                    _ => None,
                },
                fresh,
                bypassed: change.bypassed.contains(place),
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
                hold: holds.get(&step.index).copied(),
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

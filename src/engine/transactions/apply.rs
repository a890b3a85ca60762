//! Writing what became of steps: their moves and history, and what it means to their tasks. Settling a batch and recovering a dead worker's steps share it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::children::release_children;
use super::expand::expand;
use super::intake::{Assignment, Known, TaskInfo};
use super::limits::Freed;
use super::verdict::Verdict;
use crate::domain::id::{LaneId, RevisionId, StepKey, TaskId};
use crate::domain::state::{StepState, TaskEvent, TaskState};
use crate::engine::catalog::{Catalog, Lanes, lane_of};
use crate::storage::rows::{
    ReadyRow, SettledStep, TaskHead, TaskMoved, TaskTouch, TaskTransition, TimerKind, TimerRow,
};
use crate::storage::{Result, StoreError, TaskMoves, Tx};

/// Which released children stay with the worker instead of going through the ready table.
#[derive(Default)]
pub struct Keep {
    /// The lanes that it works.
    pub lanes: HashSet<LaneId>,
    /// How many it takes.
    pub limit: usize,
    /// The least priority; `None` keeps nothing.
    pub from: Option<i16>,
}

/// What was written, and what is still to be: the touches of tasks, which are locked last.
pub struct Applied {
    /// The steps whose move was not late, each with the state that it is in now.
    pub accepted: HashMap<StepKey, StepState>,
    /// Children that stay with the worker.
    pub kept: Vec<ReadyRow>,
    /// Whether steps were made ready for anyone.
    pub made_ready: bool,
    /// The soonest retry that was scheduled.
    pub next_retry: Option<Duration>,
    /// The lanes that were used, to keep.
    pub lanes: Lanes,
    /// What happens to the tasks.
    pub touches: Touches,
    verdicts: Vec<Verdict>,
}

/// Writes the verdicts whose tokens still hold, and passes over the late ones.
pub async fn apply<T: Tx>(tx: &mut T, catalog: &Catalog, verdicts: Vec<Verdict>, keep: &Keep) -> Result<Applied> {
    let now = tx.now().await?;
    let mut moves: Vec<_> = verdicts.iter().map(|verdict| verdict.step_move.clone()).collect();
    moves.sort_unstable_by_key(|step_move| step_move.key);
    let settled = tx.settle_steps(&moves).await?;
    let mut accepted: HashMap<StepKey, StepState> = settled.iter().map(|step| (step.key, StepState::Pending)).collect();
    let parked: HashSet<StepKey> = settled.iter().filter(|step| step.parked).map(|step| step.key).collect();
    let mut verdicts = verdicts;
    verdicts.retain(|Verdict { step_move, .. }| {
        accepted.get_mut(&step_move.key).is_some_and(|to| {
            *to = step_move.to;
            true
        })
    });
    look_again(tx, catalog, &mut verdicts, &settled).await?;
    record(tx, &verdicts).await?;
    let made = verdicts.iter().filter_map(|verdict| Some((verdict.step_move.key, verdict.limit_key.clone()?)));
    tx.keep_limit_keys(&made.collect::<Vec<_>>()).await?;

    let mut touches = Touches::default();
    let mut timers = Vec::new();
    let mut ready = Vec::new();
    for verdict in &verdicts {
        let parked = parked.contains(&verdict.step_move.key);
        touches.settled(verdict, parked);
        if parked {
            continue;
        }
        match (&verdict.again, verdict.step_move.to) {
            (Some((row, delay)), StepState::WaitingForRetry) => {
                timers.push(TimerRow { due: now.after(*delay), kind: TimerKind::Retry, ready: row.clone() });
            }
            (Some((row, _)), _) => ready.push(row.clone()),
            (None, _) => {}
        }
    }
    let routes = verdicts.iter().filter_map(|verdict| Some((verdict.step_move.key, verdict.route.clone()?)));
    tx.keep_routes(&routes.collect::<Vec<_>>()).await?;
    let items = expand(tx, &verdicts, &parked).await?;
    let (mut children, lanes) = release_children(tx, catalog, &verdicts).await?;
    if !items.is_empty() {
        children.extend(items);
        children.sort_unstable_by_key(|(row, _)| (-i32::from(row.priority), row.key));
    }
    let mut kept = Vec::new();
    for (child, revision) in children {
        touches.of(child.key.task, revision).live += 1;
        let wanted = keep.from.is_some_and(|least| child.priority >= least) && keep.lanes.contains(&child.lane);
        if wanted && kept.len() < keep.limit { kept.push(child) } else { ready.push(child) }
    }
    tx.put_timers(&timers).await?;
    tx.put_ready(&ready).await?;
    let next_retry = timers.iter().map(|timer| timer.due.since(now)).min();
    Ok(Applied { accepted, kept, made_ready: !ready.is_empty(), next_retry, lanes, touches, verdicts })
}

/// What their rows tell of is recorded there, and told to whoever listens.
async fn record<T: Tx>(tx: &mut T, verdicts: &[Verdict]) -> Result<()> {
    let transitions = |told: bool| {
        let verdicts = verdicts.iter().filter(move |verdict| verdict.step_move.settled_by.is_some() == told);
        verdicts.flat_map(|verdict| verdict.transitions.iter().cloned()).collect::<Vec<_>>()
    };
    if tx.is_heard() {
        tx.tell_steps(&transitions(true));
    }
    tx.record_steps(&transitions(false)).await
}

/// Puts what their tasks are now into the verdicts on steps whose tasks' queue or priority was changed while they
/// were held: whatever is queued from here on goes by that.
async fn look_again<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    verdicts: &mut [Verdict],
    settled: &[SettledStep],
) -> Result<()> {
    let stale: HashSet<StepKey> = settled.iter().filter(|step| step.stale).map(|step| step.key).collect();
    if stale.is_empty() {
        return Ok(());
    }
    let mut tasks: Vec<TaskId> = stale.iter().map(|key| key.task).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let heads: HashMap<TaskId, TaskHead> = tx.heads(&tasks).await?.into_iter().map(|head| (head.id, head)).collect();
    for verdict in verdicts.iter_mut().filter(|verdict| stale.contains(&verdict.step_move.key)) {
        let Some(head) = heads.get(&verdict.step_move.key.task) else { continue };
        let task = Arc::new(TaskInfo { head: head.clone(), stored: verdict.assignment.task.stored.clone() });
        let index = verdict.step_move.key.index;
        let queue = task.template().queue_of(index, head.queue.as_deref());
        let lanes = catalog.lanes(tx, std::iter::once((head.named_task, queue))).await?;
        let lane = lane_of(&lanes, head.named_task, queue.to_owned())?;
        let priority = task.template().priority_of(index, head.priority);
        if let Some((row, _)) = &mut verdict.again {
            (row.lane, row.priority) = (lane, priority);
        }
        // The steps of its items stand where it stood.
        let row = ReadyRow { lane, priority, ..verdict.assignment.row.clone() };
        verdict.assignment = Arc::new(Assignment { task, row, ..(*verdict.assignment).clone() });
    }
    Ok(())
}

impl Applied {
    /// The keys of limits under which attempts ended.
    pub fn freed(&self) -> Freed {
        Freed::by(&self.verdicts)
    }

    /// What this batch knows about tasks and results that its claims may need.
    pub fn known(&self) -> Known {
        let mut known = Known::default();
        for verdict in &self.verdicts {
            let key = verdict.step_move.key;
            known.tasks.entry(key.task).or_insert_with(|| verdict.assignment.task.clone());
            if verdict.step_move.to.satisfies_children() {
                known.results.insert(key, verdict.step_move.result.clone());
            }
        }
        known
    }
}

/// What a transaction does to its tasks, summed by task, with the settings that each runs by.
#[derive(Default)]
pub struct Touches(BTreeMap<TaskId, (RevisionId, TaskTouch)>);

impl Touches {
    /// The touch of this task.
    pub fn of(&mut self, id: TaskId, revision: RevisionId) -> &mut TaskTouch {
        let none = || (revision, TaskTouch { id, start: false, live: 0, failed: 0, error: None });
        &mut self.0.entry(id).or_insert_with(none).1
    }

    /// A step that ended or is parked is live no more, nor is one that waits for its items; one in error counts as
    /// failed.
    fn settled(&mut self, verdict: &Verdict, parked: bool) {
        let to = verdict.step_move.to;
        if to.is_unfinished() && verdict.items.is_empty() && !parked {
            return;
        }
        let touch = self.of(verdict.step_move.key.task, verdict.assignment.task.stored.revision);
        touch.live -= 1;
        if to == StepState::Error {
            touch.failed += 1;
            touch.error = touch.error.take().or_else(|| verdict.task_error());
        }
    }

    /// Writes those that change anything, in the order of ids, and records what moved.
    pub async fn write<T: Tx>(self, tx: &mut T) -> Result<Vec<TaskMoved>> {
        let changes = |touch: &TaskTouch| touch.start || touch.live != 0 || touch.failed != 0;
        let revisions: HashMap<TaskId, RevisionId> =
            self.0.iter().map(|(&id, &(revision, _))| (id, revision)).collect();
        let rows: Vec<TaskTouch> = self.0.into_values().map(|(_, touch)| touch).filter(changes).collect();
        let moved = tx.touch_tasks(&rows, task_moves()?).await?;
        let transition = |&TaskMoved { id, from, to, seq }: &TaskMoved| {
            let untouched = || StoreError::Database(format!("the task {id} moved without being touched").into());
            let &revision = revisions.get(&id).ok_or_else(untouched)?;
            Ok(TaskTransition { id, revision, seq, from: Some(from), to, detail: None })
        };
        let transitions = moved.iter().map(transition).collect::<Result<Vec<_>>>()?;
        tx.record_tasks(&transitions).await?;
        Ok(moved)
    }
}

/// The moves that a touch may make, as the table of states has them.
fn task_moves() -> Result<TaskMoves> {
    let settle =
        |from: TaskState, event| from.settle(event).map_err(|refusal| StoreError::Database(refusal.to_string().into()));
    Ok(TaskMoves {
        started: settle(TaskState::Pending, TaskEvent::Start)?,
        finished: settle(TaskState::InProgress, TaskEvent::Finish)?,
        stalled: settle(TaskState::InProgress, TaskEvent::Stall)?,
    })
}

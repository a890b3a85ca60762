//! Writing what became of steps: their moves and history, the children that this releases, and
//! what it means to their tasks. Settling a batch and recovering a dead worker's steps share it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::intake::{Known, TaskInfo};
use super::verdict::Verdict;
use crate::domain::id::{LaneId, RevisionId, StepKey, TaskId};
use crate::domain::state::{StepState, TaskEvent, TaskState};
use crate::engine::catalog::{Catalog, Lanes, lane_of};
use crate::storage::rows::{ReadyRow, ReleasedStep, TaskMoved, TaskTouch, TaskTransition, TimerKind, TimerRow};
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
    /// The steps whose move was not late.
    pub accepted: HashSet<StepKey>,
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
    let accepted: HashSet<StepKey> = tx.settle_steps(&moves).await?.into_iter().collect();
    let verdicts: Vec<Verdict> = verdicts.into_iter().filter(|v| accepted.contains(&v.step_move.key)).collect();
    let transitions: Vec<_> = verdicts.iter().flat_map(|verdict| verdict.transitions.iter().cloned()).collect();
    tx.record_steps(&transitions).await?;

    let mut touches = Touches::default();
    let mut timers = Vec::new();
    let mut ready = Vec::new();
    for verdict in &verdicts {
        touches.settled(verdict);
        match (&verdict.again, verdict.step_move.to) {
            (Some((row, delay)), StepState::WaitingForRetry) => {
                timers.push(TimerRow { due: now.after(*delay), kind: TimerKind::Retry, ready: row.clone() });
            }
            (Some((row, _)), _) => ready.push(row.clone()),
            (None, _) => {}
        }
    }
    let (children, lanes) = release_children(tx, catalog, &verdicts).await?;
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

/// Takes finished parents off their children's counters (two parents of one child in one batch
/// count twice) and returns the children that wait for nothing, with their tasks' settings, in the
/// order of claiming.
async fn release_children<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    verdicts: &[Verdict],
) -> Result<(Vec<(ReadyRow, RevisionId)>, Lanes)> {
    let mut finished_parents: BTreeMap<StepKey, i32> = BTreeMap::new();
    let mut task_of: HashMap<TaskId, &Arc<TaskInfo>> = HashMap::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.step_move.to.satisfies_children()) {
        let StepKey { task, index } = verdict.step_move.key;
        task_of.entry(task).or_insert(&verdict.assignment.task);
        for &child in verdict.assignment.task.template().graph.children(index) {
            *finished_parents.entry(StepKey { task, index: child }).or_default() += 1;
        }
    }
    if finished_parents.is_empty() {
        return Ok(Default::default());
    }
    let finished_parents: Vec<_> = finished_parents.into_iter().collect();
    let released = tx.release_steps(&finished_parents).await?;
    let queue_of = |key: &StepKey| {
        let task = task_of.get(&key.task)?;
        Some((*task, task.template().queue_of(key.index, task.head.queue.as_deref())))
    };
    let wanted = released.iter().filter_map(|child| queue_of(&child.key));
    let lanes = catalog.lanes(tx, wanted.map(|(task, queue)| (task.head.named_task, queue))).await?;

    let mut children = Vec::with_capacity(released.len());
    for ReleasedStep { key, token } in released {
        let Some((task, queue)) = queue_of(&key) else { continue };
        let child = ReadyRow {
            lane: lane_of(&lanes, task.head.named_task, queue.to_owned())?,
            priority: task.template().priority_of(key.index, task.head.priority),
            key,
            token,
            attempts: 0,
            state: StepState::Pending,
        };
        children.push((child, task.stored.revision));
    }
    children.sort_unstable_by_key(|(row, _)| (-i32::from(row.priority), row.key));
    Ok((children, lanes))
}

impl Applied {
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

    /// A step that ended is live no more; one in error counts as failed.
    fn settled(&mut self, verdict: &Verdict) {
        let to = verdict.step_move.to;
        if to.is_unfinished() {
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

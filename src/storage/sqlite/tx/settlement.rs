//! How steps and tasks move, and the record of their moves.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{each, probe};
use crate::domain::id::{StepKey, TaskId, Token};
use crate::domain::state::TaskState;
use crate::domain::time::Timestamp;
use crate::fault_point;
use crate::storage::rows::{
    Checkpoint, HeldStep, ReleasedStep, SettledStep, StepMove, StepTransition, TaskMoved, TaskTouch, TaskTransition,
};
use crate::storage::sqlite::values::step_key;
use crate::storage::{Result, TaskMoves};

const FIND_STEP: &str = "
    SELECT task_id, idx, state, token, attempts, crashes FROM tasker_workflow_steps
    WHERE task_id = ?1 AND idx = ?2 AND token = ?3";

/// The fence: what does not show the present token is late and moves nothing. It is read before the step is written:
/// RETURNING would gather its one row in a temporary b-tree.
pub(super) const HOLD_STEP: &str = "
    SELECT waiting, stale FROM tasker_workflow_steps
    WHERE task_id = ?1 AND idx = ?2 AND token = ?3 AND state IN ('pending', 'waiting_for_retry')";

/// After [`HOLD_STEP`].
pub(super) const SETTLE_STEP: &str = "
    UPDATE tasker_workflow_steps SET
        state = ?3,
        token = token + 1,
        attempts = ?4,
        crashes = crashes + ?5,
        result = ?6,
        error = coalesce(?7, error),
        started_at = coalesce(?8, started_at),
        finished_at = ?9,
        next_retry_at = ?10,
        settled_by = ?11
    WHERE task_id = ?1 AND idx = ?2";

/// Fenced as [`HOLD_STEP`] is.
pub(super) const SAVE_CHECKPOINT: &str = "
    UPDATE tasker_workflow_steps SET checkpoint = ?4
    WHERE task_id = ?1 AND idx = ?2 AND token = ?3 AND state IN ('pending', 'waiting_for_retry')";

pub(super) const FIND_CHILD: &str = "
    SELECT waiting, token FROM tasker_workflow_steps WHERE task_id = ?1 AND idx = ?2 AND state = 'pending'";

/// After [`FIND_CHILD`].
pub(super) const RELEASE_STEP: &str = "UPDATE tasker_workflow_steps SET waiting = ?3 WHERE task_id = ?1 AND idx = ?2";

pub(super) const FIND_TASK: &str = "SELECT state, live, failed, seq FROM tasker_tasks WHERE id = ?1";

pub(super) const TOUCH_TASK: &str = "
    UPDATE tasker_tasks SET
        state = ?2,
        live = ?3,
        failed = ?4,
        seq = ?5,
        started_at = coalesce(started_at, ?6),
        finished_at = coalesce(?7, finished_at),
        error = coalesce(error, ?8)
    WHERE id = ?1";

pub(super) const RECORD_STEP: &str = "
    INSERT INTO tasker_workflow_step_transitions
        (task_id, idx, seq, from_state, to_state, at, attempt, session_id, detail, claimed_at, claimed_by)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

pub(super) const RECORD_TASK: &str = "
    INSERT INTO tasker_task_transitions (task_id, seq, from_state, to_state, at, detail)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub(super) fn find_steps(connection: &Connection, held: &[(StepKey, Token)]) -> Result<Vec<HeldStep>> {
    probe(connection, FIND_STEP, held, |&(key, token)| (key.task, key.index, token), held_step)
}

/// A row of the columns of [`FIND_STEP`].
pub(super) fn held_step(row: &Row<'_>) -> rusqlite::Result<HeldStep> {
    Ok(HeldStep {
        key: step_key(row, 0)?,
        state: row.get(2)?,
        token: row.get(3)?,
        attempts: row.get(4)?,
        crashes: row.get(5)?,
    })
}

pub(super) fn settle_steps(connection: &Connection, moves: &[StepMove], now: Timestamp) -> Result<Vec<SettledStep>> {
    let mut hold = connection.prepare_cached(HOLD_STEP)?;
    let mut settle = connection.prepare_cached(SETTLE_STEP)?;
    let mut moved = Vec::with_capacity(moves.len());
    for step in moves {
        fault_point!(SqliteStatement);
        let StepKey { task, index } = step.key;
        let found = hold.query_row((task, index, step.token), |row| {
            Ok(SettledStep { key: step.key, parked: row.get::<_, i32>(0)? > 0, stale: row.get(1)? })
        });
        let Some(settled) = found.optional()? else { continue };
        let finished_at = (!step.to.is_unfinished()).then_some(now);
        settle.execute(params![
            task,
            index,
            step.to,
            step.attempts,
            step.crashed,
            step.result,
            step.error,
            step.started_at,
            finished_at,
            step.next_retry_at,
            step.settled_by,
        ])?;
        moved.push(settled);
    }
    Ok(moved)
}

pub(super) fn save_checkpoints(connection: &Connection, rows: &[Checkpoint]) -> Result<Vec<StepKey>> {
    let mut save = connection.prepare_cached(SAVE_CHECKPOINT)?;
    let mut saved = Vec::with_capacity(rows.len());
    for Checkpoint { key, token, value } in rows {
        if save.execute((key.task, key.index, token, value))? == 1 {
            saved.push(*key);
        }
    }
    Ok(saved)
}

pub(super) fn release_steps(connection: &Connection, parents: &[(StepKey, i32)]) -> Result<Vec<ReleasedStep>> {
    let mut find = connection.prepare_cached(FIND_CHILD)?;
    let mut release = connection.prepare_cached(RELEASE_STEP)?;
    let mut released = Vec::new();
    for &(key, finished) in parents {
        let found = find.query_row((key.task, key.index), |row| Ok((row.get::<_, i32>(0)?, row.get(1)?))).optional()?;
        let Some((waiting, token)) = found else { continue };
        let left = waiting.saturating_sub(finished);
        release.execute((key.task, key.index, left))?;
        if left == 0 {
            released.push(ReleasedStep { key, token });
        }
    }
    Ok(released)
}

/// Where a task stands while it is touched.
struct Standing {
    id: TaskId,
    state: TaskState,
    live: i32,
    failed: i32,
    seq: i32,
}

impl Standing {
    fn go(&mut self, to: TaskState) -> TaskMoved {
        self.seq += 1;
        TaskMoved { id: self.id, from: std::mem::replace(&mut self.state, to), to, seq: self.seq }
    }
}

/// A task that starts and comes to rest in one touch moves twice.
pub(super) fn touch_tasks(
    connection: &Connection,
    touches: &[TaskTouch],
    moves: TaskMoves,
    now: Timestamp,
) -> Result<Vec<TaskMoved>> {
    let mut find = connection.prepare_cached(FIND_TASK)?;
    let mut update = connection.prepare_cached(TOUCH_TASK)?;
    let mut in_order: Vec<_> = touches.iter().collect();
    in_order.sort_unstable_by_key(|touch| touch.id);

    let mut moved = Vec::new();
    for touch in in_order {
        let found = find
            .query_row([touch.id], |row| {
                let (state, live, failed, seq) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
                Ok(Standing { id: touch.id, state, live, failed, seq })
            })
            .optional()?;
        let Some(mut task) = found else { continue };
        let (mut started_at, mut finished_at) = (None, None);
        task.live = task.live.saturating_add(touch.live);
        task.failed = task.failed.saturating_add(touch.failed);
        if touch.start && task.state == TaskState::Pending {
            moved.push(task.go(moves.started));
            started_at = Some(now);
        }
        if task.state == TaskState::InProgress && task.live == 0 {
            moved.push(task.go(if task.failed > 0 { moves.stalled } else { moves.finished }));
            finished_at = Some(now);
        }
        let Standing { id, state, live, failed, seq } = task;
        update.execute(params![id, state, live, failed, seq, started_at, finished_at, touch.error])?;
    }
    Ok(moved)
}

pub(super) fn record_steps(connection: &Connection, rows: &[StepTransition], now: Timestamp) -> Result<()> {
    each(connection, RECORD_STEP, rows, |row| {
        let StepKey { task, index } = row.key;
        let (since, by) = row.stored_hold();
        (task, index, row.seq, row.from, row.to, now, row.attempt, row.by, &row.detail, since, by)
    })
}

pub(super) fn record_tasks(connection: &Connection, rows: &[TaskTransition], now: Timestamp) -> Result<()> {
    each(connection, RECORD_TASK, rows, |row| (row.id, row.seq, row.from, row.to, now, &row.detail))
}

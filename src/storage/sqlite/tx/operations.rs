//! What operations by hand write: one task as a whole.

use rusqlite::{Connection, OptionalExtension, params};

use super::each;
use crate::domain::id::{StepKey, TaskId};
use crate::domain::time::Timestamp;
use crate::storage::Result;
use crate::storage::rows::{HeldTask, ReadyRow, StepPlacement, StepWait, TaskPlacement};
use crate::storage::sqlite::values::rank;

/// By the index of timers by task.
pub(super) const DELETE_TIMERS: &str = "DELETE FROM tasker_timers WHERE task_id = ?1";

/// By the primary key.
const DELETE_PARKED: &str = "DELETE FROM tasker_parked WHERE task_id = ?1";

const FIND_TASK: &str = "SELECT state, seq, started_at, run_at, error FROM tasker_tasks WHERE id = ?1";

/// The place is `Token::entered`.
const WRITE_DOWN: &str = "
    INSERT INTO tasker_workflow_step_transitions
        (task_id, idx, seq, from_state, to_state, at, attempt, session_id, claimed_at)
    SELECT task_id, idx, 2 * token, 'in_progress', state, finished_at, attempts, settled_by, started_at
    FROM tasker_workflow_steps WHERE task_id = ?1 AND idx = ?2 AND settled_by IS NOT NULL";

pub(super) const PLACE_STEP: &str = "
    UPDATE tasker_workflow_steps SET
        state = ?3,
        token = ?4,
        attempts = ?5,
        crashes = ?6,
        waiting = ?7,
        result = ?8,
        stale = 0,
        settled_by = NULL,
        route = NULL,
        bypassed = ?11,
        next_retry_at = NULL,
        finished_at = ?9,
        error = CASE WHEN ?10 THEN NULL ELSE error END,
        checkpoint = CASE WHEN ?10 THEN NULL ELSE checkpoint END,
        limit_key = CASE WHEN ?10 THEN NULL ELSE limit_key END,
        started_at = CASE WHEN ?10 THEN NULL ELSE started_at END
    WHERE task_id = ?1 AND idx = ?2";

pub(super) const SET_WAITING: &str = "
    UPDATE tasker_workflow_steps SET waiting = ?3, stale = max(stale, ?4) WHERE task_id = ?1 AND idx = ?2";

pub(super) const PLACE_TASK: &str = "
    UPDATE tasker_tasks SET
        state = ?2,
        live = ?3,
        failed = ?4,
        seq = ?5,
        run = ?6,
        priority = ?7,
        queue = ?8,
        error = ?9,
        started_at = CASE WHEN ?10 THEN coalesce(started_at, ?12) ELSE started_at END,
        finished_at = CASE WHEN NOT ?11 THEN NULL WHEN state = ?2 THEN coalesce(finished_at, ?12) ELSE ?12 END
    WHERE id = ?1";

pub(super) fn take_task_out(connection: &Connection, task: TaskId, rows: &[ReadyRow]) -> Result<()> {
    connection.prepare_cached(DELETE_TIMERS)?.execute([task])?;
    connection.prepare_cached(DELETE_PARKED)?.execute([task])?;
    each(connection, super::queue::DELETE_READY, rows, |row| {
        (row.lane, rank(row.priority), row.key.task, row.key.index)
    })
}

pub(super) fn find_task(connection: &Connection, task: TaskId) -> Result<Option<HeldTask>> {
    let mut find = connection.prepare_cached(FIND_TASK)?;
    let held = find.query_row([task], |row| {
        Ok(HeldTask {
            state: row.get(0)?,
            seq: row.get(1)?,
            started_at: row.get(2)?,
            run_at: row.get(3)?,
            error: row.get(4)?,
        })
    });
    Ok(held.optional()?)
}

pub(super) fn write_down(connection: &Connection, keys: &[StepKey]) -> Result<()> {
    each(connection, WRITE_DOWN, keys, |key| (key.task, key.index))
}

pub(super) fn place_steps(connection: &Connection, rows: &[StepPlacement], now: Timestamp) -> Result<()> {
    let mut place = connection.prepare_cached(PLACE_STEP)?;
    for row in rows {
        let finished_at = (!row.state.is_unfinished()).then_some(now);
        place.execute(params![
            row.key.task,
            row.key.index,
            row.state,
            row.token,
            row.attempts,
            row.crashes,
            row.waiting,
            row.result,
            finished_at,
            row.fresh,
            row.bypassed,
        ])?;
    }
    Ok(())
}

pub(super) fn set_waiting(connection: &Connection, rows: &[StepWait]) -> Result<()> {
    each(connection, SET_WAITING, rows, |row| (row.key.task, row.key.index, row.waiting, row.stale))
}

pub(super) fn place_task(connection: &Connection, row: &TaskPlacement, now: Timestamp) -> Result<()> {
    connection.prepare_cached(PLACE_TASK)?.execute(params![
        row.id,
        row.state,
        row.live,
        row.failed,
        row.seq,
        row.run,
        row.priority,
        row.queue,
        row.error,
        row.started,
        row.state.is_ended(),
        now,
    ])?;
    Ok(())
}

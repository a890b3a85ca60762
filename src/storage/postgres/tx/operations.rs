//! What operations by hand read and write: one task as a whole.

use std::time::Duration;

use super::{PostgresTx, rare};
use crate::domain::id::{StepKey, TaskId};
use crate::storage::Result;
use crate::storage::postgres::values::{
    get, json_option, key_arrays, rank, stored_count, stored_index, task_state, timestamp_option,
};
use crate::storage::rows::{HeldTask, ReadyRow, StepPlacement, StepWait, TaskPlacement};

/// Walks the primary key. NOWAIT: a settlement that holds one of them may want another next.
const LOCK_STEPS_NOW: &str = "
    SELECT FROM tasker_workflow_steps WHERE task_id = $1 ORDER BY task_id, idx FOR NO KEY UPDATE NOWAIT";

/// Walks the primary key.
const LOCK_STEPS: &str = "
    SELECT FROM tasker_workflow_steps WHERE task_id = $1 ORDER BY task_id, idx FOR NO KEY UPDATE";

/// In milliseconds, and to the end of the transaction. Far shorter than the server takes to look for a deadlock.
const WAIT_AT_MOST: &str = "SELECT set_config('lock_timeout', $1, true)";

/// By the index of timers by task. Before the ready rows, as timers become those.
const DELETE_TIMERS: &str = "DELETE FROM tasker_timers WHERE task_id = $1";

/// A probe of the primary key for each.
const DELETE_READY: &str = "
    DELETE FROM tasker_ready AS r
    USING (SELECT unnest($1::int[]) AS lane, unnest($2::int[]) AS rank, unnest($3::int[]) AS idx) AS w
    WHERE r.lane = w.lane AND r.rank = w.rank AND r.task_id = $4 AND r.idx = w.idx";

/// By the primary key. After the ready rows, as those become parked; the other way the steps' locks bar.
const DELETE_PARKED: &str = "DELETE FROM tasker_parked WHERE task_id = $1";

/// A probe of the primary key.
const LOCK_TASK: &str = "
    SELECT state::text, seq, started_at, run_at, error::text FROM tasker_tasks WHERE id = $1 FOR NO KEY UPDATE";

/// A probe of the primary key for each. The place is `Token::entered`.
const WRITE_DOWN: &str = "
    INSERT INTO tasker_workflow_step_transitions
        (at, task_id, idx, seq, from_state, to_state, attempt, session_id, claimed_at)
    SELECT s.finished_at, s.task_id, s.idx, 2 * s.token, 'in_progress', s.state, s.attempts, s.settled_by, s.started_at
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS w
    JOIN tasker_workflow_steps AS s ON s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx
    WHERE s.settled_by IS NOT NULL";

/// A probe of the primary key for each.
const PLACE_STEPS: &str = "
    UPDATE tasker_workflow_steps AS s
    SET state = p.state::tasker_step_state,
        token = p.token,
        attempts = p.attempts,
        crashes = p.crashes,
        waiting = p.waiting,
        result = p.result::json,
        stale = false,
        settled_by = NULL,
        route = NULL,
        bypassed = p.bypassed,
        next_retry_at = NULL,
        finished_at = CASE WHEN p.state IN ('pending', 'waiting_for_retry') THEN NULL ELSE $1 END,
        error = CASE WHEN p.fresh THEN NULL ELSE s.error END,
        checkpoint = CASE WHEN p.fresh THEN NULL ELSE s.checkpoint END,
        limit_key = CASE WHEN p.fresh THEN NULL ELSE s.limit_key END,
        started_at = CASE WHEN p.fresh THEN NULL ELSE s.started_at END
    FROM (
        SELECT unnest($2::uuid[]) AS task_id, unnest($3::int[]) AS idx, unnest($4::text[]) AS state,
            unnest($5::int[]) AS token, unnest($6::smallint[]) AS attempts, unnest($7::smallint[]) AS crashes,
            unnest($8::int[]) AS waiting, unnest($9::text[]) AS result, unnest($10::bool[]) AS fresh,
            unnest($11::bool[]) AS bypassed
    ) AS p
    WHERE s.task_id = ANY (ARRAY [p.task_id]) AND s.idx = p.idx";

/// A probe of the primary key for each.
const SET_WAITING: &str = "
    UPDATE tasker_workflow_steps AS s
    SET waiting = w.waiting, stale = s.stale OR w.stale
    FROM (
        SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx, unnest($3::int[]) AS waiting,
            unnest($4::bool[]) AS stale
    ) AS w
    WHERE s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx";

/// A probe of the primary key.
const PLACE_TASK: &str = concat!(
    "UPDATE tasker_tasks
    SET state = $3::text::tasker_task_state,
        rare = ",
    rare!("$3::text"),
    ",
        live = $4,
        failed = $5,
        seq = $6,
        run = $7,
        priority = $8,
        queue = $9,
        error = $10::text::json,
        started_at = CASE WHEN $11 THEN coalesce(started_at, $1) ELSE started_at END,
        finished_at = CASE WHEN NOT $12 THEN NULL
            WHEN state = $3::text::tasker_task_state THEN coalesce(finished_at, $1)
            ELSE $1 END
    WHERE id = $2"
);

pub(super) async fn lock_steps_of(tx: &mut PostgresTx<'_>, task: TaskId, patience: Duration) -> Result<()> {
    let lock = if patience.is_zero() { LOCK_STEPS_NOW } else { LOCK_STEPS };
    if !patience.is_zero() {
        tx.run(sqlx::query(WAIT_AT_MOST).bind(patience.as_millis().to_string())).await?;
    }
    tx.run(sqlx::query(lock).bind(task.0)).await?;
    // Until a list was locked, somebody may have made steps of its items, which the statement did not see. Lists are
    // all locked now.
    tx.run(sqlx::query(lock).bind(task.0)).await
}

pub(super) async fn take_task_out(tx: &mut PostgresTx<'_>, task: TaskId, rows: &[ReadyRow]) -> Result<()> {
    tx.run(sqlx::query(DELETE_TIMERS).bind(task.0)).await?;
    let statement = sqlx::query(DELETE_READY)
        .bind(rows.iter().map(|row| row.lane.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| rank(row.priority)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| stored_index(row.key.index)).collect::<Vec<_>>())
        .bind(task.0);
    tx.run(statement).await?;
    tx.run(sqlx::query(DELETE_PARKED).bind(task.0)).await
}

pub(super) async fn lock_task(tx: &mut PostgresTx<'_>, task: TaskId) -> Result<Option<HeldTask>> {
    let Some(row) = tx.row(sqlx::query(LOCK_TASK).bind(task.0)).await? else { return Ok(None) };
    Ok(Some(HeldTask {
        state: task_state(&row, 0)?,
        seq: get(&row, 1)?,
        started_at: timestamp_option(&row, 2)?,
        run_at: timestamp_option(&row, 3)?,
        error: json_option(&row, 4)?,
    }))
}

pub(super) async fn write_down(tx: &mut PostgresTx<'_>, keys: &[StepKey]) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let (tasks, idxs) = key_arrays(keys);
    tx.run(sqlx::query(WRITE_DOWN).bind(tasks).bind(idxs)).await
}

pub(super) async fn place_steps(tx: &mut PostgresTx<'_>, rows: &[StepPlacement]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let now = tx.now_stored().await?;
    let statement = sqlx::query(PLACE_STEPS)
        .bind(now)
        .bind(rows.iter().map(|row| row.key.task.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| stored_index(row.key.index)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.state.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.token.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| stored_count(row.attempts)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| stored_count(row.crashes)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.waiting).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.result.as_ref().map(|json| json.as_str())).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.fresh).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.bypassed).collect::<Vec<_>>());
    tx.run(statement).await
}

pub(super) async fn set_waiting(tx: &mut PostgresTx<'_>, rows: &[StepWait]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(SET_WAITING)
        .bind(rows.iter().map(|row| row.key.task.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| stored_index(row.key.index)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.waiting).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.stale).collect::<Vec<_>>());
    tx.run(statement).await
}

pub(super) async fn place_task(tx: &mut PostgresTx<'_>, row: &TaskPlacement) -> Result<()> {
    let now = tx.now_stored().await?;
    let statement = sqlx::query(PLACE_TASK)
        .bind(now)
        .bind(row.id.0)
        .bind(row.state.as_str())
        .bind(row.live)
        .bind(row.failed)
        .bind(row.seq)
        .bind(row.run)
        .bind(row.priority)
        .bind(row.queue.as_deref())
        .bind(row.error.as_ref().map(|json| json.as_str()))
        .bind(row.started)
        .bind(row.state.is_ended());
    tx.run(statement).await
}

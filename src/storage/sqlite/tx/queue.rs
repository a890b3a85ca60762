//! Ready steps, timers, and what a claimer needs to know of what it took.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{all, each, probe};
use crate::domain::id::{LaneId, StepKey, TaskId};
use crate::domain::json::Json;
use crate::domain::time::Timestamp;
use crate::storage::Result;
use crate::storage::rows::{LaneCursor, Outlook, ReadyRow, TakenRow, TaskHead, TimerRow};
use crate::storage::sqlite::values::{self, rank, ready_row, step_key};

pub(super) const PUT_READY: &str = "
    INSERT INTO tasker_ready (lane, rank, task_id, idx, token, attempts, state, ready_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// A range of the primary key, in its order: nothing is sorted.
pub(super) const FIRST_READY: &str = "
    SELECT lane, rank, task_id, idx, token, attempts, state, ready_at
    FROM tasker_ready
    WHERE lane = ?1
    ORDER BY rank, task_id, idx
    LIMIT ?2";

pub(super) const NEXT_READY: &str = "
    SELECT lane, rank, task_id, idx, token, attempts, state, ready_at
    FROM tasker_ready
    WHERE lane = ?1 AND (rank, task_id, idx) >= (?3, ?4, ?5)
    ORDER BY rank, task_id, idx
    LIMIT ?2";

pub(super) const DELETE_READY: &str =
    "DELETE FROM tasker_ready WHERE lane = ?1 AND rank = ?2 AND task_id = ?3 AND idx = ?4";

pub(super) const PUT_TIMER: &str = "
    INSERT INTO tasker_timers (due_at, kind, lane, rank, task_id, idx, token, attempts, state)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

pub(super) const DUE: &str = "
    SELECT due_at, lane, rank, task_id, idx, token, attempts, state
    FROM tasker_timers
    WHERE due_at <= ?1
    ORDER BY due_at, task_id, idx
    LIMIT ?2";

pub(super) const DELETE_TIMER: &str = "DELETE FROM tasker_timers WHERE due_at = ?1 AND task_id = ?2 AND idx = ?3";

pub(super) const HEAD: &str =
    "SELECT id, named_task_id, revision_id, priority, queue, run, context, headers FROM tasker_tasks WHERE id = ?1";

pub(super) const RESULT: &str = "
    SELECT task_id, idx, result FROM tasker_workflow_steps WHERE task_id = ?1 AND idx = ?2 AND result IS NOT NULL";

const CHECKPOINT: &str = "
    SELECT task_id, idx, checkpoint FROM tasker_workflow_steps
    WHERE task_id = ?1 AND idx = ?2 AND checkpoint IS NOT NULL";

/// Each part stops at the first row it finds; the receipts are few. ?1: the lanes as a JSON array.
pub(super) const OUTLOOK: &str = "
    SELECT
        EXISTS (SELECT 1 FROM json_each(?1) l CROSS JOIN tasker_ready r ON r.lane = l.value),
        EXISTS (SELECT 1 FROM tasker_receipts r, json_each(r.lanes) h
                WHERE h.value IN (SELECT value FROM json_each(?1))),
        EXISTS (SELECT 1 FROM json_each(?1) l CROSS JOIN tasker_timers t ON t.lane = l.value
                WHERE t.kind = 'retry'),
        EXISTS (SELECT 1 FROM json_each(?1) l CROSS JOIN tasker_parked p ON p.lane = l.value),
        EXISTS (SELECT 1 FROM tasker_paused_queues)";

const NEXT_DUE: &str = "SELECT due_at FROM tasker_timers ORDER BY due_at LIMIT 1";

pub(super) fn put_ready(connection: &Connection, rows: &[ReadyRow], now: Timestamp) -> Result<()> {
    each(connection, PUT_READY, rows, |row| {
        (row.lane, rank(row.priority), row.key.task, row.key.index, row.token, row.attempts, row.state, now)
    })
}

/// Every lane offers its first `limit`; the most urgent of all of them are taken.
pub(super) fn take_ready(connection: &Connection, lanes: &[LaneCursor], limit: usize) -> Result<Vec<TakenRow>> {
    let mut offered = Vec::new();
    for LaneCursor { lane, from } in lanes {
        let most = values::limit(limit);
        offered.extend(match from {
            None => all(connection, FIRST_READY, (lane, most), taken_row)?,
            Some((priority, StepKey { task, index })) => {
                all(connection, NEXT_READY, (lane, most, rank(*priority), task, index), taken_row)?
            }
        });
    }
    offered.sort_unstable_by_key(|TakenRow { row, .. }| (rank(row.priority), row.key, row.lane));
    offered.truncate(limit);
    each(connection, DELETE_READY, &offered, |TakenRow { row, .. }| {
        (row.lane, rank(row.priority), row.key.task, row.key.index)
    })?;
    Ok(offered)
}

fn taken_row(row: &Row<'_>) -> rusqlite::Result<TakenRow> {
    Ok(TakenRow { row: ready_row(row, 0)?, ready_at: row.get(7)? })
}

pub(super) fn put_timers(connection: &Connection, rows: &[TimerRow]) -> Result<()> {
    each(connection, PUT_TIMER, rows, |TimerRow { due, kind, ready }| {
        let StepKey { task, index } = ready.key;
        (due, kind, ready.lane, rank(ready.priority), task, index, ready.token, ready.attempts, ready.state)
    })
}

pub(super) fn take_due(connection: &Connection, now: Timestamp, limit: usize) -> Result<Vec<ReadyRow>> {
    let due =
        all(connection, DUE, (now, values::limit(limit)), |row| Ok((row.get::<_, Timestamp>(0)?, ready_row(row, 1)?)))?;
    each(connection, DELETE_TIMER, &due, |(at, row)| (*at, row.key.task, row.key.index))?;
    Ok(due.into_iter().map(|(_, row)| row).collect())
}

pub(super) fn heads(connection: &Connection, ids: &[TaskId]) -> Result<Vec<TaskHead>> {
    probe(
        connection,
        HEAD,
        ids,
        |id| [*id],
        |row| {
            Ok(TaskHead {
                id: row.get(0)?,
                named_task: row.get(1)?,
                revision: row.get(2)?,
                priority: row.get(3)?,
                queue: row.get(4)?,
                run: row.get(5)?,
                context: row.get(6)?,
                headers: row.get(7)?,
            })
        },
    )
}

pub(super) fn results(connection: &Connection, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
    probe(connection, RESULT, keys, |key| (key.task, key.index), |row| Ok((step_key(row, 0)?, row.get(2)?)))
}

pub(super) fn checkpoints(connection: &Connection, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
    probe(connection, CHECKPOINT, keys, |key| (key.task, key.index), |row| Ok((step_key(row, 0)?, row.get(2)?)))
}

pub(super) fn outlook(connection: &Connection, lanes: &[LaneId], now: Timestamp) -> Result<Outlook> {
    let lanes = format!("[{}]", lanes.iter().map(|lane| lane.0.to_string()).collect::<Vec<_>>().join(","));
    let (ready, held, retrying, parked, paused) = connection
        .prepare_cached(OUTLOOK)?
        .query_row(params![lanes], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
    let next: Option<Timestamp> = connection.prepare_cached(NEXT_DUE)?.query_row((), |row| row.get(0)).optional()?;
    let next_due_us = next.map(|due| due.0.saturating_sub(now.0).max(0).unsigned_abs());
    Ok(Outlook { ready, held, retrying, parked, paused, outbox: false, next_due_us })
}

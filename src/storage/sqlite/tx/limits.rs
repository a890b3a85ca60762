//! How many attempts of steps with a limit run, and which steps wait for that.

use rusqlite::Connection;

use super::{all, each, probe};
use crate::domain::id::StepKey;
use crate::domain::json::Json;
use crate::domain::limit::LimitKey;
use crate::storage::Result;
use crate::storage::rows::{Parked, ReadyRow, Slot};
use crate::storage::sqlite::values::{self, rank, ready_row, step_key};

/// A slot counts while its step has its token.
const DELETE_STALE: &str = "
    DELETE FROM tasker_slots
    WHERE key = ?1 AND NOT EXISTS (
        SELECT 1 FROM tasker_workflow_steps s
        WHERE s.task_id = tasker_slots.task_id AND s.idx = tasker_slots.idx AND s.token = tasker_slots.token
          AND s.state IN ('pending', 'waiting_for_retry'))";

const COUNT: &str = "SELECT count(*) FROM tasker_slots WHERE key = ?1";

/// One of an earlier token may be left.
const TAKE: &str = "
    INSERT INTO tasker_slots (task_id, idx, token, key) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (task_id, idx) DO UPDATE SET token = excluded.token, key = excluded.key";

const PARK: &str = "
    INSERT OR REPLACE INTO tasker_parked (lane, rank, task_id, idx, token, attempts, state, key, running)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Walks the index of the key.
pub(super) const PARKED: &str = "
    SELECT p.lane, p.rank, p.task_id, p.idx, p.token, p.attempts, p.state, coalesce((
        SELECT s.token = p.token AND s.waiting = 0 AND s.state IN ('pending', 'waiting_for_retry')
        FROM tasker_workflow_steps s WHERE s.task_id = p.task_id AND s.idx = p.idx), 0)
    FROM tasker_parked p WHERE p.key = ?1
    ORDER BY p.rank, p.task_id, p.idx LIMIT ?2";

const UNPARK: &str = "DELETE FROM tasker_parked WHERE task_id = ?1 AND idx = ?2";

const OPEN: &str = "
    SELECT key, free FROM (
        SELECT p.key AS key, max(p.running) - (
            SELECT count(*) FROM tasker_slots l
            JOIN tasker_workflow_steps s ON s.task_id = l.task_id AND s.idx = l.idx AND s.token = l.token
            WHERE l.key = p.key AND s.state IN ('pending', 'waiting_for_retry')) AS free
        FROM tasker_parked p GROUP BY p.key)
    WHERE free > 0 LIMIT ?1";

const MADE: &str = "
    SELECT task_id, idx, limit_key FROM tasker_workflow_steps
    WHERE task_id = ?1 AND idx = ?2 AND limit_key IS NOT NULL";

const KEEP_MADE: &str = "UPDATE tasker_workflow_steps SET limit_key = ?3 WHERE task_id = ?1 AND idx = ?2";

pub(super) fn made(connection: &Connection, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
    probe(connection, MADE, keys, |key| (key.task, key.index), |row| Ok((step_key(row, 0)?, row.get(2)?)))
}

pub(super) fn keep_made(connection: &Connection, rows: &[(StepKey, Json)]) -> Result<()> {
    each(connection, KEEP_MADE, rows, |(key, made)| (key.task, key.index, made))
}

pub(super) fn count(connection: &Connection, keys: &[LimitKey]) -> Result<Vec<(LimitKey, usize)>> {
    let mut stale = connection.prepare_cached(DELETE_STALE)?;
    let mut count = connection.prepare_cached(COUNT)?;
    let mut taken = Vec::with_capacity(keys.len());
    for key in keys {
        stale.execute([&key.0])?;
        taken.push((key.clone(), count.query_row([&key.0], |row| row.get::<_, u32>(0))? as usize));
    }
    Ok(taken)
}

pub(super) fn take(connection: &Connection, slots: &[Slot]) -> Result<()> {
    each(connection, TAKE, slots, |slot| (slot.step.task, slot.step.index, slot.token, &slot.key.0))
}

pub(super) fn park(connection: &Connection, rows: &[Parked]) -> Result<()> {
    each(connection, PARK, rows, |Parked { key, running, ready }| {
        let StepKey { task, index } = ready.key;
        let running = u32::try_from(*running).unwrap_or(u32::MAX);
        (ready.lane, rank(ready.priority), task, index, ready.token, ready.attempts, ready.state, &key.0, running)
    })
}

pub(super) fn unpark(connection: &Connection, keys: &[(LimitKey, usize)]) -> Result<Vec<(LimitKey, ReadyRow)>> {
    let mut ready = Vec::new();
    for (key, most) in keys {
        let found = all(connection, PARKED, (&key.0, values::limit(*most)), |row| {
            Ok((ready_row(row, 0)?, row.get::<_, bool>(7)?))
        })?;
        each(connection, UNPARK, &found, |(row, _)| (row.key.task, row.key.index))?;
        let as_they_were = found.into_iter().filter(|(_, as_it_was)| *as_it_was);
        ready.extend(as_they_were.map(|(row, _)| (key.clone(), row)));
    }
    Ok(ready)
}

pub(super) fn open(connection: &Connection, limit: usize) -> Result<Vec<(LimitKey, usize)>> {
    all(connection, OPEN, [values::limit(limit)], |row| Ok((LimitKey(row.get(0)?), row.get::<_, u32>(1)? as usize)))
}

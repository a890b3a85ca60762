//! Sessions, and the receipts that say which steps they hold.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use super::{all, each};
use crate::domain::id::{LaneId, ReceiptId, SessionId, SessionKey, StepKey, TaskId, Token};
use crate::domain::state::StepState;
use crate::domain::time::Timestamp;
use crate::storage::rows::{Hold, NewReceipt, ReadyRow, Receipt};
use crate::storage::sqlite::values;
use crate::storage::{Result, StoreError};

const OPEN: &str = "INSERT INTO tasker_sessions (id, label, expires_at, opened_at) VALUES (?1, ?2, ?3, ?4)";

const RENEW: &str = "UPDATE tasker_sessions SET expires_at = ?3 WHERE id = ?1 AND epoch = ?2";

pub(super) const HOLD: &str = "SELECT 1 FROM tasker_sessions WHERE id = ?1 AND epoch = ?2";

/// Those that were raised before and hold nothing any more: whoever raised them did not live to
/// delete them.
const DELETE_ABANDONED: &str = "
    DELETE FROM tasker_sessions
    WHERE epoch > 0 AND expires_at <= ?1
      AND NOT EXISTS (SELECT 1 FROM tasker_receipts r WHERE r.session_id = tasker_sessions.id)";

/// Once is enough: no holder knows a later epoch than 0.
const EXPIRE: &str = "UPDATE tasker_sessions SET epoch = epoch + 1 WHERE epoch = 0 AND expires_at <= ?1";

/// What was abandoned is gone, so every raised session was raised now or still holds receipts.
const EXPIRED: &str = "SELECT id FROM tasker_sessions WHERE epoch > 0 AND expires_at <= ?1 ORDER BY expires_at, id";

const DELETE: &str = "
    DELETE FROM tasker_sessions
    WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM tasker_receipts WHERE session_id = ?1)";

const COUNT_LIVE: &str = "SELECT count(*) FROM tasker_sessions WHERE epoch = 0 AND expires_at > ?1";

pub(super) const PUT_RECEIPT: &str = "
    INSERT INTO tasker_receipts (id, session_id, lanes, steps, claimed_at) VALUES (?1, ?2, ?3, ?4, ?5)";

const FIND_RECEIPT: &str = "SELECT id, session_id, steps, claimed_at FROM tasker_receipts WHERE id = ?1";

/// Receipts' ids are UUIDv7: their order is that of time. The index on (session_id, id) gives it.
pub(super) const RECEIPTS_OF: &str = "
    SELECT id, session_id, steps, claimed_at FROM tasker_receipts WHERE session_id = ?1 ORDER BY id LIMIT ?2";

pub(super) const DROP_RECEIPT: &str = "DELETE FROM tasker_receipts WHERE id = ?1";

/// Reads the whole table, which has one row for each batch under way.
const RECEIPTS_NAMING: &str = "
    SELECT id, session_id, steps, claimed_at FROM tasker_receipts WHERE instr(steps, ?1) > 0";

const ALL_RECEIPTS: &str = "SELECT id, session_id, steps, claimed_at FROM tasker_receipts";

const CHANGE_RECEIPT: &str = "UPDATE tasker_receipts SET lanes = ?2, steps = ?3 WHERE id = ?1";

/// A step of a receipt as it is stored.
type StoredStep = (i32, i16, Uuid, u32, i32, u16, String);

pub(super) fn open(
    connection: &Connection,
    session: SessionId,
    label: &str,
    now: Timestamp,
    ttl: Duration,
) -> Result<()> {
    connection.prepare_cached(OPEN)?.execute((session, label, now.after(ttl), now))?;
    Ok(())
}

pub(super) fn renew(connection: &Connection, session: SessionKey, now: Timestamp, ttl: Duration) -> Result<bool> {
    Ok(connection.prepare_cached(RENEW)?.execute((session.id, session.epoch, now.after(ttl)))? == 1)
}

/// One writer: nobody can sweep the session before this transaction ends.
pub(super) fn hold(connection: &Connection, session: SessionKey, done: &[ReceiptId]) -> Result<bool> {
    let held = connection.prepare_cached(HOLD)?.exists((session.id, session.epoch))?;
    if held {
        drop_receipts(connection, done)?;
    }
    Ok(held)
}

pub(super) fn expire(connection: &Connection, now: Timestamp) -> Result<Vec<SessionId>> {
    connection.prepare_cached(DELETE_ABANDONED)?.execute([now])?;
    connection.prepare_cached(EXPIRE)?.execute([now])?;
    all(connection, EXPIRED, [now], |row| row.get(0))
}

pub(super) fn delete(connection: &Connection, session: SessionId) -> Result<()> {
    connection.prepare_cached(DELETE)?.execute([session])?;
    Ok(())
}

pub(super) fn count_live(connection: &Connection, now: Timestamp) -> Result<u64> {
    let count: i64 = connection.prepare_cached(COUNT_LIVE)?.query_row([now], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

pub(super) fn put_receipt(connection: &Connection, receipt: &NewReceipt, now: Timestamp) -> Result<()> {
    let lanes: Vec<i32> = receipt.lanes().iter().map(|lane| lane.0).collect();
    let steps: Vec<_> = receipt.steps.iter().map(stored).collect();
    connection.prepare_cached(PUT_RECEIPT)?.execute((
        receipt.id,
        receipt.session,
        encoded(&lanes)?,
        encoded(&steps)?,
        now,
    ))?;
    Ok(())
}

pub(super) fn find_receipt(connection: &Connection, id: ReceiptId) -> Result<Option<Receipt>> {
    let raw = connection.prepare_cached(FIND_RECEIPT)?.query_row([id], RawReceipt::read).optional()?;
    raw.map(RawReceipt::decode).transpose()
}

pub(super) fn receipts_of(connection: &Connection, session: SessionId, limit: usize) -> Result<Vec<Receipt>> {
    let raw = all(connection, RECEIPTS_OF, (session, values::limit(limit)), RawReceipt::read)?;
    raw.into_iter().map(RawReceipt::decode).collect()
}

/// Every receipt there is.
pub(super) fn all_receipts(connection: &Connection) -> Result<Vec<Receipt>> {
    all(connection, ALL_RECEIPTS, (), RawReceipt::read)?.into_iter().map(RawReceipt::decode).collect()
}

pub(super) fn drop_receipts(connection: &Connection, ids: &[ReceiptId]) -> Result<()> {
    each(connection, DROP_RECEIPT, ids, |id| [id])
}

/// The steps of `task` that receipts name, as they were claimed.
pub(super) fn claimed_steps(connection: &Connection, task: TaskId) -> Result<Vec<(ReadyRow, Hold)>> {
    let mut claimed = Vec::new();
    for receipt in all(connection, RECEIPTS_NAMING, [task.to_string()], RawReceipt::read)? {
        let receipt = receipt.decode()?;
        let hold = Hold { since: receipt.claimed_at, by: receipt.session };
        let steps = receipt.steps.into_iter().filter(|step| step.key.task == task);
        claimed.extend(steps.map(|step| (step, hold)));
    }
    Ok(claimed)
}

/// Takes the steps of these tasks out of every receipt: who recovers one looks for the tasks of all its steps.
pub(super) fn forget_tasks(connection: &Connection, tasks: &[TaskId]) -> Result<()> {
    let tasks: HashSet<TaskId> = tasks.iter().copied().collect();
    for mut receipt in all_receipts(connection)? {
        let before = receipt.steps.len();
        receipt.steps.retain(|step| !tasks.contains(&step.key.task));
        if receipt.steps.is_empty() {
            drop_receipts(connection, &[receipt.id])?;
        } else if receipt.steps.len() < before {
            let lanes: BTreeSet<i32> = receipt.steps.iter().map(|step| step.lane.0).collect();
            let steps: Vec<_> = receipt.steps.iter().map(stored).collect();
            let change = (receipt.id, encoded(&lanes)?, encoded(&steps)?);
            connection.prepare_cached(CHANGE_RECEIPT)?.execute(change)?;
        }
    }
    Ok(())
}

struct RawReceipt {
    id: ReceiptId,
    session: SessionId,
    steps: String,
    claimed_at: Timestamp,
}

impl RawReceipt {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, session: row.get(1)?, steps: row.get(2)?, claimed_at: row.get(3)? })
    }

    fn decode(self) -> Result<Receipt> {
        let Self { id, session, steps, claimed_at } = self;
        Ok(Receipt { id, session, steps: decode_steps(&steps)?, claimed_at })
    }
}

/// The task's id in the same form as [`TaskId`] displays it: [`RECEIPTS_NAMING`] looks for that.
fn stored(step: &ReadyRow) -> (i32, i16, Uuid, u32, i32, u16, &'static str) {
    (step.lane.0, step.priority, step.key.task.0, step.key.index, step.token.0, step.attempts, step.state.as_str())
}

fn decode_steps(text: &str) -> Result<Vec<ReadyRow>> {
    let steps: Vec<StoredStep> = serde_json::from_str(text).map_err(damaged)?;
    steps
        .into_iter()
        .map(|(lane, priority, task, index, token, attempts, state)| {
            Ok(ReadyRow {
                lane: LaneId(lane),
                priority,
                key: StepKey { task: TaskId(task), index },
                token: Token(token),
                attempts,
                state: StepState::parse(&state).ok_or_else(|| damaged(format!("{state:?} is no state")))?,
            })
        })
        .collect()
}

fn encoded(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Data(error.to_string().into()))
}

fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Database(format!("a receipt in the database is damaged: {error}").into())
}

//! [`SqliteTx`]: what each primitive means in SQLite's SQL.
//!
//! * [`primitives`]: each, and which of the others carries it out. [`sessions`]: sessions and receipts. [`templates`]: template versions, revisions, lanes.
//! * [`creation`]: new tasks. [`queue`]: ready steps and timers. [`settlement`]: how steps and
//!   tasks move, and the record of it. [`reading`]: what people look at. [`listing`]: many tasks.
//!   [`operations`]: what people do by hand. [`deletion`]: tasks that go. [`decisions`]: what decisions choose and
//!   skip. [`chores`]: what is done now and then. [`pauses`]: paused queues. [`items`]: steps
//!   that are made while a task runs.
//!   [`limits`]: how many run at once.
//!
//! A prepared statement costs half a microsecond here, so a set is a loop over one statement, not
//! an array unpacked in SQL. There is one writer, so nothing is locked and nothing skipped: a
//! transaction has the database for itself.

mod annotations;
mod chores;
mod creation;
mod decisions;
mod deletion;
mod items;
mod limits;
mod listing;
mod operations;
mod pauses;
#[cfg(test)]
mod plans;
mod primitives;
mod queue;
mod reading;
mod sessions;
mod settlement;
mod statistics;
mod templates;
mod terms;

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Params, Row};

use crate::domain::time::Timestamp;
use crate::fault_point;
use crate::storage::Result;
use crate::storage::feed::Recording;

/// An open transaction. Its futures never wait: SQLite answers on the calling thread.
pub struct SqliteTx<'c> {
    connection: &'c mut Connection,
    now: Timestamp,
    recording: &'c mut Recording,
}

impl<'c> SqliteTx<'c> {
    /// The transaction that is open on `connection`, at `now`.
    pub(super) fn new(connection: &'c mut Connection, now: Timestamp, recording: &'c mut Recording) -> Self {
        Self { connection, now, recording }
    }
}

/// The time of a transaction that begins now; `clock_offset` is in microseconds.
pub(super) fn time(clock_offset: i64) -> Timestamp {
    Timestamp(clock().0.saturating_add(clock_offset))
}

/// The database's clock. SQLite has none but its host's, which it reads to the millisecond only;
/// so the store reads it itself, to the microsecond.
pub(super) fn clock() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

/// Every row of a statement.
fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    fault_point!(SqliteStatement);
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, map)?.collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}

/// Runs a statement once for each item.
fn each<I, P: Params>(
    connection: &Connection,
    sql: &str,
    items: impl IntoIterator<Item = I>,
    mut params: impl FnMut(I) -> P,
) -> Result<()> {
    let mut items = items.into_iter().peekable();
    if items.peek().is_none() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(sql)?;
    for item in items {
        fault_point!(SqliteStatement);
        statement.execute(params(item))?;
    }
    Ok(())
}

/// The rows that probes by key find, in the order of the keys.
fn probe<K, P: Params, T>(
    connection: &Connection,
    sql: &str,
    keys: &[K],
    params: impl Fn(&K) -> P,
    map: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut found = Vec::with_capacity(keys.len());
    if keys.is_empty() {
        return Ok(found);
    }
    let mut statement = connection.prepare_cached(sql)?;
    for key in keys {
        fault_point!(SqliteStatement);
        let mut rows = statement.query(params(key))?;
        while let Some(row) = rows.next()? {
            found.push(map(row)?);
        }
    }
    Ok(found)
}

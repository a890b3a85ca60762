//! Brings the schema to the version that this gem knows.

use rusqlite::{Connection, OptionalExtension};

use super::begin::begin_immediate;
use super::place::Place;
use super::tx::clock;
use crate::fault_point;
use crate::storage::{Result, StoreError};

/// Every step, in order; the version is the place, from 1. One that was released never changes.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_tables.sql"),
    include_str!("migrations/0002_task_model.sql"),
    include_str!("migrations/0003_headers.sql"),
    include_str!("migrations/0004_outbox.sql"),
    include_str!("migrations/0005_unfinished.sql"),
];

/// The version that this gem knows.
pub(super) const NEWEST: i64 = MIGRATIONS.len() as i64;

const CREATE_VERSIONS: &str = "
    CREATE TABLE IF NOT EXISTS tasker_schema_migrations (
        version    INTEGER PRIMARY KEY,
        applied_at INTEGER NOT NULL
    ) STRICT";

const ARE_VERSIONS_KEPT: &str =
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'tasker_schema_migrations'";

const LATEST: &str = "SELECT coalesce(max(version), 0) FROM tasker_schema_migrations";

const RECORD: &str = "INSERT INTO tasker_schema_migrations (version, applied_at) VALUES (?1, ?2)";

/// Applies what is missing, in one transaction. Of several processes one does it; the others wait
/// for the lock and then find nothing missing.
pub(super) fn migrate(connection: &mut Connection, place: &Place) -> Result<()> {
    // A look without the lock: opening a database that is up to date disturbs nobody.
    if missing(connection)?.is_empty() {
        return Ok(());
    }
    begin_immediate(connection, place.busy_timeout())?;
    let applied = apply(connection);
    connection.execute_batch(if applied.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    applied
}

fn apply(connection: &Connection) -> Result<()> {
    connection.execute_batch(CREATE_VERSIONS)?;
    for version in missing(connection)? {
        connection.execute_batch(MIGRATIONS[version - 1])?;
        fault_point!(Migration);
        connection.execute(RECORD, (i64::try_from(version).unwrap_or(i64::MAX), clock()))?;
    }
    Ok(())
}

/// The version that is there; `None` where no schema is.
pub(super) fn found(connection: &Connection) -> Result<Option<i64>> {
    let kept = connection.query_row(ARE_VERSIONS_KEPT, (), |_| Ok(())).optional()?.is_some();
    let found: i64 = if kept { connection.query_row(LATEST, (), |row| row.get(0))? } else { 0 };
    Ok((found > 0).then_some(found))
}

/// The versions that are not applied yet.
fn missing(connection: &Connection) -> Result<std::ops::Range<usize>> {
    let found = found(connection)?.unwrap_or(0);
    match usize::try_from(found) {
        Ok(found) if found <= MIGRATIONS.len() => Ok(found + 1..MIGRATIONS.len() + 1),
        _ => Err(StoreError::Configuration(format!(
            "the database was written by a newer tasker_core (schema {found}, this one knows {}); upgrade the gem",
            MIGRATIONS.len()
        ))),
    }
}

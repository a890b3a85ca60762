//! Brings the schema to this version.
//!
//! Safe when many processes start at once: a transaction-scoped advisory lock lets one of them
//! migrate, the others find the work done. Works through a pooler in transaction mode.

use sqlx::{Connection, PgConnection, Row};

use super::error::{code, store_error};
use crate::fault_point;
use crate::storage::{Result, StoreError};

/// The migrations in order; the first makes version 1.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_tasks.sql"),
    include_str!("migrations/0002_task_model.sql"),
    include_str!("migrations/0003_headers.sql"),
    include_str!("migrations/0004_outbox.sql"),
    include_str!("migrations/0005_unfinished.sql"),
];

/// What this version reads and writes.
pub(super) const NEWEST: i32 = MIGRATIONS.len() as i32;

/// `tasker` in ASCII, as the number of the advisory lock.
const LOCK: &str = "SELECT pg_advisory_xact_lock(128017059669362)";

const EXISTS: &str = "SELECT to_regclass('tasker_schema_migrations') IS NOT NULL";

const VERSION: &str = "SELECT coalesce(max(version), 0) FROM tasker_schema_migrations";

const VERSIONS: &str = "
    CREATE TABLE IF NOT EXISTS tasker_schema_migrations (
        version    integer PRIMARY KEY,
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )";

const APPLIED: &str = "INSERT INTO tasker_schema_migrations (version) VALUES ($1)";

/// What a host runs that migrates over a connection of its own: the same statements, and in one transaction.
#[derive(Clone, Copy, Debug)]
pub struct Scripts {
    /// Lets one process at a time go on, until the end of its transaction.
    pub lock: &'static str,
    /// Makes the table of versions where it is missing.
    pub versions: &'static str,
    /// The migrations in order; the first makes version 1. A row of each one's number goes into the table of versions.
    pub migrations: &'static [&'static str],
}

/// See [`Scripts`].
pub fn scripts() -> Scripts {
    Scripts { lock: LOCK, versions: VERSIONS, migrations: MIGRATIONS }
}

/// Applies the migrations that are missing.
///
/// # Errors
/// [`StoreError::Configuration`] when the schema is newer than this version, or may not be made.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<()> {
    // A user without the right to create tables may still work in an up-to-date schema.
    if version(connection).await? == NEWEST {
        return Ok(());
    }
    apply(connection).await.map_err(|error| match code(&error).as_deref() {
        Some("42501") => StoreError::Configuration(format!(
            "the database's user may not create the tables of tasker_core ({}): GRANT CREATE ON SCHEMA public TO this user, or run the first start as one who may",
            message(&error),
        )),
        _ => store_error(error),
    })?;
    match version(connection).await? {
        NEWEST => Ok(()),
        other => Err(StoreError::Database(format!("the schema is at {other} after a migration to {NEWEST}").into())),
    }
}

/// The schema's version; 0 when there is none.
async fn version(connection: &mut PgConnection) -> Result<i32> {
    let found = stored_version(connection).await.map_err(store_error)?;
    if found > NEWEST {
        return Err(StoreError::Configuration(format!(
            "the database was written by a newer tasker_core (schema {found}, this one knows {NEWEST}); upgrade the gem"
        )));
    }
    Ok(found)
}

/// The schema's version, whoever wrote it.
pub(super) async fn stored_version(connection: &mut PgConnection) -> std::result::Result<i32, sqlx::Error> {
    let mut tx = connection.begin().await?;
    let exists: bool = sqlx::query(EXISTS).persistent(false).fetch_one(&mut *tx).await?.try_get(0)?;
    let found = match exists {
        true => sqlx::query(VERSION).persistent(false).fetch_one(&mut *tx).await?.try_get(0)?,
        false => 0,
    };
    tx.commit().await?;
    Ok(found)
}

async fn apply(connection: &mut PgConnection) -> std::result::Result<(), sqlx::Error> {
    let mut tx = connection.begin().await?;
    sqlx::raw_sql(LOCK).execute(&mut *tx).await?;
    sqlx::raw_sql(VERSIONS).execute(&mut *tx).await?;
    let found: i32 = sqlx::query(VERSION).persistent(false).fetch_one(&mut *tx).await?.try_get(0)?;
    for (migration, version) in MIGRATIONS.iter().zip(1..).filter(|(_, version)| *version > found) {
        sqlx::raw_sql(*migration).execute(&mut *tx).await?;
        fault_point!(Migration);
        sqlx::query(APPLIED).persistent(false).bind(version).execute(&mut *tx).await?;
    }
    tx.commit().await
}

fn message(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

//! From a URL to connections: options, the first one, and the pool.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

use super::error::{code, store_error};
use super::migrate::migrate;
use crate::storage::url::{PostgresUrl, StoreOptions};
use crate::storage::{Result, StoreError};

/// The oldest server that knows everything the statements use.
const OLDEST: u32 = 12;

/// How many statements a connection keeps prepared: all of them, and some listings.
const STATEMENTS: usize = 200;

/// How each connection is made.
///
/// # Errors
/// [`StoreError::Configuration`] when an option of the URL cannot be used.
pub(super) fn connect_options(url: &PostgresUrl) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_url(&url.url)
        .map_err(|error| StoreError::Configuration(format!("the database URL cannot be used: {error}")))?;
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("tasker_core"),
    };
    Ok(options
        // Poolers refuse startup parameters that they do not know.
        .extra_float_digits(None)
        .statement_cache_capacity(if url.prepared { STATEMENTS } else { 0 })
        .disable_statement_logging())
}

/// Connects once and migrates the schema.
///
/// # Errors
/// Those of [`first`]; what keeps the schema from being migrated.
pub(super) async fn prepare(url: &PostgresUrl, options: &PgConnectOptions) -> Result<()> {
    let mut connection = first(url, options).await?;
    migrate(&mut connection).await?;
    // It has served its purpose; whether the server hears the farewell does not matter.
    let _ = connection.close().await;
    Ok(())
}

/// The first connection, within the URL's `connect_timeout`, to a server that is not too old.
///
/// # Errors
/// [`StoreError::Unreachable`] when there is no server, [`StoreError::Configuration`] when it
/// refuses what the URL says.
pub(super) async fn first(url: &PostgresUrl, options: &PgConnectOptions) -> Result<PgConnection> {
    let connecting = first_connection(url, options);
    let connection = tokio::time::timeout(url.connect_timeout, connecting).await.unwrap_or_else(|_| {
        let waited = url.connect_timeout.as_secs_f64();
        Err(StoreError::Unreachable(
            format!("PostgreSQL at {} did not answer within {waited:.1} s", url.place()).into(),
        ))
    })?;
    let found = connection.server_version_num().unwrap_or(u32::MAX);
    if found < OLDEST * 10_000 {
        return Err(StoreError::Configuration(format!(
            "the server is PostgreSQL {}; tasker_core needs {OLDEST} or later",
            found / 10_000
        )));
    }
    Ok(connection)
}

/// Connects, waiting for a server that is about to be ready.
async fn first_connection(url: &PostgresUrl, options: &PgConnectOptions) -> Result<PgConnection> {
    let started = Instant::now();
    loop {
        match PgConnection::connect_with(options).await {
            Ok(connection) => return Ok(connection),
            Err(error) if is_passing(&error) && started.elapsed() < url.connect_timeout.mul_f64(0.9) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(refusal(error, url, options)),
        }
    }
}

/// Whether the server says that it will be ready soon: starting, stopping, or full.
fn is_passing(error: &sqlx::Error) -> bool {
    matches!(code(error).as_deref(), Some("57P03" | "57P01" | "53300"))
}

/// Why the first connection failed, and what to do about it.
fn refusal(error: sqlx::Error, url: &PostgresUrl, options: &PgConnectOptions) -> StoreError {
    let place = url.place();
    let user = options.get_username();
    match (&error, code(&error).as_deref()) {
        (sqlx::Error::Io(error), _) => {
            StoreError::Unreachable(format!("PostgreSQL at {place} cannot be reached: {error}").into())
        }
        (_, Some("28P01" | "28000")) => StoreError::Configuration(format!(
            "PostgreSQL at {place} refused the user {user:?} ({}): check user and password in the database URL",
            server_message(&error),
        )),
        (_, Some("3D000")) => {
            let database = options.get_database().unwrap_or(user);
            StoreError::Configuration(format!(
                "PostgreSQL at {place} has no database {database:?}: create it (createdb {database}) or correct the database URL"
            ))
        }
        (_, Some("42501" | "08P01")) => {
            StoreError::Configuration(format!("PostgreSQL at {place} refused: {}", server_message(&error)))
        }
        (_, Some(_)) => StoreError::Unreachable(format!("PostgreSQL at {place}: {}", server_message(&error)).into()),
        (sqlx::Error::Tls(error), _) => StoreError::Configuration(format!(
            "TLS with PostgreSQL at {place} failed ({error}): check sslmode and sslrootcert in the database URL"
        )),
        (sqlx::Error::Configuration(error), _) => {
            StoreError::Configuration(format!("the database URL cannot be used: {error}"))
        }
        _ => match store_error(error) {
            StoreError::Disconnected(message) => {
                StoreError::Unreachable(format!("PostgreSQL at {place}: {message}").into())
            }
            other => other,
        },
    }
}

fn server_message(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// The pool; it opens its connections when they are needed.
///
/// A connection is not tested before use, which would cost a round trip each time: one that turns
/// out to be dead costs a second try instead.
pub(super) fn pool(url: &PostgresUrl, settings: &StoreOptions, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(url.pool.unwrap_or(settings.pool).max(1))
        .acquire_timeout(url.acquire_timeout.unwrap_or(settings.acquire_timeout))
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

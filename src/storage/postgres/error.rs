//! What a failure of the driver or the server means to the engine.

use sqlx::error::DatabaseError;

use crate::fault_points::Injected;
use crate::storage::{Said, StoreError};

impl From<Injected> for sqlx::Error {
    fn from(injected: Injected) -> Self {
        Self::Io(std::io::Error::other(injected))
    }
}

/// A failure on an open connection.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    let said = |message: String| Said::by(&error, message, None);
    match &error {
        sqlx::Error::Database(server) => of_server(server.as_ref()),
        sqlx::Error::PoolClosed => StoreError::Closed,
        sqlx::Error::PoolTimedOut => StoreError::Unreachable("no connection could be opened in time".into()),
        sqlx::Error::Io(cause) => StoreError::Disconnected(said(cause.to_string())),
        // The stream is out of step: the connection is of no use any more.
        sqlx::Error::Protocol(message) => StoreError::Disconnected(said(message.clone())),
        sqlx::Error::BeginFailed => StoreError::Disconnected("the server did not begin a transaction".into()),
        sqlx::Error::Tls(cause) => StoreError::Unreachable(said(format!("TLS failed: {cause}"))),
        sqlx::Error::Encode(cause) => StoreError::Data(said(cause.to_string())),
        other => StoreError::Database(said(other.to_string())),
    }
}

/// The code of an error that the server reported.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

/// What the server reported, by its SQLSTATE. Details are left out: they may hold users' data.
fn of_server(error: &dyn DatabaseError) -> StoreError {
    let code = error.code().unwrap_or_default();
    let message = error.message();
    let said = |message: String| Said::by(&error, message, Some(code.clone().into_owned()));
    let as_it_is = || said(message.into());
    match code.as_ref() {
        "40001" | "40P01" | "55P03" => StoreError::Conflict(as_it_is()),
        // Shut down, crashed, starting, dropped, idle for too long, outcome not known.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04" | "40003" => {
            StoreError::Disconnected(as_it_is())
        }
        "53300" => StoreError::Unreachable(as_it_is()),
        "25006" => StoreError::Unreachable(said(format!("the server only reads, it may be a standby: {message}"))),
        "26000" | "42P05" => StoreError::Configuration(format!(
            "a pooler in transaction mode seems to stand before the server ({message}): add prepared=false to the database URL"
        )),
        // Foreign keys stand between templates only.
        "23503" => StoreError::TemplateGone,
        "23502" | "23514" => StoreError::Data(as_it_is()),
        _ => match code.get(..2) {
            Some("08") => StoreError::Disconnected(as_it_is()),
            Some("22" | "54") => StoreError::Data(as_it_is()),
            _ => StoreError::Database(said(format!("{message} (SQLSTATE {code})"))),
        },
    }
}

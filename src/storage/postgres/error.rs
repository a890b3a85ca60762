//! What a failure of the driver or the server means to the engine.

use sqlx::error::DatabaseError;

use crate::storage::StoreError;

/// A failure on an open connection.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => of_server(error.as_ref()),
        sqlx::Error::PoolClosed => StoreError::Closed,
        sqlx::Error::PoolTimedOut => StoreError::Unreachable("no connection could be opened in time".into()),
        sqlx::Error::Io(error) => StoreError::Disconnected(error.to_string()),
        // The stream is out of step: the connection is of no use any more.
        sqlx::Error::Protocol(message) => StoreError::Disconnected(message),
        sqlx::Error::BeginFailed => StoreError::Disconnected("the server did not begin a transaction".into()),
        sqlx::Error::Tls(error) => StoreError::Unreachable(format!("TLS failed: {error}")),
        sqlx::Error::Encode(error) => StoreError::Data(error.to_string()),
        other => StoreError::Database(other.to_string()),
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
    match code.as_ref() {
        "40001" | "40P01" | "55P03" => StoreError::Conflict(message.into()),
        // Shut down, crashed, starting, dropped, idle for too long, outcome not known.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04" | "40003" => {
            StoreError::Disconnected(message.into())
        }
        "53300" => StoreError::Unreachable(message.into()),
        "25006" => StoreError::Unreachable(format!("the server only reads, it may be a standby: {message}")),
        "26000" | "42P05" => StoreError::Configuration(format!(
            "a pooler in transaction mode seems to stand before the server ({message}): add prepared=false to the database URL"
        )),
        // Foreign keys stand between templates only.
        "23503" => StoreError::TemplateGone,
        "23502" | "23514" => StoreError::Data(message.into()),
        _ => match code.get(..2) {
            Some("08") => StoreError::Disconnected(message.into()),
            Some("22" | "54") => StoreError::Data(message.into()),
            _ => StoreError::Database(format!("{message} (SQLSTATE {code})")),
        },
    }
}

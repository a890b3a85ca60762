//! What SQLite's errors mean to a caller.

use rusqlite::{Error, ErrorCode, ffi};

use crate::storage::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match &error {
            Error::SqliteFailure(failure, message) => {
                let said = message.clone().unwrap_or_else(|| failure.to_string());
                from_code(*failure, said)
            }
            // Binding: the value is at fault.
            Error::ToSqlConversionFailure(_) | Error::NulError(_) => Self::Data(error.to_string()),
            // Reading: something else wrote to the table, or the file is damaged.
            _ => Self::Database(format!("the database answered in an unexpected way: {error}")),
        }
    }
}

fn from_code(failure: ffi::Error, said: String) -> StoreError {
    match failure.code {
        // Only the tables of templates have foreign keys: the template went away meanwhile.
        _ if failure.extended_code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::TemplateGone,
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => StoreError::Data(said),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Conflict(said),
        ErrorCode::DiskFull => StoreError::Database(format!(
            "the disk that holds the database file is full ({said}); nothing of this transaction was stored"
        )),
        ErrorCode::ReadOnly => {
            StoreError::Database(format!("the database file, or its folder, cannot be written to ({said})"))
        }
        ErrorCode::SystemIoFailure => StoreError::Database(format!(
            "the operating system could not read or write the database file ({said}, code {})",
            failure.extended_code
        )),
        ErrorCode::DatabaseCorrupt => StoreError::Database(format!("the database file is damaged ({said})")),
        _ => StoreError::Database(said),
    }
}

/// Whether another connection was in the way.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether there is no room left.
pub(super) fn is_full(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Whether, at a commit, it tells that the file can no longer be trusted. After a failed fsync
/// the operating system may have dropped the pages it could not write, so that a second try
/// reports a success that never was.
pub(super) fn is_fatal_at_commit(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt))
}

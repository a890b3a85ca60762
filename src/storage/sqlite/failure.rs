//! What SQLite's errors mean to a caller.

use rusqlite::{Error, ErrorCode, ffi};

use crate::storage::{Said, StoreError};

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match &error {
            Error::SqliteFailure(failure, message) => {
                let said = message.clone().unwrap_or_else(|| failure.to_string());
                from_code(&error, *failure, &said)
            }
            // Binding: the value is at fault.
            Error::ToSqlConversionFailure(_) | Error::NulError(_) => Self::Data(error.to_string().into()),
            // Reading: something else wrote to the table, or the file is damaged.
            _ => {
                let message = format!("the database answered in an unexpected way: {error}");
                Self::Database(Said::by(&error, message, None))
            }
        }
    }
}

fn from_code(error: &Error, failure: ffi::Error, said: &str) -> StoreError {
    let as_it_is = || Said::by(error, said, Some(failure.extended_code.to_string()));
    let told = |message: String| StoreError::Database(Said { message, ..as_it_is() });
    match failure.code {
        // Only the tables of templates have foreign keys: the template went away meanwhile.
        _ if failure.extended_code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::TemplateGone,
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => StoreError::Data(as_it_is()),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Conflict(as_it_is()),
        ErrorCode::DiskFull => told(format!(
            "the disk that holds the database file is full ({said}); nothing of this transaction was stored"
        )),
        ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_WRITE => told(format!(
            "the operating system refused to write to the database file ({said}, code {}); nothing of this transaction was \
             stored. Its file system may only be read, or files may not grow so large",
            failure.extended_code
        )),
        ErrorCode::ReadOnly => told(format!("the database file, or its folder, cannot be written to ({said})")),
        ErrorCode::SystemIoFailure => told(format!(
            "the operating system could not read or write the database file ({said}, code {})",
            failure.extended_code
        )),
        ErrorCode::DatabaseCorrupt => told(format!("the database file is damaged ({said})")),
        _ => StoreError::Database(as_it_is()),
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

/// Whether the operating system refused to write, as where a file may not grow any more.
pub(super) fn is_refused_write(error: &Error) -> bool {
    matches!(error, Error::SqliteFailure(failure, _) if failure.extended_code == ffi::SQLITE_IOERR_WRITE)
}

/// Whether, at a commit, it tells that the file can no longer be trusted. After a failed fsync
/// the operating system may have dropped the pages it could not write, so that a second try
/// reports a success that never was. A write that was refused is none of these: nothing of it stands behind the
/// last commit, and the next transaction writes over it.
pub(super) fn is_fatal_at_commit(error: &Error) -> bool {
    !is_refused_write(error)
        && matches!(error.sqlite_error_code(), Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt))
}

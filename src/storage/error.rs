//! What can go wrong with a store.

use std::fmt;
use std::time::Duration;

use crate::domain::id::TaskId;
use crate::domain::operation::Refused;
use crate::fault_points::Injected;
use crate::panics::Panic;

/// What a database or its driver said of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// In a sentence.
    pub message: String,
    /// The SQLSTATE of PostgreSQL, the extended result code of SQLite.
    pub code: Option<String>,
    /// The driver's error and what caused it, outermost first.
    pub detail: Option<String>,
}

impl Said {
    /// A failure that has an error of the driver behind it.
    pub fn by(error: &dyn std::error::Error, message: impl Into<String>, code: Option<String>) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
        let mut causes: Vec<String> = causes.collect();
        causes.dedup();
        Self { message: message.into(), code, detail: Some(causes.join(": ")) }
    }
}

impl From<String> for Said {
    fn from(message: String) -> Self {
        Self { message, code: None, detail: None }
    }
}

impl From<&str> for Said {
    fn from(message: &str) -> Self {
        Self::from(message.to_owned())
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A pool that had no connection for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusyPool {
    /// How long the caller waited.
    pub waited: Duration,
    /// The most connections that it may have.
    pub max: u32,
    /// How many were in use when the wait was over.
    pub in_use: u32,
    /// The URL of its database, without a password.
    pub database: String,
}

impl fmt::Display for BusyPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waited, max, in_use, database } = self;
        let which = if in_use < max { format!("{in_use} of {max}") } else { format!("all {max}") };
        write!(
            f,
            "no connection to {database} became free within {:.1} s: {which} of the pool are in use. Make the pool larger \
             (the option pool of the URL), wait longer (acquire_timeout), or ask for less at once",
            waited.as_secs_f64()
        )
    }
}

/// Two of the tasks that are to be created in one go and have the same key, which no other task has.
#[derive(Clone, Debug)]
pub struct Repeated {
    /// The key.
    pub key: String,
    /// Which is the first that has it, counted from 0.
    pub first: usize,
    /// Which is the second.
    pub second: usize,
}

impl fmt::Display for Repeated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, first, second } = self;
        write!(
            f,
            "contexts[{first}] and contexts[{second}] have the same key, {key:?}, and so are one task; leave one of them \
             out, give it a key of its own, or have both be one with on_duplicate: return"
        )
    }
}

/// What can go wrong with a store. Messages never hold a password.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL, an option, or the file it names cannot be used. The message says what to do.
    #[error("{0}")]
    Configuration(String),
    /// The server cannot be reached.
    #[error("{0}")]
    Unreachable(Said),
    /// Every connection of the pool stayed busy for as long as the caller would wait.
    #[error("{0}")]
    PoolTimeout(Box<BusyPool>),
    /// Two transactions got in each other's way; the whole transaction is to be run again.
    #[error("the transaction met another one: {0}")]
    Conflict(Said),
    /// The connection was lost; whether a commit under way happened is not known.
    #[error("the connection to the database was lost: {0}")]
    Disconnected(Said),
    /// A value cannot be stored, whatever is tried: the payload is at fault, not the database.
    #[error("the database refused a value: {0}")]
    Data(Said),
    /// The database failed in another way, such as a full disk or a missing permission.
    #[error("{0}")]
    Database(Said),
    /// The key belongs to another task.
    #[error("the key {key:?} belongs to the task {existing}")]
    Duplicate {
        /// The key.
        key: String,
        /// Who has it.
        existing: TaskId,
    },
    /// Two of the tasks that are to be created in one go have the same key, which no other task has.
    #[error("{0}")]
    Repeated(Box<Repeated>),
    /// This process's session was swept by another: its leases belong to others now.
    #[error("this session was ended by another process because it was not renewed in time")]
    SessionLost,
    /// A template version was replaced before any task used it; look it up again.
    #[error("another registration replaced this template version before any task used it; register it again")]
    TemplateGone,
    /// The state of a task or step does not allow an operation.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A fault of this library; whether a commit under way happened is not known.
    #[error(transparent)]
    Fault(#[from] Panic),
}

/// PostgreSQL's code for a transaction that may not write.
const READ_ONLY: &str = "25006";

impl StoreError {
    /// The same as a conflict, where PostgreSQL found a row there already that was to be written: for who knows that
    /// somebody else may write the same rows. Another try finds them.
    pub fn or_conflict(self) -> Self {
        match self {
            Self::Database(said) if said.code.as_deref() == Some("23505") => Self::Conflict(said),
            other => other,
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::PoolTimeout(_) | Self::Conflict(_) | Self::Disconnected(_))
    }

    /// Whether the server refused to write at all, now and on this connection.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Unreachable(said) if said.code.as_deref() == Some(READ_ONLY))
    }

    /// Whether what failed may have been committed, though no answer tells.
    pub fn is_doubtful(&self) -> bool {
        matches!(self, Self::Disconnected(_) | Self::Fault(_))
    }
}

impl From<Injected> for StoreError {
    fn from(injected: Injected) -> Self {
        Self::Disconnected(injected.to_string().into())
    }
}

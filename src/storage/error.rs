//! What can go wrong with a store.

use crate::domain::id::TaskId;

/// What can go wrong with a store. Messages never hold a password.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL, an option, or the file it names cannot be used. The message says what to do.
    #[error("{0}")]
    Configuration(String),
    /// The server cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// Every connection of the pool stayed busy for as long as the caller would wait.
    #[error("no connection became free within {waited:.1} s: all {max} of the pool are in use")]
    PoolTimeout {
        /// How long the caller waited, in seconds.
        waited: f64,
        /// The size of the pool.
        max: u32,
    },
    /// Two transactions got in each other's way; the whole transaction is to be run again.
    #[error("the transaction met another one: {0}")]
    Conflict(String),
    /// The connection was lost; whether a commit under way happened is not known.
    #[error("the connection to the database was lost: {0}")]
    Disconnected(String),
    /// A value cannot be stored, whatever is tried: the payload is at fault, not the database.
    #[error("the database refused a value: {0}")]
    Data(String),
    /// The database failed in another way, such as a full disk or a missing permission.
    #[error("{0}")]
    Database(String),
    /// The key belongs to another task.
    #[error("the key {key:?} belongs to the task {existing}")]
    Duplicate {
        /// The key.
        key: String,
        /// Who has it.
        existing: TaskId,
    },
    /// This process's session was swept by another: its leases belong to others now.
    #[error("this session was ended by another process because it was not renewed in time")]
    SessionLost,
    /// A template version was replaced before any task used it; look it up again.
    #[error("another registration replaced this template version before any task used it; register it again")]
    TemplateGone,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::PoolTimeout { .. } | Self::Conflict(_) | Self::Disconnected(_))
    }
}

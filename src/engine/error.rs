//! What can go wrong with a call of the engine, as every host language tells its users.

use crate::domain::fault::{Fault, Faults};
use crate::domain::id::TaskId;
use crate::storage::StoreError;

/// The result of a call of the engine.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// What can go wrong with a call of the engine. An adapter maps each variant to one error class.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// A URL, an option or a file cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// An input is wrong; nothing was changed.
    #[error(transparent)]
    Validation(#[from] Faults),
    /// What was asked for does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The key belongs to another task.
    #[error("a task with the key {key:?} exists already: {existing}")]
    Duplicate {
        /// The key.
        key: String,
        /// The task that has it.
        existing: TaskId,
    },
    /// The handle outlived its ttl.
    #[error("{0}")]
    HandleExpired(String),
    /// The handle was closed.
    #[error("the handle is closed; open another one")]
    HandleClosed,
    /// The database failed.
    #[error("{message}")]
    Database {
        /// What it said.
        message: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// Every connection stayed busy.
    #[error("{0}")]
    PoolTimeout(String),
    /// A wait came to its end without what it waited for.
    #[error("{0}")]
    Timeout(String),
    /// A fault of this library.
    #[error("{0}")]
    Internal(String),
}

impl From<Fault> for EngineError {
    fn from(fault: Fault) -> Self {
        Self::Validation(fault.into())
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        let retryable = error.is_retryable();
        match error {
            StoreError::Configuration(message) => Self::Configuration(message),
            StoreError::PoolTimeout { .. } => Self::PoolTimeout(error.to_string()),
            StoreError::Duplicate { key, existing } => Self::Duplicate { key, existing },
            StoreError::Closed => Self::HandleClosed,
            StoreError::TemplateGone
            | StoreError::Unreachable(_)
            | StoreError::Conflict(_)
            | StoreError::Disconnected(_)
            | StoreError::Data(_)
            | StoreError::Database(_)
            | StoreError::SessionLost => Self::Database { message: error.to_string(), retryable },
        }
    }
}

//! What can go wrong with a call of the engine, as every host language tells its users.

use std::time::Duration;

use uuid::Uuid;

use crate::domain::fault::{Fault, Faults};
use crate::domain::id::TaskId;
use crate::domain::operation::Refused;
use crate::fault_points::Injected;
use crate::panics::Panic;
use crate::storage::{BusyPool, Repeated, Said, StoreError};
use crate::troubles::Trouble;

/// The result of a call of the engine.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// What can go wrong with a call of the engine. An adapter maps each variant to one error class,
/// which has what the variant holds.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// A URL, an option or a file cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// An input is wrong; nothing was changed.
    #[error(transparent)]
    Validation(#[from] Faults),
    /// What was asked for does not exist.
    #[error("{message}")]
    NotFound {
        /// What kind of thing it is.
        kind: Missing,
        /// Its id or name.
        name: String,
        /// Where it was looked for, and what there is instead.
        message: String,
    },
    /// The key belongs to another task.
    #[error("a task with the key {key:?} exists already: {existing}")]
    Duplicate {
        /// The key.
        key: String,
        /// The task that has it.
        existing: TaskId,
    },
    /// Two of the tasks that are to be created in one go have the same key, which no other task has.
    #[error("{0}")]
    Repeated(Box<Repeated>),
    /// The state of a task or step does not allow what was asked.
    #[error("{0}")]
    StateTransition(Box<Refused>),
    /// The handle outlived its ttl.
    #[error(
        "the handle {id} expired: it is {:.1} s old and its ttl is {} s; call refresh for a new one",
        age.as_secs_f64(),
        ttl.as_secs_f64()
    )]
    HandleExpired {
        /// The handle's id.
        id: Uuid,
        /// How old it is.
        age: Duration,
        /// How old it may be.
        ttl: Duration,
    },
    /// The handle was closed.
    #[error("the handle is closed; open another one")]
    HandleClosed,
    /// The database failed.
    #[error("{said}")]
    Database {
        /// What it said.
        said: Said,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// Every connection stayed busy.
    #[error("{0}")]
    PoolTimeout(Box<BusyPool>),
    /// A task had not ended when the wait for it came to its end.
    #[error("the task {task} had not ended after {} s", limit.as_secs_f64())]
    Timeout {
        /// The task.
        task: TaskId,
        /// How long the wait was to be.
        limit: Duration,
    },
    /// A fault of this library.
    #[error("{message}")]
    Internal {
        /// What happened.
        message: String,
        /// File, line and column of the source, where they are known.
        place: Option<String>,
    },
}

/// What may be asked for and not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A task.
    Task,
    /// A template, by its name.
    Template,
    /// A version of a template.
    Version,
    /// A step of a task.
    Step,
}

impl Missing {
    /// What people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Template => "template",
            Self::Version => "version",
            Self::Step => "step",
        }
    }
}

impl EngineError {
    /// A fault of this library that was noticed in time.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal { message: message.into(), place: None }
    }

    /// Something does not exist.
    pub fn not_found(kind: Missing, name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::NotFound { kind, name: name.into(), message: message.into() }
    }
}

impl From<Fault> for EngineError {
    fn from(fault: Fault) -> Self {
        Self::Validation(fault.into())
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        let retryable = error.is_retryable();
        let message = error.to_string();
        match error {
            StoreError::Configuration(message) => Self::Configuration(message),
            StoreError::PoolTimeout(pool) => Self::PoolTimeout(pool),
            StoreError::Duplicate { key, existing } => Self::Duplicate { key, existing },
            StoreError::Repeated(repeated) => Self::Repeated(repeated),
            StoreError::Refused(refused) => Self::StateTransition(refused),
            StoreError::Closed => Self::HandleClosed,
            StoreError::Fault(panic) => panic.into(),
            StoreError::Unreachable(said)
            | StoreError::Conflict(said)
            | StoreError::Disconnected(said)
            | StoreError::Data(said)
            | StoreError::Database(said) => Self::Database { said: Said { message, ..said }, retryable },
            StoreError::TemplateGone | StoreError::SessionLost => Self::Database { said: message.into(), retryable },
        }
    }
}

impl From<Panic> for EngineError {
    fn from(panic: Panic) -> Self {
        Self::Internal { message: panic.to_string(), place: panic.place }
    }
}

impl From<Injected> for EngineError {
    fn from(injected: Injected) -> Self {
        Self::internal(injected.to_string())
    }
}

impl From<Trouble> for EngineError {
    fn from(trouble: Trouble) -> Self {
        let message = trouble.to_string();
        match trouble {
            Trouble::Hindrance(_) => Self::Database { said: message.into(), retryable: true },
            Trouble::Fault { panic, .. } => Self::Internal { message, place: panic.place },
        }
    }
}

//! What operations by hand find and make of a task and its steps.

use crate::domain::id::{StepKey, TaskId, Token};
use crate::domain::json::Json;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;

/// A task under its row's lock.
#[derive(Clone, Debug)]
pub struct HeldTask {
    /// Its state.
    pub state: TaskState,
    /// The place of its last transition in its history.
    pub seq: i32,
    /// When its first step was claimed.
    pub started_at: Option<Timestamp>,
    /// Not before this moment.
    pub run_at: Option<Timestamp>,
    /// The error it keeps.
    pub error: Option<Json>,
}

/// What an operation by hand makes of a task; see [`crate::storage::Tx::place_task`].
#[derive(Clone, Debug)]
pub struct TaskPlacement {
    /// The task.
    pub id: TaskId,
    /// Its state.
    pub state: TaskState,
    /// How many of its steps are ready, held or waiting for a time.
    pub live: i32,
    /// How many of its steps are in error.
    pub failed: i32,
    /// The place of its last transition in its history.
    pub seq: i32,
    /// How many times it was started.
    pub run: i32,
    /// Its own priority.
    pub priority: Option<i16>,
    /// Its own queue.
    pub queue: Option<String>,
    /// The error it keeps.
    pub error: Option<Json>,
    /// Whether it counts as started, now if not before.
    pub started: bool,
}

/// What an operation by hand makes of a step that it moves; see [`crate::storage::Tx::place_steps`].
#[derive(Clone, Debug)]
pub struct StepPlacement {
    /// The step.
    pub key: StepKey,
    /// Its stored state.
    pub state: StepState,
    /// Its next token.
    pub token: Token,
    /// Attempts used.
    pub attempts: u16,
    /// Crashes counted.
    pub crashes: u16,
    /// What it waits for.
    pub waiting: i32,
    /// Its result.
    pub result: Option<Json>,
    /// Whether nothing is left of its earlier attempts: no error, no checkpoint, no times.
    pub fresh: bool,
    /// Whether a decision skips it.
    pub bypassed: bool,
}

/// What an unmoved step waits for after an operation by hand.
#[derive(Clone, Copy, Debug)]
pub struct StepWait {
    /// The step.
    pub key: StepKey,
    /// What it waits for.
    pub waiting: i32,
    /// Whether its holder does not know its task's queue and priority any more.
    pub stale: bool,
}

/// The last transition of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastTransition {
    /// The step.
    pub key: StepKey,
    /// Its place in the step's history.
    pub seq: i32,
    /// The state it led to.
    pub to: StepState,
}

impl LastTransition {
    /// The first token that the step had not had when this was recorded.
    pub fn next_token(&self) -> Token {
        Token(self.seq / 2 + 1)
    }
}

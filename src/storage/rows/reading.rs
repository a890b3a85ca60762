//! What people look at: a task and its steps as they are stored.

use crate::domain::id::{RevisionId, StepIndex, TaskId, Token};
use crate::domain::json::Json;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;

/// A stored task.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// Its id.
    pub id: TaskId,
    /// Its template's namespace.
    pub namespace: String,
    /// Its template's name.
    pub name: String,
    /// Its template's version.
    pub version: String,
    /// Its settings.
    pub revision: RevisionId,
    /// Its state.
    pub state: TaskState,
    /// The caller's key.
    pub key: Option<String>,
    /// Its own priority.
    pub priority: Option<i16>,
    /// Its own queue.
    pub queue: Option<String>,
    /// Free words to find it by.
    pub tags: Vec<String>,
    /// Who asked for it.
    pub initiator: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Not before this moment.
    pub run_at: Option<Timestamp>,
    /// Its input.
    pub context: Json,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its first step was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The first final failure of one of its steps: an object with step, class, message and more.
    pub error: Option<Json>,
}

/// A stored step.
#[derive(Clone, Debug)]
pub struct StepRow {
    /// Its index in the task.
    pub index: StepIndex,
    /// Its state; in_progress when a receipt names it.
    pub state: StepState,
    /// Attempts used; one under way is counted. That a list's results are being put together is none.
    pub attempts: u16,
    /// Crashes counted.
    pub crashes: u16,
    /// Unfinished parents.
    pub waiting: i32,
    /// Its token.
    pub token: Token,
    /// Its result.
    pub result: Option<Json>,
    /// Its last error.
    pub error: Option<Json>,
    /// When its last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it will be tried again.
    pub next_retry_at: Option<Timestamp>,
    /// What its handler saved last.
    pub checkpoint: Option<Json>,
    /// Of a decision that is done, the indexes of the branches that it chose.
    pub route: Option<Vec<StepIndex>>,
    /// Whether it was skipped by a decision.
    pub bypassed: bool,
    /// Of an item's step, the item.
    pub item: Option<Json>,
    /// How many items its list has, once it has made one.
    pub items: Option<u32>,
}

/// How far a step has come: a [`StepRow`] without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepProgress {
    /// Its index in the task.
    pub index: StepIndex,
    /// Its state; in_progress when a receipt names it.
    pub state: StepState,
    /// Attempts used; one under way is counted.
    pub attempts: u16,
    /// When the last attempt that ended had begun.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it will be tried again.
    pub next_retry_at: Option<Timestamp>,
    /// How many items its list has, once it has made one.
    pub items: Option<u32>,
}

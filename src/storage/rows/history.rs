//! The record of what happened to tasks and steps.

use super::Hold;
use crate::domain::id::{RevisionId, SessionId, StepIndex, StepKey, TaskId, Token};
use crate::domain::json::Json;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;

/// A transition of a step to record.
#[derive(Clone, Debug)]
pub struct StepTransition {
    /// The step.
    pub key: StepKey,
    /// The settings that its task runs by: for those who listen, and not stored.
    pub revision: RevisionId,
    /// Its place in the step's history; see [`Token`].
    pub seq: i32,
    /// Where it was; `None` at creation.
    pub from: Option<StepState>,
    /// Where it is.
    pub to: StepState,
    /// The attempt it belongs to; 0 before the first.
    pub attempt: u16,
    /// The session that did it, where one did.
    pub by: Option<SessionId>,
    /// The claim that it ends. That is stored with it, and until then in the receipt alone.
    pub hold: Option<Hold>,
    /// Error, reason and the like; an object.
    pub detail: Option<Json>,
}

impl StepTransition {
    /// The claim that it ends as it is stored: by whom only where that is not who ended it.
    pub(crate) fn stored_hold(&self) -> (Option<Timestamp>, Option<SessionId>) {
        let by = self.hold.map(|hold| hold.by).filter(|by| self.by != Some(*by));
        (self.hold.map(|hold| hold.since), by)
    }

    /// A step's creation. That of a step of the template is stored with its task.
    pub fn created(key: StepKey, revision: RevisionId) -> Self {
        let seq = Token(0).entered();
        Self { key, revision, seq, from: None, to: StepState::Pending, attempt: 0, by: None, hold: None, detail: None }
    }
}

/// A transition of a task to record.
#[derive(Clone, Debug)]
pub struct TaskTransition {
    /// The task.
    pub id: TaskId,
    /// The settings that it runs by: for those who listen, and not stored.
    pub revision: RevisionId,
    /// Its place in the task's history; 0 is the creation.
    pub seq: i32,
    /// Where it was; `None` at creation.
    pub from: Option<TaskState>,
    /// Where it is.
    pub to: TaskState,
    /// Reason, initiator and the like; an object.
    pub detail: Option<Json>,
}

impl TaskTransition {
    /// A task's creation.
    pub fn created(id: TaskId, revision: RevisionId) -> Self {
        Self { id, revision, seq: 0, from: None, to: TaskState::Pending, detail: None }
    }
}

/// A stored transition of a step, and the claim that it ended.
#[derive(Clone, Debug)]
pub struct StoredTransition {
    /// What it says by itself.
    pub row: HistoryRow,
    /// The claim, which was a transition too.
    pub hold: Option<Hold>,
}

/// A recorded transition, of a task or a step.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    /// The step's index; `None` for the task itself.
    pub index: Option<StepIndex>,
    /// Its place.
    pub seq: i32,
    /// The state before.
    pub from: Option<String>,
    /// The state after.
    pub to: String,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// The attempt, of a step.
    pub attempt: u16,
    /// The session that did it.
    pub by: Option<SessionId>,
    /// Error, reason and the like.
    pub detail: Option<Json>,
}

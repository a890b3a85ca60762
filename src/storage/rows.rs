//! What the primitives of [`super::Tx`] take and give: one struct a kind of row. Here is what tasks are made of, what
//! waits, and how it is settled.
//!
//! * [`holding`]: what sessions hold. [`history`]: the record of what happened.
//! * [`templates`]: versions of templates. [`reading`]: what people look at. [`finding`]: what tasks are listed and found
//!   by. [`items`]: steps that are made while a task runs. [`operations`]: what people do by hand. [`limits`],
//!   [`pauses`]: what holds steps back. [`statistics`]: counts.

mod finding;
mod history;
mod holding;
mod items;
mod limits;
mod operations;
mod pauses;
mod reading;
mod statistics;
mod templates;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::id::{LaneId, NamedTaskId, RevisionId, SessionId, StepKey, TaskId, Token};
use crate::domain::json::Json;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;
pub(super) use finding::MANY;
pub use finding::{AnnotationRow, NewAnnotation, Span, TaskFilter, TermRow};
pub use history::{HistoryRow, StepTransition, StoredTransition, TaskTransition};
pub use holding::{HeldNow, Hold, NewReceipt, Receipt};
pub use items::{ExpandedStep, NewItems};
pub use limits::{Parked, Slot};
pub use operations::{HeldTask, LastTransition, StepPlacement, StepWait, TaskPlacement};
pub use pauses::QueuePause;
pub use reading::{StepProgress, StepRow, TaskRow};
pub use statistics::{Backlog, Census, EndedTask, StoreFacts, Window};
pub use templates::{LaneRow, NamedTaskRow, NewNamedTask, RevisionRow, VersionRow};

/// A task to insert.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// The template version it runs.
    pub named_task: NamedTaskId,
    /// The settings it was created with.
    pub revision: RevisionId,
    /// Its first state.
    pub state: TaskState,
    /// How many of its steps are ready, held or waiting for a time.
    pub live: i32,
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
    /// What its handlers are given beside it, an object.
    pub headers: Option<Json>,
    /// For each of its steps by index, how many parents it has.
    pub waiting: Arc<[i32]>,
}

impl NewTask {
    /// A pending task with a fresh id and nothing but what it needs; its steps are left to say.
    pub fn new(named_task: NamedTaskId, revision: RevisionId, context: Json) -> Self {
        Self {
            id: TaskId::generate(),
            named_task,
            revision,
            state: TaskState::Pending,
            live: 0,
            key: None,
            priority: None,
            queue: None,
            tags: Vec::new(),
            initiator: None,
            reason: None,
            run_at: None,
            context,
            headers: None,
            waiting: Arc::default(),
        }
    }
}

/// A key to take for a task.
#[derive(Clone, Debug)]
pub struct KeyRow {
    /// The namespace in which the key is unique, together with `name`.
    pub namespace: String,
    /// The template's name.
    pub name: String,
    /// The key.
    pub key: String,
    /// Who takes it.
    pub task: TaskId,
}

/// A claimable step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyRow {
    /// Who may claim it.
    pub lane: LaneId,
    /// Higher goes first.
    pub priority: i16,
    /// The step.
    pub key: StepKey,
    /// Its token.
    pub token: Token,
    /// How many attempts it has used.
    pub attempts: u16,
    /// Its stored state: pending or waiting_for_retry.
    pub state: StepState,
}

/// A step that was claimed out of those that are ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenRow {
    /// The step.
    pub row: ReadyRow,
    /// Since when it was ready, where that is known.
    pub ready_at: Option<Timestamp>,
}

/// A step that is to become ready at a time.
#[derive(Clone, Debug)]
pub struct TimerRow {
    /// When.
    pub due: Timestamp,
    /// Why it waits.
    pub kind: TimerKind,
    /// What becomes ready.
    pub ready: ReadyRow,
}

/// Why a step waits for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimerKind {
    /// Its last attempt failed.
    Retry,
    /// Its task is not to run before `run_at`.
    Start,
}

impl TimerKind {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Start => "start",
        }
    }
}

/// Where [`super::Tx::take_ready`] starts to look in a lane: at `from`, inclusive, or at its
/// beginning.
#[derive(Clone, Copy, Debug)]
pub struct LaneCursor {
    /// The lane.
    pub lane: LaneId,
    /// (priority, step) of the last row taken: nothing before it, in claim order, is looked at.
    pub from: Option<(i16, StepKey)>,
}

/// What a task says to every one of its steps.
#[derive(Clone, Debug)]
pub struct TaskHead {
    /// The task.
    pub id: TaskId,
    /// Its template version.
    pub named_task: NamedTaskId,
    /// Its settings.
    pub revision: RevisionId,
    /// Its own priority.
    pub priority: Option<i16>,
    /// Its own queue.
    pub queue: Option<String>,
    /// How many times it was started: a restart begins the next run.
    pub run: i32,
    /// Its input.
    pub context: Json,
    /// What its handlers are given beside it, an object.
    pub headers: Option<Json>,
}

/// A step as [`super::Tx::lock_steps`] found it.
#[derive(Clone, Copy, Debug)]
pub struct HeldStep {
    /// The step.
    pub key: StepKey,
    /// Its stored state (never in_progress).
    pub state: StepState,
    /// Its token.
    pub token: Token,
    /// Attempts used.
    pub attempts: u16,
    /// Crashes counted.
    pub crashes: u16,
}

/// How a held step leaves its holder's hands, or how it is moved by hand.
#[derive(Clone, Debug)]
pub struct StepMove {
    /// The step.
    pub key: StepKey,
    /// The token that it must have.
    pub token: Token,
    /// Its next stored state.
    pub to: StepState,
    /// Attempts used from now on.
    pub attempts: u16,
    /// Crashes to add.
    pub crashed: u16,
    /// Its result, when it has one now.
    pub result: Option<Json>,
    /// Its last error, when it has a new one; an old one is kept otherwise.
    pub error: Option<Json>,
    /// When the attempt that ends with this move began; an old value is kept when `None`.
    pub started_at: Option<Timestamp>,
    /// When it will be tried again, when it will.
    pub next_retry_at: Option<Timestamp>,
    /// Who settles it, where the row says all that there is to say: then no transition is recorded, until
    /// [`super::Tx::write_down`] is asked for it.
    pub settled_by: Option<SessionId>,
}

/// What a handler saves for its step's next attempt.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The step.
    pub key: StepKey,
    /// The token that it must have.
    pub token: Token,
    /// What is saved.
    pub value: Json,
}

/// A step that [`super::Tx::settle_steps`] moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettledStep {
    /// The step.
    pub key: StepKey,
    /// Whether its task is paused, so that it is not to be queued.
    pub parked: bool,
    /// Whether its task's queue or priority was changed while it was held.
    pub stale: bool,
}

/// A child that waits for nothing any more.
#[derive(Clone, Copy, Debug)]
pub struct ReleasedStep {
    /// The step.
    pub key: StepKey,
    /// Its token.
    pub token: Token,
}

/// What a transaction does to a task.
///
/// `live` counts the steps that are ready, held or waiting for a time. A task whose count comes to
/// zero has nothing left that could run: it is finished, or stalled when a step failed.
#[derive(Clone, Debug)]
pub struct TaskTouch {
    /// The task.
    pub id: TaskId,
    /// Whether a step of it was claimed.
    pub start: bool,
    /// What to add to its count of live steps.
    pub live: i32,
    /// What to add to its count of failed steps.
    pub failed: i32,
    /// The error to keep for the task, unless it keeps one already.
    pub error: Option<Json>,
}

/// A task whose state moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskMoved {
    /// The task.
    pub id: TaskId,
    /// Where it was.
    pub from: TaskState,
    /// Where it is.
    pub to: TaskState,
    /// The place of this transition in its history.
    pub seq: i32,
}

/// A row of the outbox: a task that an application asked for within a transaction of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The task's id to be.
    pub id: TaskId,
    /// What is asked for, as text.
    pub task: String,
    /// How often it was tried.
    pub attempts: i32,
}

/// Why no task can be made of a row of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRefusal {
    /// The row.
    pub id: TaskId,
    /// Why.
    pub error: String,
    /// How long it is left alone.
    pub rest: Duration,
}

/// What there is to wait for in some lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Whether a step is ready.
    pub ready: bool,
    /// Whether a session holds a step.
    pub held: bool,
    /// Whether a step waits for a retry (a later `run_at` does not count).
    pub retrying: bool,
    /// Whether a step waits because as many run as its limit allows.
    pub parked: bool,
    /// Whether any queue is paused.
    pub paused: bool,
    /// Whether a row of the outbox is due.
    pub outbox: bool,
    /// How long until the next timer of any kind and any lane is due, in microseconds; 0 when it
    /// is overdue.
    pub next_due_us: Option<u64>,
}

//! What the primitives of [`super::Tx`] take and give: one struct a kind of row. `finding` has what tasks are
//! listed and found by.

mod finding;

use std::sync::Arc;

use crate::domain::id::{LaneId, NamedTaskId, ReceiptId, RevisionId, SessionId, StepIndex, StepKey, TaskId, Token};
use crate::domain::json::Json;
use crate::domain::limit::LimitKey;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;
pub(super) use finding::MANY;
pub use finding::{AnnotationRow, NewAnnotation, Span, TaskFilter, TermRow};

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
}

impl NewTask {
    /// A pending task with a fresh id and nothing but what it needs.
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
        }
    }
}

/// The steps of one task to insert.
#[derive(Clone, Debug)]
pub struct NewSteps {
    /// The task.
    pub task: TaskId,
    /// For each step by index, how many parents it has.
    pub waiting: Arc<[i32]>,
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

/// Which steps a session holds.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Made by the claimer.
    pub id: ReceiptId,
    /// The holder.
    pub session: SessionId,
    /// The lanes of its steps, each once.
    pub lanes: Vec<LaneId>,
    /// The steps as they were claimed.
    pub steps: Vec<ReadyRow>,
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

/// What an operation by hand makes of a task; see [`super::Tx::place_task`].
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

/// What an operation by hand makes of a step that it moves; see [`super::Tx::place_steps`].
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

/// The items of a group to insert, each as a step.
#[derive(Clone, Debug)]
pub struct NewItems {
    /// The group.
    pub group: StepKey,
    /// The index of the first item's step; the others follow.
    pub first: StepIndex,
    /// What each step waits for: 1 where the task is paused, else nothing.
    pub waiting: i32,
    /// The items in their order, each with the first token of its step.
    pub items: Vec<(Json, Token)>,
}

impl NewItems {
    /// The steps with their places in the list, items and tokens.
    pub fn steps(&self) -> impl Iterator<Item = (StepKey, StepIndex, &Json, Token)> {
        (0..).zip(&self.items).map(|(position, (item, token))| {
            (StepKey { task: self.group.task, index: self.first + position }, position, item, *token)
        })
    }
}

/// A group whose list was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpandedStep {
    /// The group.
    pub key: StepKey,
    /// How many items its list has.
    pub items: u32,
    /// Attempts used: by making the list.
    pub attempts: u16,
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
    /// Error, reason and the like; an object.
    pub detail: Option<Json>,
}

impl StepTransition {
    /// A step's creation.
    pub fn created(key: StepKey, revision: RevisionId) -> Self {
        let seq = Token(0).entered();
        Self { key, revision, seq, from: None, to: StepState::Pending, attempt: 0, by: None, detail: None }
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

/// A template version to store.
#[derive(Clone, Debug)]
pub struct NewNamedTask {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What the version fixes once a task uses it.
    pub fixed: Json,
    /// Names of its steps by index.
    pub steps: Vec<String>,
    /// (parent, child) pairs.
    pub edges: Vec<(StepIndex, StepIndex)>,
}

/// A stored template version.
#[derive(Clone, Debug)]
pub struct NamedTaskRow {
    /// Its id.
    pub id: NamedTaskId,
    /// What the version fixes.
    pub fixed: Json,
    /// Its latest settings.
    pub latest: Option<(RevisionId, Json)>,
}

/// One stored version of a template name.
#[derive(Clone, Debug)]
pub struct VersionRow {
    /// Its id.
    pub id: NamedTaskId,
    /// The version.
    pub version: String,
    /// Its latest settings.
    pub revision: RevisionId,
}

/// A stored revision.
#[derive(Clone, Debug)]
pub struct RevisionRow {
    /// Its id.
    pub id: RevisionId,
    /// The template version it belongs to.
    pub named_task: NamedTaskId,
    /// The normalised template.
    pub template: Json,
}

/// A stored lane.
#[derive(Clone, Debug)]
pub struct LaneRow {
    /// Its id.
    pub id: LaneId,
    /// The template version.
    pub named_task: NamedTaskId,
    /// The queue.
    pub queue: String,
}

/// A running attempt of a step that has a limit.
#[derive(Clone, Debug)]
pub struct Slot {
    /// What it counts for.
    pub key: LimitKey,
    /// The step.
    pub step: StepKey,
    /// The token under which it is held: the slot counts as long as the step has it.
    pub token: Token,
}

/// A claimable step that waits because as many run as its limit allows.
#[derive(Clone, Debug)]
pub struct Parked {
    /// What it waits for.
    pub key: LimitKey,
    /// How many may run at once.
    pub running: usize,
    /// What becomes claimable again.
    pub ready: ReadyRow,
}

/// A queue of which nothing is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePause {
    /// The queue.
    pub queue: String,
    /// Of the templates of this namespace; of all where `None`.
    pub namespace: Option<String>,
    /// Since when.
    pub at: Timestamp,
    /// Who paused it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl QueuePause {
    /// Whether it pauses a queue of the templates of a namespace.
    pub fn covers(&self, queue: &str, namespace: &str) -> bool {
        self.queue == queue && self.namespace.as_deref().is_none_or(|own| own == namespace)
    }
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
    /// How long until the next timer of any kind and any lane is due, in microseconds; 0 when it
    /// is overdue.
    pub next_due_us: Option<u64>,
}

/// What a store's pool looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFacts {
    /// `sqlite` or `postgres`.
    pub backend: &'static str,
    /// How many connections are open.
    pub size: u32,
    /// How many of them nobody uses.
    pub idle: u32,
    /// How many connections there may be.
    pub max: u32,
}

/// What there is, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Tasks by state, in the order of [`TaskState::ALL`].
    pub tasks: [u64; TaskState::ALL.len()],
    /// Steps that may be claimed.
    pub ready: u64,
    /// Since when the one of them that has waited the longest is ready, where that is known.
    pub ready_since: Option<Timestamp>,
    /// Steps that wait for a retry.
    pub retrying: u64,
    /// Steps that wait for their task's time.
    pub scheduled: u64,
    /// Steps that sessions hold.
    pub held: u64,
    /// Steps that sessions hold which are past their end.
    pub expired: u64,
    /// Sessions that are not.
    pub sessions: u64,
}

impl Census {
    /// Makes the tasks that are complete those that ended in no other way.
    pub(super) fn rest_is_complete(&mut self, ended: u64) {
        let others: u64 = [TaskState::Error, TaskState::Cancelled, TaskState::ResolvedManually]
            .iter()
            .map(|&state| self.tasks[state as usize])
            .sum();
        self.tasks[TaskState::Complete as usize] = ended.saturating_sub(others);
    }
}

/// Which ended tasks to sum up.
#[derive(Clone, Debug)]
pub struct Window {
    /// Those that ended at this moment or later.
    pub since: Timestamp,
    /// Of this namespace.
    pub namespace: Option<String>,
    /// Of this template name.
    pub name: Option<String>,
}

/// A task that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedTask {
    /// Its id.
    pub id: TaskId,
    /// Its settings.
    pub revision: RevisionId,
    /// How it ended.
    pub state: TaskState,
    /// When it was created.
    pub created_at: Timestamp,
    /// Not before this moment.
    pub run_at: Option<Timestamp>,
    /// When its first step was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Timestamp,
}

//! Where tasks live: one [`Store`] trait, implemented by [`sqlite`] and [`postgres`].
//!
//! The engine writes each of its transactions once, as a [`Transaction`] over the set-based
//! primitives of [`Tx`]; a store says what each primitive means in its SQL and decides nothing.
//! A third store implements the two traits and runs the same conformance suite.
//!
//! * [`rows`]: what the primitives take and give. [`url`]: database URLs and their options.
//! * [`feed`]: what was committed, in order, for whoever listens.
//! * [`AnyStore`]: the store that a URL asks for. [`examination`]: what is there, before anything is opened.
//!
//! **Lock order**, kept by every transaction: session → its receipts → own steps → children by (task, index) →
//! timers → ready rows (skipping locked ones) → tasks by id. Nothing waits for a lock that stands before
//! one it holds. An operation by hand, which takes all steps of a task by key and so stands across that order, gives up
//! at once where another has one, or soon; it waits for the timers and ready rows that it takes, and then locks the task.

mod any;
mod error;
pub mod examination;
pub mod feed;
pub mod postgres;
pub mod rows;
pub mod sqlite;
pub mod url;

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use any::AnyStore;
pub use error::{BusyPool, Repeated, Said, StoreError};

use crate::domain::id::{
    LaneId, NamedTaskId, ReceiptId, RevisionId, SessionId, SessionKey, StepIndex, StepKey, TaskId, Token,
};
use crate::domain::json::Json;
use crate::domain::limit::LimitKey;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;
use crate::fault_point;
use crate::panics::caught;
use crate::troubles::Troubles;
use feed::Feed;
use rows::*;

/// The result of a primitive or a transaction.
pub type Result<T> = std::result::Result<T, StoreError>;

/// One of the engine's transactions: it happens whole or not at all, and may be run again when
/// the database asks for it (a serialization failure, a lost connection).
pub trait Transaction: Send + Sync + 'static {
    /// What it gives back once it is committed.
    type Output: Send + 'static;

    /// Whether it is one statement, which takes no time to speak of: then a database need not make a transaction of it, and
    /// what fails after it is not undone.
    fn is_single(&self) -> bool {
        false
    }

    /// Runs it. An error rolls it back.
    fn run<T: Tx>(&self, tx: &mut T) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// Runs a transaction; a panic in it is an error.
async fn run<X: Transaction>(transaction: &X, tx: &mut impl Tx) -> Result<X::Output> {
    let work = async {
        fault_point!(Transaction);
        transaction.run(tx).await
    };
    caught(work).await?
}

/// A database that holds tasks.
pub trait Store: Send + Sync + 'static {
    /// Runs `transaction` and commits it durably. Serialization failures and deadlocks are tried
    /// again; so is a connection lost on the way, with [`Tx::resent`] telling the transaction that
    /// an earlier try may have been committed.
    fn write<X: Transaction>(&self, transaction: X) -> impl Future<Output = Result<X::Output>> + Send;

    /// Runs a transaction that only reads: on a connection of its own, without a commit.
    fn read<X: Transaction>(&self, transaction: X) -> impl Future<Output = Result<X::Output>> + Send;

    /// Whether transactions that are asked for at once are committed together. Then nothing is gained by making one of
    /// them beforehand.
    fn commits_together(&self) -> bool;

    /// Tells other processes, soon and at most every few milliseconds, that there may be work.
    fn announce(&self);

    /// Changes whenever another process may have made work ready or ended a task. A hint: what
    /// decides is the next look at the database.
    fn wakeups(&self) -> watch::Receiver<u64>;

    /// What went wrong in the background, to be shown to people.
    fn troubles(&self) -> &Troubles;

    /// Where every transition that this store commits is told, in order.
    fn feed(&self) -> &Arc<Feed>;

    /// What the pool looks like now. Takes no lock, so that a forked child may ask its parent's store.
    fn facts(&self) -> StoreFacts;

    /// Ends the commit under way, then closes whatever must not be open in two processes, until
    /// [`Store::resume`]. What arrives in between waits. For a fork.
    fn suspend(&self) -> impl Future<Output = ()> + Send;

    /// Goes on after [`Store::suspend`].
    fn resume(&self);

    /// Ends what is under way and releases every connection and file.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// The set-based primitives of an open transaction. Each is one statement or a few on any store.
/// Inputs may be empty, which does nothing. Keyed inputs name each key at most once.
pub trait Tx: Send {
    /// Whether an earlier try of this transaction may have been committed without an answer.
    fn resent(&self) -> bool;

    /// The database's clock, read once in each transaction, and again where a receipt is put: what
    /// is claimed must not seem older than what the transaction had to wait for.
    fn now(&mut self) -> impl Future<Output = Result<Timestamp>> + Send;

    // Sessions.

    /// Starts a session with epoch 0 that expires after `ttl`. `label` is for people.
    fn open_session(
        &mut self,
        session: SessionId,
        label: &str,
        ttl: Duration,
    ) -> impl Future<Output = Result<()>> + Send;
    /// Moves the session's end to `ttl` from now; false when its epoch was raised or it is gone.
    /// One that is past its end but was not yet swept is renewed.
    fn renew_session(&mut self, session: SessionKey, ttl: Duration) -> impl Future<Output = Result<bool>> + Send;
    /// Locks the session so that it cannot be swept until this transaction ends, and deletes those of its receipts that
    /// are `done`; false, and nothing is deleted, when its epoch was raised or it is gone. Does not conflict with itself
    /// in other transactions.
    fn hold_session(&mut self, session: SessionKey, done: &[ReceiptId]) -> impl Future<Output = Result<bool>> + Send;
    /// Locks the session as [`Tx::hold_session`] does, but waits for every other transaction that holds it: what
    /// those did is seen from here on, be it that nobody heard of their ends.
    fn hold_session_alone(&mut self, session: SessionKey) -> impl Future<Output = Result<bool>> + Send;
    /// Raises the epoch of every session that is past its end by the database's clock, skipping
    /// locked ones, and returns them and those raised before that still hold receipts. Others that were raised
    /// before are deleted.
    fn expire_sessions(&mut self) -> impl Future<Output = Result<Vec<SessionId>>> + Send;
    /// Deletes a session that holds no receipts; does nothing to one that does.
    fn delete_session(&mut self, session: SessionId) -> impl Future<Output = Result<()>> + Send;

    // Receipts: which session holds which steps.

    /// Records that a session holds these steps, and says since when.
    fn put_receipt(&mut self, receipt: &NewReceipt) -> impl Future<Output = Result<Timestamp>> + Send;
    /// The receipt with this id.
    fn find_receipt(&mut self, id: ReceiptId) -> impl Future<Output = Result<Option<Receipt>>> + Send;
    /// Up to `limit` receipts of a session, oldest first, locked.
    fn receipts_of(&mut self, session: SessionId, limit: usize) -> impl Future<Output = Result<Vec<Receipt>>> + Send;
    /// Deletes receipts; those that do not exist are passed over.
    fn drop_receipts(&mut self, ids: &[ReceiptId]) -> impl Future<Output = Result<()>> + Send;

    // Templates.

    /// The stored template version, locked against change until this transaction ends.
    fn lock_named_task(
        &mut self,
        namespace: &str,
        name: &str,
        version: &str,
    ) -> impl Future<Output = Result<Option<NamedTaskRow>>> + Send;
    /// Stores a template version that does not exist; [`StoreError::Conflict`] when it does by now.
    fn insert_named_task(&mut self, new: &NewNamedTask) -> impl Future<Output = Result<NamedTaskId>> + Send;
    /// Deletes a template version with its revisions, lanes, steps and edges.
    fn delete_named_task(&mut self, id: NamedTaskId) -> impl Future<Output = Result<()>> + Send;
    /// Whether any task was ever created from this template version.
    fn is_used(&mut self, id: NamedTaskId) -> impl Future<Output = Result<bool>> + Send;
    /// Stores the settings of one registration; it becomes the version's latest.
    fn insert_revision(&mut self, id: NamedTaskId, template: &Json) -> impl Future<Output = Result<RevisionId>> + Send;
    /// Revisions with their templates.
    fn revisions(&mut self, ids: &[RevisionId]) -> impl Future<Output = Result<Vec<RevisionRow>>> + Send;
    /// Every stored version of a template name, with its latest revision.
    fn versions(&mut self, namespace: &str, name: &str) -> impl Future<Output = Result<Vec<VersionRow>>> + Send;
    /// Up to 1,000 (namespace, name) pairs, to suggest one from.
    fn template_names(&mut self) -> impl Future<Output = Result<Vec<(String, String)>>> + Send;
    /// The lanes of these (template version, queue) pairs, in their order, made where missing.
    fn ensure_lanes(&mut self, wanted: &[(NamedTaskId, String)]) -> impl Future<Output = Result<Vec<LaneId>>> + Send;
    /// Every lane of these template versions.
    fn lanes_of(&mut self, ids: &[NamedTaskId]) -> impl Future<Output = Result<Vec<LaneRow>>> + Send;

    /// Says that tasks of this template version can be searched by these paths, beside those said before.
    fn declare_paths(&mut self, id: NamedTaskId, paths: &[String]) -> impl Future<Output = Result<()>> + Send;
    /// Every path by which tasks of the templates that match can be searched.
    fn declared_paths(&mut self, filter: &TaskFilter) -> impl Future<Output = Result<Vec<String>>> + Send;

    // Queues that are paused.

    /// Pauses a queue at the transaction's [`Tx::now`], whatever `pause.at` says; false when it is paused
    /// already, which changes nothing.
    fn pause_queue(&mut self, pause: &QueuePause) -> impl Future<Output = Result<bool>> + Send;
    /// Ends a pause that was made for just this; false when there is none.
    fn resume_queue(&mut self, queue: &str, namespace: Option<&str>) -> impl Future<Output = Result<bool>> + Send;
    /// Every pause, by queue and namespace.
    fn paused_queues(&mut self) -> impl Future<Output = Result<Vec<QueuePause>>> + Send;

    // Creation.

    /// Takes each key for its task where it is free. For each row in order: `None` when it was
    /// taken now, the task that has it otherwise. A key taken earlier in `rows` counts.
    fn take_keys(&mut self, rows: &[KeyRow]) -> impl Future<Output = Result<Vec<Option<TaskId>>>> + Send;
    /// Inserts tasks, created now; their steps, pending, with token 0 and without attempts;
    /// and makes these of the steps claimable. [`StoreError::TemplateGone`] when a template version is gone;
    /// those that are there can't be deleted until this transaction ends.
    fn insert_tasks(&mut self, tasks: &[NewTask], ready: &[ReadyRow]) -> impl Future<Output = Result<()>> + Send;

    /// Has tasks found by these; what is there already stays.
    fn put_terms(&mut self, rows: &[TermRow]) -> impl Future<Output = Result<()>> + Send;

    // The outbox, in a database that applications share. Where none does there is nothing in it.

    /// Locks up to `limit` rows that are due, oldest first, or those of `only`, due or not; skips locked ones.
    fn take_outbox(
        &mut self,
        _only: Option<&[TaskId]>,
        _limit: usize,
    ) -> impl Future<Output = Result<Vec<OutboxRow>>> + Send {
        ready(Ok(Vec::new()))
    }
    /// Deletes rows of which tasks were made.
    fn drop_outbox(&mut self, _ids: &[TaskId]) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }
    /// Keeps why no tasks can be made of rows, and when to try again.
    fn refuse_outbox(&mut self, _rows: &[OutboxRefusal]) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }
    /// Which table the outbox is, among those of all servers; `None` where there is none.
    fn outbox_place(&mut self) -> impl Future<Output = Result<Option<String>>> + Send {
        ready(Ok(None))
    }

    // The queue.

    /// Makes steps claimable.
    fn put_ready(&mut self, rows: &[ReadyRow]) -> impl Future<Output = Result<()>> + Send;
    /// Takes up to `limit` claimable steps from these lanes: higher priority first, then older
    /// tasks; rows that another transaction has locked are skipped. A lane's cursor says where to
    /// start looking.
    fn take_ready(&mut self, lanes: &[LaneCursor], limit: usize) -> impl Future<Output = Result<Vec<TakenRow>>> + Send;
    /// Keeps steps until they are due.
    fn put_timers(&mut self, rows: &[TimerRow]) -> impl Future<Output = Result<()>> + Send;
    /// Takes up to `limit` timers that are due, in any lane, earliest first, skipping locked ones.
    fn take_due(&mut self, limit: usize) -> impl Future<Output = Result<Vec<ReadyRow>>> + Send;
    /// What a claimed step's task says to every one of its steps.
    fn heads(&mut self, ids: &[TaskId]) -> impl Future<Output = Result<Vec<TaskHead>>> + Send;
    /// The results of these steps, of those that have one.
    fn results(&mut self, keys: &[StepKey]) -> impl Future<Output = Result<Vec<(StepKey, Json)>>> + Send;

    /// The checkpoints of these steps, of those that have one.
    fn checkpoints(&mut self, keys: &[StepKey]) -> impl Future<Output = Result<Vec<(StepKey, Json)>>> + Send;

    // Limits.

    /// What the host made of these steps for their limits, of those of which it has.
    fn limit_keys(&mut self, keys: &[StepKey]) -> impl Future<Output = Result<Vec<(StepKey, Json)>>> + Send;
    /// Keeps what the host made of this transaction's own steps for their limits.
    fn keep_limit_keys(&mut self, rows: &[(StepKey, Json)]) -> impl Future<Output = Result<()>> + Send;

    /// Locks these keys until the transaction ends, in their order: who counts them, takes or frees their
    /// slots or parks holds them. After every other lock but those of tasks, and once in a transaction.
    fn lock_limits(&mut self, keys: &[LimitKey]) -> impl Future<Output = Result<()>> + Send;
    /// How many slots of each of these keys are taken, of those that have any. A slot whose step is in
    /// other hands by now is none, and deleted.
    fn count_slots(&mut self, keys: &[LimitKey]) -> impl Future<Output = Result<Vec<(LimitKey, usize)>>> + Send;
    /// Takes slots.
    fn take_slots(&mut self, slots: &[Slot]) -> impl Future<Output = Result<()>> + Send;
    /// Parks steps that were claimable.
    fn park(&mut self, rows: &[Parked]) -> impl Future<Output = Result<()>> + Send;
    /// Takes up to so many parked steps of each key, in the order of claiming. One that an operation has
    /// moved since, or is moving, is not given; one that it has moved is deleted.
    fn unpark(&mut self, keys: &[(LimitKey, usize)]) -> impl Future<Output = Result<Vec<(LimitKey, ReadyRow)>>> + Send;
    /// Up to `limit` keys for which steps are parked though slots are free, with how many are.
    fn open_limits(&mut self, limit: usize) -> impl Future<Output = Result<Vec<(LimitKey, usize)>>> + Send;
    /// Lets go of what locked keys left in the database, where nothing counts for them.
    fn forget_limits(&mut self, keys: &[LimitKey]) -> impl Future<Output = Result<()>> + Send;

    // Settlement.

    /// Keeps the checkpoint of each step whose stored state is unfinished and whose token is the
    /// expected one. Returns the keys of those; the others are late.
    fn save_checkpoints(&mut self, rows: &[Checkpoint]) -> impl Future<Output = Result<Vec<StepKey>>> + Send;

    /// Locks those of these steps that have this token, and returns them as they are. The others, which are in other
    /// hands by now, are not waited for.
    fn lock_steps(&mut self, held: &[(StepKey, Token)]) -> impl Future<Output = Result<Vec<HeldStep>>> + Send;
    /// Moves each step whose stored state is unfinished and whose token is the expected one, and
    /// raises that token by one. Returns those it moved; the others are late.
    fn settle_steps(&mut self, moves: &[StepMove]) -> impl Future<Output = Result<Vec<SettledStep>>> + Send;
    /// Takes finished parents off pending children's counters, under each child's row lock, in key
    /// order. Returns the children that wait for nothing any more.
    fn release_steps(
        &mut self,
        finished_parents: &[(StepKey, i32)],
    ) -> impl Future<Output = Result<Vec<ReleasedStep>>> + Send;
    /// Locks those of these steps that are pending and wait for a parent, in key order, and returns them
    /// as they are.
    fn lock_blocked(&mut self, keys: &[StepKey]) -> impl Future<Output = Result<Vec<HeldStep>>> + Send;
    /// Those of these steps that were skipped by a decision.
    fn bypassed(&mut self, keys: &[StepKey]) -> impl Future<Output = Result<Vec<StepKey>>> + Send;
    /// Skips steps that [`Tx::lock_blocked`] gave, by a decision: each moves to the state `to`, waits for
    /// nothing any more, and its token is raised by one.
    fn bypass_steps(&mut self, keys: &[StepKey], to: StepState) -> impl Future<Output = Result<()>> + Send;
    /// Keeps what decisions chose, each by the indexes of the steps.
    fn keep_routes(&mut self, rows: &[(StepKey, Vec<StepIndex>)]) -> impl Future<Output = Result<()>> + Send;
    /// Inserts the steps of items, pending and without attempts; and has their groups, which
    /// are this transaction's own steps, wait for them.
    fn insert_items(&mut self, rows: &[NewItems]) -> impl Future<Output = Result<()>> + Send;
    /// Those of these steps that made a list.
    fn expanded(&mut self, keys: &[StepKey]) -> impl Future<Output = Result<Vec<ExpandedStep>>> + Send;
    /// The items of these steps, of those that are an item's.
    fn items(&mut self, keys: &[StepKey]) -> impl Future<Output = Result<Vec<(StepKey, Json)>>> + Send;
    /// The last transition of each of these steps, of those that have one, whether or not they exist.
    fn last_transitions(&mut self, keys: &[StepKey]) -> impl Future<Output = Result<Vec<LastTransition>>> + Send;
    /// Changes tasks under their row locks, in id order, and returns those whose state moved. See
    /// [`TaskTouch`].
    fn touch_tasks(
        &mut self,
        touches: &[TaskTouch],
        moves: TaskMoves,
    ) -> impl Future<Output = Result<Vec<TaskMoved>>> + Send;
    /// Records transitions of steps at the transaction's [`Tx::now`].
    fn record_steps(&mut self, rows: &[StepTransition]) -> impl Future<Output = Result<()>> + Send;
    /// Records transitions of tasks at the transaction's [`Tx::now`].
    fn record_tasks(&mut self, rows: &[TaskTransition]) -> impl Future<Output = Result<()>> + Send;
    /// Whether anybody listens to what this transaction commits.
    fn is_heard(&self) -> bool;
    /// Tells whoever listens, once this is committed, of transitions of steps that other rows say: creations (the task's
    /// row), claims (the receipt, then what ends them) and plain successes (the step's row).
    fn tell_steps(&mut self, rows: &[StepTransition]);
    /// Tells of transitions of tasks that other rows say: creations.
    fn tell_tasks(&mut self, rows: &[TaskTransition]);

    // Operations by hand.

    /// Locks every step of a task in key order: [`StoreError::Conflict`] where another transaction has one of
    /// them and keeps it for longer than `patience`, which also bounds every later wait of this transaction
    /// unless it is zero.
    fn lock_steps_of(&mut self, task: TaskId, patience: Duration) -> impl Future<Output = Result<()>> + Send;
    /// Takes a task's steps out of the queue: its timers, these ready rows of it, and what is parked. Waits for whoever is
    /// claiming one of them, whose receipt the next statement then sees.
    fn take_task_out(&mut self, task: TaskId, rows: &[ReadyRow]) -> impl Future<Output = Result<()>> + Send;
    /// Locks a task.
    fn lock_task(&mut self, task: TaskId) -> impl Future<Output = Result<Option<HeldTask>>> + Send;
    /// Records the transition of each of these steps that only its row tells of, before the row is changed or deleted.
    fn write_down(&mut self, keys: &[StepKey]) -> impl Future<Output = Result<()>> + Send;
    /// Writes steps as an operation left them, under the locks of [`Tx::lock_steps_of`]: one that is
    /// finished is so from now on, none waits for a retry, and what decisions said of them is forgotten.
    fn place_steps(&mut self, rows: &[StepPlacement]) -> impl Future<Output = Result<()>> + Send;
    /// Deletes the items of these groups with their steps, under the same locks; the groups have made no
    /// list then.
    fn remove_items(&mut self, groups: &[StepKey]) -> impl Future<Output = Result<()>> + Send;
    /// Writes what steps wait for, under the same locks.
    fn set_waiting(&mut self, rows: &[StepWait]) -> impl Future<Output = Result<()>> + Send;
    /// Writes a task as an operation left it, under the lock of [`Tx::lock_task`]: one that ended did so
    /// now, unless it had, and one that has not has no time of its end.
    fn place_task(&mut self, row: &TaskPlacement) -> impl Future<Output = Result<()>> + Send;

    // Annotations.

    /// Stores an annotation of a task, made now, unless it is there already; `None` when there is no such
    /// task, else when. The task can't be deleted until this transaction ends.
    fn annotate(&mut self, new: &NewAnnotation) -> impl Future<Output = Result<Option<Timestamp>>> + Send;
    /// The annotations of a task, oldest first, of one type or all.
    fn annotations(
        &mut self,
        task: TaskId,
        kind: Option<&str>,
    ) -> impl Future<Output = Result<Vec<AnnotationRow>>> + Send;

    // Looking.

    /// Tasks with these ids, in no order.
    fn tasks(&mut self, ids: &[TaskId]) -> impl Future<Output = Result<Vec<TaskRow>>> + Send;
    /// Up to `limit` tasks that match, newest first, older than `before`.
    fn list_tasks(
        &mut self,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<TaskRow>>> + Send;
    /// How many tasks match.
    fn count_tasks(&mut self, filter: &TaskFilter) -> impl Future<Output = Result<u64>> + Send;
    /// The steps of a task by index.
    fn steps(&mut self, task: TaskId) -> impl Future<Output = Result<Vec<StepRow>>> + Send;
    /// How far the steps of a task have come, by index.
    fn progress(&mut self, task: TaskId) -> impl Future<Output = Result<Vec<StepProgress>>> + Send;
    /// The steps of a task that wait for a slot of their limit.
    fn parked(&mut self, task: TaskId) -> impl Future<Output = Result<Vec<StepIndex>>> + Send;
    /// The stored transitions of a task, oldest first.
    fn task_history(&mut self, task: TaskId) -> impl Future<Output = Result<Vec<HistoryRow>>> + Send;
    /// The stored transitions of a task's steps, by index, oldest first.
    fn step_history(&mut self, task: TaskId) -> impl Future<Output = Result<Vec<StoredTransition>>> + Send;
    /// The steps of a task that are held, by index.
    fn held_now(&mut self, task: TaskId) -> impl Future<Output = Result<Vec<HeldNow>>> + Send;
    /// Those of `ids` that ended or do not exist.
    fn ended(&mut self, ids: &[TaskId]) -> impl Future<Output = Result<Vec<TaskId>>> + Send;
    /// Those of these steps whose token is another one by now, or that do not exist.
    fn superseded(&mut self, held: &[(StepKey, Token)]) -> impl Future<Output = Result<Vec<(StepKey, Token)>>> + Send;
    /// What there is to wait for in these lanes.
    fn outlook(&mut self, lanes: &[LaneId]) -> impl Future<Output = Result<Outlook>> + Send;
    /// How many sessions there are that have not expired.
    fn live_sessions(&mut self) -> impl Future<Output = Result<u64>> + Send;

    // Summing up.

    /// How many tasks are in each state, and what waits, is held and works.
    fn census(&mut self) -> impl Future<Output = Result<Census>> + Send;
    /// How many steps are ready, by queue, in the order of the queues' names.
    fn backlog(&mut self) -> impl Future<Output = Result<Vec<Backlog>>> + Send;
    /// The tasks that ended in this window, in no order.
    fn ended_tasks(&mut self, window: &Window) -> impl Future<Output = Result<Vec<EndedTask>>> + Send;
    /// How far the steps of those tasks came, in no order.
    fn ended_steps(&mut self, window: &Window) -> impl Future<Output = Result<Vec<(TaskId, StepProgress)>>> + Send;

    // Deletion, and what else is done now and then.

    /// Deletes tasks in whatever state, with their steps, histories, keys, ready rows and timers,
    /// and takes them out of every receipt; those that do not exist are passed over. What a worker
    /// reports of them afterwards is late. A template version none of whose tasks is left is not
    /// used any more. Reads the whole of the queue's tables: it is made for tests.
    fn delete_tasks(&mut self, ids: &[TaskId]) -> impl Future<Output = Result<()>> + Send;
    /// Up to `limit` tasks that ended from `from` on and before `before`, in the order in which they did.
    fn ended_between(
        &mut self,
        from: Option<Timestamp>,
        before: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(TaskId, Timestamp)>>> + Send;
    /// Deletes those of these tasks that ended before `before`, with everything that belongs to them;
    /// how many that were. An ended task has nothing in the queue's tables but what receipts say of
    /// steps that were moved by hand, which is late.
    fn purge_tasks(&mut self, ids: &[TaskId], before: Timestamp) -> impl Future<Output = Result<usize>> + Send;
    /// Gives up to `pages` pages of what was deleted back to the file system, where the database has
    /// a file of its own and does not do so by itself; or as many locks of limits that nothing counts for, where
    /// these are stored. Whether there may be more.
    fn give_back_space(&mut self, pages: usize) -> impl Future<Output = Result<bool>> + Send;
    /// Whether nobody began this chore within `every`: then it is begun now, and others pass.
    fn begin_chore(&mut self, name: &str, every: Duration) -> impl Future<Output = Result<bool>> + Send;
}

/// The states to which [`Tx::touch_tasks`] moves a task, as `domain` settled them.
#[derive(Clone, Copy, Debug)]
pub struct TaskMoves {
    /// From pending, at the first claim.
    pub started: TaskState,
    /// From in_progress, when no step is live and none failed.
    pub finished: TaskState,
    /// From in_progress, when no step is live and at least one failed.
    pub stalled: TaskState,
}

//! [`PostgresTx`]: the primitives of [`Tx`], each one statement or a few.
//!
//! | module | primitives |
//! |---|---|
//! | [`sessions`] | sessions and receipts |
//! | [`templates`] | template versions, revisions, lanes |
//! | [`creation`] | keys to take, tasks to insert |
//! | [`queue`] | ready rows and timers, and what a claim needs to know |
//! | [`settlement`] | locks, moves, releases, the rest of tasks, history to record |
//! | [`operations`] | what people do by hand |
//! | [`reading`], [`listing`] | looking |
//! | [`decisions`] | what decisions choose and skip |
//! | [`items`] | steps that are made while a task runs |
//! | [`statistics`] | counting and summing up |
//! | [`deletion`] | tasks that go |
//! | [`chores`] | what is done now and then |
//! | [`pauses`] | paused queues |
//! | [`limits`] | how many run at once |
//!
//! Every statement is a named constant with the plan it counts on, and runs after one of the two
//! beginnings, which leave the planner only loops over index probes.
//!
//! States pass as text and are cast in SQL, so that the driver never asks for the types' numbers.

mod annotations;
mod chores;
mod creation;
mod decisions;
mod deletion;
mod items;
mod limits;
mod listing;
mod operations;
mod pauses;
mod queue;
mod reading;
mod sessions;
mod settlement;
mod statistics;
mod templates;
mod terms;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;

use super::error::{code, store_error};
use super::values::{get, instant};
use crate::domain::id::*;
use crate::domain::json::Json;
use crate::domain::limit::LimitKey;
use crate::domain::state::StepState;
use crate::domain::time::Timestamp;
use crate::fault_point;
use crate::storage::feed::{Feed, Recording};
use crate::storage::rows::*;
use crate::storage::{Result, Said, StoreError, TaskMoves, Tx};

/// A beginning, with settings that end with the transaction, so that they are safe behind a pooler.
///
/// Loops over index probes are the only plans that stay right while a table grows from nothing to
/// millions of rows between two analyzes: a plan that was made and kept while it was small would
/// read all of it. And a compilation would cost more than any statement here.
///
/// Which side a loop probes is still the planner's choice: where it takes a table for nearly empty, as it does of a plan
/// that was made when it was, and of one that a purge has emptied, it would walk the table's index once and look
/// for each row among the values. Statements that probe for values therefore say `id = ANY (ARRAY [w.id])` of the index's
/// first column instead of `id = w.id`: an index serves that only when it is probed, and an index that could give no
/// order for a merge is not walked. It costs 0.3 µs a probe.
macro_rules! begin {
    ($level:literal) => {
        concat!(
            "BEGIN ISOLATION LEVEL ",
            $level,
            "; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
             SET LOCAL jit = off"
        )
    };
}

/// What a task's column `rare` is in the state that this SQL gives: those that only few tasks are in.
macro_rules! rare {
    ($state:literal) => {
        concat!(
            "CASE WHEN ",
            $state,
            " IN ('paused', 'error', 'cancelled', 'resolved_manually') THEN ",
            $state,
            "::tasker_task_state END"
        )
    };
}
use rare;

/// Begins a transaction that writes: each statement sees what was committed before it.
pub(super) const BEGIN: &str = begin!("READ COMMITTED");

/// Begins a transaction that reads: all statements see one state of the database.
pub(super) const BEGIN_READING: &str = begin!("REPEATABLE READ");

const CLOCK: &str = "SELECT clock_timestamp()";

/// A statement with its values.
type Statement = Query<'static, Postgres, PgArguments>;

/// An open transaction.
pub struct PostgresTx {
    transaction: sqlx::Transaction<'static, Postgres>,
    /// Whether statements are prepared by name.
    prepared: bool,
    resent: bool,
    now: Option<Timestamp>,
    clock_offset: Arc<AtomicI64>,
    /// The first failure of a statement: the server refuses to commit after it.
    failed: Option<StoreError>,
    recording: Recording,
}

impl PostgresTx {
    pub(super) fn new(
        transaction: sqlx::Transaction<'static, Postgres>,
        prepared: bool,
        resent: bool,
        clock_offset: Arc<AtomicI64>,
    ) -> Self {
        Self { transaction, prepared, resent, now: None, clock_offset, failed: None, recording: Recording::off() }
    }

    /// Keeps what is recorded for whoever listens to `feed`.
    pub(super) fn record_for(&mut self, feed: &Feed) {
        self.recording = feed.recording();
    }

    /// Commits, and tells `feed` of it. A transaction that is dropped instead is rolled back on its way to the pool, which
    /// nobody waits for.
    ///
    /// # Errors
    /// The failure of an earlier statement, if there was one: the server would answer a commit by
    /// rolling back without a word.
    pub(super) async fn commit(self, feed: &Arc<Feed>) -> Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        fault_point!(PostgresBeforeCommit);
        let place = self.recording.into_batch().map(|batch| feed.stand_in_line(batch));
        let committed = self.transaction.commit().await.map_err(store_error);
        fault_point!(PostgresAfterCommit);
        if let Some(place) = place {
            place.settle(committed.as_ref().copied());
        }
        committed
    }

    /// Rolls back, and waits for it: dropping would leave its locks for a while, over which others
    /// that start after the failure was reported would skip.
    pub(super) async fn roll_back(self) {
        // An error: the connection is gone, and the transaction with it.
        let _ = self.transaction.rollback().await;
    }

    /// Runs a statement and gives back its rows. Every statement goes through here, so that none
    /// forgets how it may be prepared.
    async fn rows(&mut self, statement: Statement) -> Result<Vec<PgRow>> {
        statement.persistent(self.prepared).fetch_all(&mut *self.transaction).await.map_err(|error| {
            let error = match code(&error).as_deref() {
                // An earlier try, still on its way when this one looked for it, was committed by now.
                Some("23505") if self.resent => StoreError::Conflict(Said::by(&error, error.to_string(), code(&error))),
                _ => store_error(error),
            };
            self.failed.get_or_insert_with(|| error.clone());
            error
        })
    }

    /// Runs a statement that gives back one row or none.
    async fn row(&mut self, statement: Statement) -> Result<Option<PgRow>> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// Runs a statement that gives back nothing.
    async fn run(&mut self, statement: Statement) -> Result<()> {
        self.rows(statement).await.map(drop)
    }

    /// What to add to the database's clock, in microseconds.
    fn offset(&self) -> i64 {
        self.clock_offset.load(Ordering::Relaxed)
    }

    /// Keeps the database's clock, which a statement read by the way, unless it was read before.
    fn saw_clock(&mut self, clock: DateTime<Utc>) -> Timestamp {
        let offset = self.offset();
        *self.now.get_or_insert_with(|| Timestamp(clock.timestamp_micros().saturating_add(offset)))
    }

    /// Moves the transaction's time on.
    fn move_to(&mut self, now: Timestamp) {
        self.now = Some(now);
    }

    /// The transaction's time for a statement that would otherwise read the clock itself:
    /// `coalesce($time, clock_timestamp() + $offset * interval '1 microsecond')`.
    fn time(&self) -> Result<(Option<DateTime<Utc>>, i64)> {
        Ok((self.now.map(instant).transpose()?, self.offset()))
    }

    /// The transaction's time to store.
    async fn now_stored(&mut self) -> Result<DateTime<Utc>> {
        instant(self.now().await?)
    }
}

impl Tx for PostgresTx {
    fn resent(&self) -> bool {
        self.resent
    }

    async fn now(&mut self) -> Result<Timestamp> {
        if let Some(now) = self.now {
            return Ok(now);
        }
        let row = self.row(sqlx::query(CLOCK)).await?;
        let row = row.ok_or_else(|| StoreError::Database("the clock gave no answer".into()))?;
        Ok(self.saw_clock(get(&row, 0)?))
    }

    async fn open_session(&mut self, session: SessionId, label: &str, ttl: Duration) -> Result<()> {
        sessions::open(self, session, label, ttl).await
    }
    async fn renew_session(&mut self, session: SessionKey, ttl: Duration) -> Result<bool> {
        sessions::renew(self, session, ttl).await
    }
    async fn hold_session(&mut self, session: SessionKey) -> Result<bool> {
        sessions::hold(self, session).await
    }
    async fn hold_session_alone(&mut self, session: SessionKey) -> Result<bool> {
        sessions::hold_alone(self, session).await
    }
    async fn expire_sessions(&mut self) -> Result<Vec<SessionId>> {
        sessions::expire(self).await
    }
    async fn delete_session(&mut self, session: SessionId) -> Result<()> {
        sessions::delete(self, session).await
    }
    async fn live_sessions(&mut self) -> Result<u64> {
        sessions::live(self).await
    }

    async fn put_receipt(&mut self, receipt: &NewReceipt) -> Result<Timestamp> {
        sessions::put_receipt(self, receipt).await
    }
    async fn find_receipt(&mut self, id: ReceiptId) -> Result<Option<Receipt>> {
        sessions::find_receipt(self, id).await
    }
    async fn receipts_of(&mut self, session: SessionId, limit: usize) -> Result<Vec<Receipt>> {
        sessions::receipts_of(self, session, limit).await
    }
    async fn drop_receipts(&mut self, ids: &[ReceiptId]) -> Result<()> {
        sessions::drop_receipts(self, ids).await
    }

    async fn lock_named_task(&mut self, namespace: &str, name: &str, version: &str) -> Result<Option<NamedTaskRow>> {
        templates::lock(self, namespace, name, version).await
    }
    async fn insert_named_task(&mut self, new: &NewNamedTask) -> Result<NamedTaskId> {
        templates::insert(self, new).await
    }
    async fn delete_named_task(&mut self, id: NamedTaskId) -> Result<()> {
        templates::delete(self, id).await
    }
    async fn is_used(&mut self, id: NamedTaskId) -> Result<bool> {
        templates::is_used(self, id).await
    }
    async fn insert_revision(&mut self, id: NamedTaskId, template: &Json) -> Result<RevisionId> {
        templates::insert_revision(self, id, template).await
    }
    async fn revisions(&mut self, ids: &[RevisionId]) -> Result<Vec<RevisionRow>> {
        templates::revisions(self, ids).await
    }
    async fn versions(&mut self, namespace: &str, name: &str) -> Result<Vec<VersionRow>> {
        templates::versions(self, namespace, name).await
    }
    async fn template_names(&mut self) -> Result<Vec<(String, String)>> {
        templates::names(self).await
    }
    async fn ensure_lanes(&mut self, wanted: &[(NamedTaskId, String)]) -> Result<Vec<LaneId>> {
        templates::ensure_lanes(self, wanted).await
    }
    async fn lanes_of(&mut self, ids: &[NamedTaskId]) -> Result<Vec<LaneRow>> {
        templates::lanes_of(self, ids).await
    }

    async fn pause_queue(&mut self, pause: &QueuePause) -> Result<bool> {
        pauses::pause(self, pause).await
    }
    async fn resume_queue(&mut self, queue: &str, namespace: Option<&str>) -> Result<bool> {
        pauses::resume(self, queue, namespace).await
    }
    async fn paused_queues(&mut self) -> Result<Vec<QueuePause>> {
        pauses::all(self).await
    }

    async fn take_keys(&mut self, rows: &[KeyRow]) -> Result<Vec<Option<TaskId>>> {
        creation::take_keys(self, rows).await
    }
    async fn insert_tasks(&mut self, tasks: &[NewTask], ready: &[ReadyRow]) -> Result<()> {
        creation::insert_tasks(self, tasks, ready).await
    }

    async fn put_ready(&mut self, rows: &[ReadyRow]) -> Result<()> {
        queue::put_ready(self, rows).await
    }
    async fn take_ready(&mut self, lanes: &[LaneCursor], limit: usize) -> Result<Vec<ReadyRow>> {
        queue::take_ready(self, lanes, limit).await
    }
    async fn put_timers(&mut self, rows: &[TimerRow]) -> Result<()> {
        queue::put_timers(self, rows).await
    }
    async fn take_due(&mut self, limit: usize) -> Result<Vec<ReadyRow>> {
        queue::take_due(self, limit).await
    }
    async fn heads(&mut self, ids: &[TaskId]) -> Result<Vec<TaskHead>> {
        queue::heads(self, ids).await
    }
    async fn results(&mut self, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
        queue::results(self, keys).await
    }
    async fn checkpoints(&mut self, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
        queue::checkpoints(self, keys).await
    }

    async fn limit_keys(&mut self, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
        limits::made(self, keys).await
    }
    async fn keep_limit_keys(&mut self, rows: &[(StepKey, Json)]) -> Result<()> {
        limits::keep_made(self, rows).await
    }
    async fn lock_limits(&mut self, keys: &[LimitKey]) -> Result<()> {
        limits::lock(self, keys).await
    }
    async fn count_slots(&mut self, keys: &[LimitKey]) -> Result<Vec<(LimitKey, usize)>> {
        limits::count(self, keys).await
    }
    async fn take_slots(&mut self, slots: &[Slot]) -> Result<()> {
        limits::take(self, slots).await
    }
    async fn park(&mut self, rows: &[Parked]) -> Result<()> {
        limits::park(self, rows).await
    }
    async fn unpark(&mut self, keys: &[(LimitKey, usize)]) -> Result<Vec<(LimitKey, ReadyRow)>> {
        limits::unpark(self, keys).await
    }
    async fn open_limits(&mut self, limit: usize) -> Result<Vec<(LimitKey, usize)>> {
        limits::open(self, limit).await
    }
    async fn forget_limits(&mut self, keys: &[LimitKey]) -> Result<()> {
        limits::forget(self, keys).await
    }

    async fn save_checkpoints(&mut self, rows: &[Checkpoint]) -> Result<Vec<StepKey>> {
        settlement::save_checkpoints(self, rows).await
    }
    async fn lock_steps(&mut self, keys: &[StepKey]) -> Result<Vec<HeldStep>> {
        settlement::lock_steps(self, keys).await
    }
    async fn settle_steps(&mut self, moves: &[StepMove]) -> Result<Vec<SettledStep>> {
        settlement::settle_steps(self, moves).await
    }
    async fn release_steps(&mut self, finished_parents: &[(StepKey, i32)]) -> Result<Vec<ReleasedStep>> {
        settlement::release_steps(self, finished_parents).await
    }
    async fn lock_blocked(&mut self, keys: &[StepKey]) -> Result<Vec<HeldStep>> {
        decisions::lock_blocked(self, keys).await
    }
    async fn bypassed(&mut self, keys: &[StepKey]) -> Result<Vec<StepKey>> {
        decisions::bypassed(self, keys).await
    }
    async fn bypass_steps(&mut self, keys: &[StepKey], to: StepState) -> Result<()> {
        decisions::bypass_steps(self, keys, to).await
    }
    async fn keep_routes(&mut self, rows: &[(StepKey, Vec<StepIndex>)]) -> Result<()> {
        decisions::keep_routes(self, rows).await
    }
    async fn insert_items(&mut self, rows: &[NewItems]) -> Result<()> {
        items::insert_items(self, rows).await
    }
    async fn expanded(&mut self, keys: &[StepKey]) -> Result<Vec<ExpandedStep>> {
        items::expanded(self, keys).await
    }
    async fn items(&mut self, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
        items::items(self, keys).await
    }
    async fn remove_items(&mut self, groups: &[StepKey]) -> Result<()> {
        items::remove_items(self, groups).await
    }
    async fn last_transitions(&mut self, keys: &[StepKey]) -> Result<Vec<LastTransition>> {
        items::last_transitions(self, keys).await
    }
    async fn touch_tasks(&mut self, touches: &[TaskTouch], moves: TaskMoves) -> Result<Vec<TaskMoved>> {
        settlement::touch_tasks(self, touches, moves).await
    }
    async fn record_steps(&mut self, rows: &[StepTransition]) -> Result<()> {
        settlement::record_steps(self, rows).await?;
        self.recording.steps(rows, self.now);
        Ok(())
    }
    async fn record_tasks(&mut self, rows: &[TaskTransition]) -> Result<()> {
        settlement::record_tasks(self, rows).await?;
        self.recording.tasks(rows, self.now);
        Ok(())
    }
    fn is_heard(&self) -> bool {
        self.recording.is_on()
    }
    fn tell_steps(&mut self, rows: &[StepTransition]) {
        self.recording.steps(rows, self.now);
    }
    fn tell_tasks(&mut self, rows: &[TaskTransition]) {
        self.recording.tasks(rows, self.now);
    }

    async fn lock_steps_of(&mut self, task: TaskId, patience: Duration) -> Result<()> {
        operations::lock_steps_of(self, task, patience).await
    }
    async fn take_task_out(&mut self, task: TaskId, rows: &[ReadyRow]) -> Result<()> {
        operations::take_task_out(self, task, rows).await
    }
    async fn lock_task(&mut self, task: TaskId) -> Result<Option<HeldTask>> {
        operations::lock_task(self, task).await
    }
    async fn write_down(&mut self, keys: &[StepKey]) -> Result<()> {
        operations::write_down(self, keys).await
    }
    async fn place_steps(&mut self, rows: &[StepPlacement]) -> Result<()> {
        operations::place_steps(self, rows).await
    }
    async fn set_waiting(&mut self, rows: &[StepWait]) -> Result<()> {
        operations::set_waiting(self, rows).await
    }
    async fn place_task(&mut self, row: &TaskPlacement) -> Result<()> {
        operations::place_task(self, row).await
    }
    async fn put_terms(&mut self, rows: &[TermRow]) -> Result<()> {
        terms::put(self, rows).await
    }
    async fn declare_paths(&mut self, id: NamedTaskId, paths: &[String]) -> Result<()> {
        terms::declare_paths(self, id, paths).await
    }
    async fn declared_paths(&mut self, filter: &TaskFilter) -> Result<Vec<String>> {
        terms::declared_paths(self, filter).await
    }

    async fn annotate(&mut self, new: &NewAnnotation) -> Result<Option<Timestamp>> {
        annotations::annotate(self, new).await
    }
    async fn annotations(&mut self, task: TaskId, kind: Option<&str>) -> Result<Vec<AnnotationRow>> {
        annotations::of_task(self, task, kind).await
    }

    async fn tasks(&mut self, ids: &[TaskId]) -> Result<Vec<TaskRow>> {
        listing::tasks(self, ids).await
    }
    async fn list_tasks(&mut self, filter: &TaskFilter, before: Option<TaskId>, limit: usize) -> Result<Vec<TaskRow>> {
        listing::list(self, filter, before, limit).await
    }
    async fn count_tasks(&mut self, filter: &TaskFilter) -> Result<u64> {
        listing::count(self, filter).await
    }
    async fn steps(&mut self, task: TaskId) -> Result<Vec<StepRow>> {
        reading::steps(self, task).await
    }
    async fn progress(&mut self, task: TaskId) -> Result<Vec<StepProgress>> {
        reading::progress(self, task).await
    }
    async fn parked(&mut self, task: TaskId) -> Result<Vec<StepIndex>> {
        reading::parked(self, task).await
    }
    async fn task_history(&mut self, task: TaskId) -> Result<Vec<HistoryRow>> {
        reading::task_history(self, task).await
    }
    async fn step_history(&mut self, task: TaskId) -> Result<Vec<StoredTransition>> {
        reading::step_history(self, task).await
    }
    async fn held_now(&mut self, task: TaskId) -> Result<Vec<HeldNow>> {
        reading::held_now(self, task).await
    }
    async fn ended(&mut self, ids: &[TaskId]) -> Result<Vec<TaskId>> {
        reading::ended(self, ids).await
    }
    async fn superseded(&mut self, held: &[(StepKey, Token)]) -> Result<Vec<(StepKey, Token)>> {
        reading::superseded(self, held).await
    }
    async fn outlook(&mut self, lanes: &[LaneId]) -> Result<Outlook> {
        reading::outlook(self, lanes).await
    }

    async fn census(&mut self) -> Result<Census> {
        statistics::census(self).await
    }
    async fn ended_tasks(&mut self, window: &Window) -> Result<Vec<EndedTask>> {
        statistics::ended_tasks(self, window).await
    }
    async fn ended_steps(&mut self, window: &Window) -> Result<Vec<(TaskId, StepProgress)>> {
        statistics::ended_steps(self, window).await
    }

    async fn delete_tasks(&mut self, ids: &[TaskId]) -> Result<()> {
        deletion::delete_tasks(self, ids).await
    }
    async fn ended_between(
        &mut self,
        from: Option<Timestamp>,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TaskId, Timestamp)>> {
        deletion::ended_between(self, from, before, limit).await
    }
    async fn purge_tasks(&mut self, ids: &[TaskId], before: Timestamp) -> Result<usize> {
        deletion::purge_tasks(self, ids, before).await
    }
    /// Autovacuum does.
    async fn give_back_space(&mut self, pages: usize) -> Result<bool> {
        limits::forget_unused(self, pages).await
    }
    async fn begin_chore(&mut self, name: &str, every: Duration) -> Result<bool> {
        chores::begin(self, name, every).await
    }
}

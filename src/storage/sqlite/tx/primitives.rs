//! Each primitive of [`Tx`], and the function that carries it out.

use std::time::Duration;

use super::{
    SqliteTx, annotations, chores, creation, decisions, deletion, items, limits, listing, operations, pauses, queue,
    reading, sessions, settlement, statistics, templates, terms,
};
use crate::domain::id::{
    LaneId, NamedTaskId, ReceiptId, RevisionId, SessionId, SessionKey, StepIndex, StepKey, TaskId, Token,
};
use crate::domain::json::Json;
use crate::domain::limit::LimitKey;
use crate::domain::state::StepState;
use crate::domain::time::Timestamp;
use crate::storage::rows::*;
use crate::storage::{Result, TaskMoves, Tx};

impl Tx for SqliteTx<'_> {
    /// Never: there is no connection to lose between a commit and its answer.
    fn resent(&self) -> bool {
        false
    }

    async fn now(&mut self) -> Result<Timestamp> {
        Ok(self.now)
    }

    async fn open_session(&mut self, session: SessionId, label: &str, ttl: Duration) -> Result<()> {
        sessions::open(self.connection, session, label, self.now, ttl)
    }

    async fn renew_session(&mut self, session: SessionKey, ttl: Duration) -> Result<bool> {
        sessions::renew(self.connection, session, self.now, ttl)
    }

    async fn hold_session(&mut self, session: SessionKey, done: &[ReceiptId]) -> Result<bool> {
        sessions::hold(self.connection, session, done)
    }

    async fn hold_session_alone(&mut self, session: SessionKey) -> Result<bool> {
        sessions::hold(self.connection, session, &[])
    }

    async fn expire_sessions(&mut self) -> Result<Vec<SessionId>> {
        sessions::expire(self.connection, self.now)
    }

    async fn delete_session(&mut self, session: SessionId) -> Result<()> {
        sessions::delete(self.connection, session)
    }

    async fn put_receipt(&mut self, receipt: &NewReceipt) -> Result<Timestamp> {
        sessions::put_receipt(self.connection, receipt, self.now)?;
        Ok(self.now)
    }

    async fn find_receipt(&mut self, id: ReceiptId) -> Result<Option<Receipt>> {
        sessions::find_receipt(self.connection, id)
    }

    async fn receipts_of(&mut self, session: SessionId, limit: usize) -> Result<Vec<Receipt>> {
        sessions::receipts_of(self.connection, session, limit)
    }

    async fn drop_receipts(&mut self, ids: &[ReceiptId]) -> Result<()> {
        sessions::drop_receipts(self.connection, ids)
    }

    async fn lock_named_task(&mut self, namespace: &str, name: &str, version: &str) -> Result<Option<NamedTaskRow>> {
        templates::find(self.connection, namespace, name, version)
    }

    async fn insert_named_task(&mut self, new: &NewNamedTask) -> Result<NamedTaskId> {
        templates::insert(self.connection, new, self.now)
    }

    async fn delete_named_task(&mut self, id: NamedTaskId) -> Result<()> {
        templates::delete(self.connection, id)
    }

    async fn is_used(&mut self, id: NamedTaskId) -> Result<bool> {
        templates::is_used(self.connection, id)
    }

    async fn insert_revision(&mut self, id: NamedTaskId, template: &Json) -> Result<RevisionId> {
        templates::insert_revision(self.connection, id, template, self.now)
    }

    async fn revisions(&mut self, ids: &[RevisionId]) -> Result<Vec<RevisionRow>> {
        templates::revisions(self.connection, ids)
    }

    async fn versions(&mut self, namespace: &str, name: &str) -> Result<Vec<VersionRow>> {
        templates::versions(self.connection, namespace, name)
    }

    async fn template_names(&mut self) -> Result<Vec<(String, String)>> {
        templates::names(self.connection)
    }

    async fn ensure_lanes(&mut self, wanted: &[(NamedTaskId, String)]) -> Result<Vec<LaneId>> {
        templates::ensure_lanes(self.connection, wanted)
    }

    async fn lanes_of(&mut self, ids: &[NamedTaskId]) -> Result<Vec<LaneRow>> {
        templates::lanes_of(self.connection, ids)
    }

    async fn pause_queue(&mut self, pause: &QueuePause) -> Result<bool> {
        pauses::pause(self.connection, pause, self.now)
    }

    async fn resume_queue(&mut self, queue: &str, namespace: Option<&str>) -> Result<bool> {
        pauses::resume(self.connection, queue, namespace)
    }

    async fn paused_queues(&mut self) -> Result<Vec<QueuePause>> {
        pauses::all_paused(self.connection)
    }

    async fn take_keys(&mut self, rows: &[KeyRow]) -> Result<Vec<Option<TaskId>>> {
        creation::take_keys(self.connection, rows)
    }

    async fn insert_tasks(&mut self, tasks: &[NewTask], ready: &[ReadyRow]) -> Result<()> {
        creation::insert_tasks(self.connection, tasks, self.now)?;
        queue::put_ready(self.connection, ready, self.now)
    }

    async fn put_ready(&mut self, rows: &[ReadyRow]) -> Result<()> {
        queue::put_ready(self.connection, rows, self.now)
    }

    async fn take_ready(&mut self, lanes: &[LaneCursor], limit: usize) -> Result<Vec<TakenRow>> {
        queue::take_ready(self.connection, lanes, limit)
    }

    async fn put_timers(&mut self, rows: &[TimerRow]) -> Result<()> {
        queue::put_timers(self.connection, rows)
    }

    async fn take_due(&mut self, limit: usize) -> Result<Vec<ReadyRow>> {
        queue::take_due(self.connection, self.now, limit)
    }

    async fn heads(&mut self, ids: &[TaskId]) -> Result<Vec<TaskHead>> {
        queue::heads(self.connection, ids)
    }

    async fn results(&mut self, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
        queue::results(self.connection, keys)
    }

    async fn checkpoints(&mut self, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
        queue::checkpoints(self.connection, keys)
    }

    async fn limit_keys(&mut self, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
        limits::made(self.connection, keys)
    }

    async fn keep_limit_keys(&mut self, rows: &[(StepKey, Json)]) -> Result<()> {
        limits::keep_made(self.connection, rows)
    }

    /// There is one writer.
    async fn lock_limits(&mut self, _keys: &[LimitKey]) -> Result<()> {
        Ok(())
    }

    async fn count_slots(&mut self, keys: &[LimitKey]) -> Result<Vec<(LimitKey, usize)>> {
        limits::count(self.connection, keys)
    }

    async fn take_slots(&mut self, slots: &[Slot]) -> Result<()> {
        limits::take(self.connection, slots)
    }

    async fn park(&mut self, rows: &[Parked]) -> Result<()> {
        limits::park(self.connection, rows)
    }

    async fn unpark(&mut self, keys: &[(LimitKey, usize)]) -> Result<Vec<(LimitKey, ReadyRow)>> {
        limits::unpark(self.connection, keys)
    }

    async fn open_limits(&mut self, limit: usize) -> Result<Vec<(LimitKey, usize)>> {
        limits::open(self.connection, limit)
    }

    /// Nothing was left.
    async fn forget_limits(&mut self, _keys: &[LimitKey]) -> Result<()> {
        Ok(())
    }

    async fn save_checkpoints(&mut self, rows: &[Checkpoint]) -> Result<Vec<StepKey>> {
        settlement::save_checkpoints(self.connection, rows)
    }

    async fn lock_steps(&mut self, held: &[(StepKey, Token)]) -> Result<Vec<HeldStep>> {
        settlement::find_steps(self.connection, held)
    }

    async fn settle_steps(&mut self, moves: &[StepMove]) -> Result<Vec<SettledStep>> {
        settlement::settle_steps(self.connection, moves, self.now)
    }

    async fn release_steps(&mut self, finished_parents: &[(StepKey, i32)]) -> Result<Vec<ReleasedStep>> {
        settlement::release_steps(self.connection, finished_parents)
    }

    async fn lock_blocked(&mut self, keys: &[StepKey]) -> Result<Vec<HeldStep>> {
        decisions::find_blocked(self.connection, keys)
    }

    async fn bypassed(&mut self, keys: &[StepKey]) -> Result<Vec<StepKey>> {
        decisions::bypassed(self.connection, keys)
    }

    async fn bypass_steps(&mut self, keys: &[StepKey], to: StepState) -> Result<()> {
        decisions::bypass_steps(self.connection, keys, to, self.now)
    }

    async fn keep_routes(&mut self, rows: &[(StepKey, Vec<StepIndex>)]) -> Result<()> {
        decisions::keep_routes(self.connection, rows)
    }

    async fn insert_items(&mut self, rows: &[NewItems]) -> Result<()> {
        items::insert_items(self.connection, rows)
    }

    async fn expanded(&mut self, keys: &[StepKey]) -> Result<Vec<ExpandedStep>> {
        items::expanded(self.connection, keys)
    }

    async fn items(&mut self, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
        items::items(self.connection, keys)
    }

    async fn remove_items(&mut self, groups: &[StepKey]) -> Result<()> {
        items::remove_items(self.connection, groups)
    }

    async fn last_transitions(&mut self, keys: &[StepKey]) -> Result<Vec<LastTransition>> {
        items::last_transitions(self.connection, keys)
    }

    async fn touch_tasks(&mut self, touches: &[TaskTouch], moves: TaskMoves) -> Result<Vec<TaskMoved>> {
        settlement::touch_tasks(self.connection, touches, moves, self.now)
    }

    async fn record_steps(&mut self, rows: &[StepTransition]) -> Result<()> {
        self.recording.steps(rows, Some(self.now));
        settlement::record_steps(self.connection, rows, self.now)
    }

    async fn record_tasks(&mut self, rows: &[TaskTransition]) -> Result<()> {
        self.recording.tasks(rows, Some(self.now));
        settlement::record_tasks(self.connection, rows, self.now)
    }

    fn is_heard(&self) -> bool {
        self.recording.is_on()
    }

    fn tell_steps(&mut self, rows: &[StepTransition]) {
        self.recording.steps(rows, Some(self.now));
    }

    fn tell_tasks(&mut self, rows: &[TaskTransition]) {
        self.recording.tasks(rows, Some(self.now));
    }

    /// Nothing: a transaction has the database for itself.
    async fn lock_steps_of(&mut self, _task: TaskId, _patience: Duration) -> Result<()> {
        Ok(())
    }

    async fn take_task_out(&mut self, task: TaskId, rows: &[ReadyRow]) -> Result<()> {
        operations::take_task_out(self.connection, task, rows)
    }

    async fn lock_task(&mut self, task: TaskId) -> Result<Option<HeldTask>> {
        operations::find_task(self.connection, task)
    }

    async fn write_down(&mut self, keys: &[StepKey]) -> Result<()> {
        operations::write_down(self.connection, keys)
    }

    async fn place_steps(&mut self, rows: &[StepPlacement]) -> Result<()> {
        operations::place_steps(self.connection, rows, self.now)
    }

    async fn set_waiting(&mut self, rows: &[StepWait]) -> Result<()> {
        operations::set_waiting(self.connection, rows)
    }

    async fn place_task(&mut self, row: &TaskPlacement) -> Result<()> {
        operations::place_task(self.connection, row, self.now)
    }

    async fn put_terms(&mut self, rows: &[TermRow]) -> Result<()> {
        terms::put(self.connection, rows)
    }

    async fn declare_paths(&mut self, id: NamedTaskId, paths: &[String]) -> Result<()> {
        terms::declare_paths(self.connection, id, paths)
    }

    async fn declared_paths(&mut self, filter: &TaskFilter) -> Result<Vec<String>> {
        terms::declared_paths(self.connection, filter)
    }

    async fn annotate(&mut self, new: &NewAnnotation) -> Result<Option<Timestamp>> {
        annotations::annotate(self.connection, new, self.now)
    }

    async fn annotations(&mut self, task: TaskId, kind: Option<&str>) -> Result<Vec<AnnotationRow>> {
        annotations::of_task(self.connection, task, kind)
    }

    async fn tasks(&mut self, ids: &[TaskId]) -> Result<Vec<TaskRow>> {
        reading::tasks(self.connection, ids)
    }

    async fn list_tasks(&mut self, filter: &TaskFilter, before: Option<TaskId>, limit: usize) -> Result<Vec<TaskRow>> {
        listing::list(self.connection, filter, before, limit)
    }

    async fn count_tasks(&mut self, filter: &TaskFilter) -> Result<u64> {
        listing::count(self.connection, filter)
    }

    async fn steps(&mut self, task: TaskId) -> Result<Vec<StepRow>> {
        reading::steps(self.connection, task)
    }

    async fn progress(&mut self, task: TaskId) -> Result<Vec<StepProgress>> {
        reading::progress(self.connection, task)
    }

    async fn parked(&mut self, task: TaskId) -> Result<Vec<StepIndex>> {
        reading::parked(self.connection, task)
    }

    async fn task_history(&mut self, task: TaskId) -> Result<Vec<HistoryRow>> {
        reading::task_history(self.connection, task)
    }

    async fn step_history(&mut self, task: TaskId) -> Result<Vec<StoredTransition>> {
        reading::step_history(self.connection, task)
    }

    async fn held_now(&mut self, task: TaskId) -> Result<Vec<HeldNow>> {
        reading::held_now(self.connection, task)
    }

    async fn ended(&mut self, ids: &[TaskId]) -> Result<Vec<TaskId>> {
        reading::ended(self.connection, ids)
    }

    async fn superseded(&mut self, held: &[(StepKey, Token)]) -> Result<Vec<(StepKey, Token)>> {
        reading::superseded(self.connection, held)
    }

    async fn outlook(&mut self, lanes: &[LaneId]) -> Result<Outlook> {
        queue::outlook(self.connection, lanes, self.now)
    }

    async fn live_sessions(&mut self) -> Result<u64> {
        sessions::count_live(self.connection, self.now)
    }

    async fn census(&mut self) -> Result<Census> {
        statistics::census(self.connection, self.now)
    }

    async fn backlog(&mut self) -> Result<Vec<Backlog>> {
        statistics::backlog(self.connection)
    }

    async fn ended_tasks(&mut self, window: &Window) -> Result<Vec<EndedTask>> {
        statistics::ended_tasks(self.connection, window)
    }

    async fn ended_steps(&mut self, window: &Window) -> Result<Vec<(TaskId, StepProgress)>> {
        statistics::ended_steps(self.connection, window)
    }

    async fn delete_tasks(&mut self, ids: &[TaskId]) -> Result<()> {
        deletion::delete_tasks(self.connection, ids)
    }

    async fn ended_between(
        &mut self,
        from: Option<Timestamp>,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TaskId, Timestamp)>> {
        deletion::ended_between(self.connection, from, before, limit)
    }

    async fn purge_tasks(&mut self, ids: &[TaskId], before: Timestamp) -> Result<usize> {
        deletion::purge_tasks(self.connection, ids, before)
    }

    async fn give_back_space(&mut self, pages: usize) -> Result<bool> {
        chores::give_back_space(self.connection, pages)
    }

    async fn begin_chore(&mut self, name: &str, every: Duration) -> Result<bool> {
        chores::begin(self.connection, name, self.now, every)
    }
}

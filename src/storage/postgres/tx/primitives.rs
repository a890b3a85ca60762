//! Each primitive of [`Tx`], and the function that carries it out.

use std::time::Duration;

use super::{
    CLOCK, PostgresTx, annotations, chores, creation, decisions, deletion, items, limits, listing, operations, outbox,
    pauses, queue, reading, sessions, settlement, statistics, templates, terms,
};
use crate::domain::id::{
    LaneId, NamedTaskId, ReceiptId, RevisionId, SessionId, SessionKey, StepIndex, StepKey, TaskId, Token,
};
use crate::domain::json::Json;
use crate::domain::limit::LimitKey;
use crate::domain::state::StepState;
use crate::domain::time::Timestamp;
use crate::storage::postgres::values::get;
use crate::storage::rows::*;
use crate::storage::{Result, StoreError, TaskMoves, Tx};

impl Tx for PostgresTx<'_> {
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
    async fn hold_session(&mut self, session: SessionKey, done: &[ReceiptId]) -> Result<bool> {
        sessions::hold(self, session, done).await
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
    async fn take_ready(&mut self, lanes: &[LaneCursor], limit: usize) -> Result<Vec<TakenRow>> {
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
    async fn lock_steps(&mut self, held: &[(StepKey, Token)]) -> Result<Vec<HeldStep>> {
        settlement::lock_steps(self, held).await
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

    async fn take_outbox(&mut self, only: Option<&[TaskId]>, limit: usize) -> Result<Vec<OutboxRow>> {
        outbox::take(self, only, limit).await
    }
    async fn drop_outbox(&mut self, ids: &[TaskId]) -> Result<()> {
        outbox::drop(self, ids).await
    }
    async fn refuse_outbox(&mut self, rows: &[OutboxRefusal]) -> Result<()> {
        outbox::refuse(self, rows).await
    }
    async fn outbox_place(&mut self) -> Result<Option<String>> {
        outbox::place(self).await
    }

    async fn census(&mut self) -> Result<Census> {
        statistics::census(self).await
    }

    async fn backlog(&mut self) -> Result<Vec<Backlog>> {
        statistics::backlog(self).await
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

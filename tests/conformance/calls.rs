//! Each primitive of `Tx` as a transaction of its own.

use std::time::Duration;

use tasker_core::domain::id::*;
use tasker_core::domain::json::Json;
use tasker_core::domain::limit::LimitKey;
use tasker_core::domain::search::Term;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::TaskMoves;
use tasker_core::storage::rows::*;

/// The moves that the table of states allows.
pub const MOVES: TaskMoves =
    TaskMoves { started: TaskState::InProgress, finished: TaskState::Complete, stalled: TaskState::Error };

transaction!(Now {} -> Timestamp, |self, tx| tx.now().await);

transaction!(OpenSession { id: SessionId, ttl: Duration } -> (), |self, tx| {
    tx.open_session(self.id, "a test — ünïcode", self.ttl).await
});
transaction!(RenewSession { key: SessionKey, ttl: Duration } -> bool, |self, tx| {
    tx.renew_session(self.key, self.ttl).await
});
transaction!(HoldSession { key: SessionKey, done: Vec<ReceiptId> } -> bool, |self, tx| {
    tx.hold_session(self.key, &self.done).await
});
transaction!(HoldSessionAlone { key: SessionKey } -> bool, |self, tx| tx.hold_session_alone(self.key).await);
transaction!(ExpireSessions {} -> Vec<SessionId>, |self, tx| tx.expire_sessions().await);
transaction!(DeleteSession { id: SessionId } -> (), |self, tx| tx.delete_session(self.id).await);
transaction!(LiveSessions {} -> u64, |self, tx| tx.live_sessions().await);

transaction!(PutReceipt { receipt: NewReceipt } -> Timestamp, |self, tx| tx.put_receipt(&self.receipt).await);
transaction!(FindReceipt { id: ReceiptId } -> Option<Receipt>, |self, tx| tx.find_receipt(self.id).await);
transaction!(ReceiptsOf { session: SessionId, limit: usize } -> Vec<Receipt>, |self, tx| {
    tx.receipts_of(self.session, self.limit).await
});
transaction!(DropReceipts { ids: Vec<ReceiptId> } -> (), |self, tx| tx.drop_receipts(&self.ids).await);

transaction!(LockNamedTask { namespace: &'static str, name: &'static str, version: &'static str }
    -> Option<NamedTaskRow>, |self, tx| tx.lock_named_task(self.namespace, self.name, self.version).await);
transaction!(InsertNamedTask { new: NewNamedTask } -> NamedTaskId, |self, tx| tx.insert_named_task(&self.new).await);
transaction!(DeleteNamedTask { id: NamedTaskId } -> (), |self, tx| tx.delete_named_task(self.id).await);
transaction!(IsUsed { id: NamedTaskId } -> bool, |self, tx| tx.is_used(self.id).await);
transaction!(InsertRevision { id: NamedTaskId, template: Json } -> RevisionId, |self, tx| {
    tx.insert_revision(self.id, &self.template).await
});
transaction!(Revisions { ids: Vec<RevisionId> } -> Vec<RevisionRow>, |self, tx| tx.revisions(&self.ids).await);
transaction!(Versions { namespace: &'static str, name: &'static str } -> Vec<VersionRow>, |self, tx| {
    tx.versions(self.namespace, self.name).await
});
transaction!(TemplateNames {} -> Vec<(String, String)>, |self, tx| tx.template_names().await);
transaction!(EnsureLanes { wanted: Vec<(NamedTaskId, String)> } -> Vec<LaneId>, |self, tx| {
    tx.ensure_lanes(&self.wanted).await
});
transaction!(LanesOf { ids: Vec<NamedTaskId> } -> Vec<LaneRow>, |self, tx| tx.lanes_of(&self.ids).await);
transaction!(PauseQueue { pause: QueuePause } -> bool, |self, tx| tx.pause_queue(&self.pause).await);
transaction!(ResumeQueue { queue: &'static str, namespace: Option<&'static str> } -> bool, |self, tx| {
    tx.resume_queue(self.queue, self.namespace).await
});
transaction!(PausedQueues {} -> Vec<QueuePause>, |self, tx| tx.paused_queues().await);

transaction!(TakeKeys { rows: Vec<KeyRow> } -> Vec<Option<TaskId>>, |self, tx| tx.take_keys(&self.rows).await);
transaction!(InsertTasks { tasks: Vec<NewTask>, ready: Vec<ReadyRow> } -> Timestamp, |self, tx| {
    tx.insert_tasks(&self.tasks, &self.ready).await?;
    let tags = self.tasks.iter().flat_map(|row| row.tags.iter().map(|tag| (row.id, Term::tag(tag))));
    tx.put_terms(&tags.map(|(task, term)| TermRow { task, term }).collect::<Vec<_>>()).await?;
    tx.now().await
});

transaction!(PutTerms { rows: Vec<TermRow> } -> (), |self, tx| tx.put_terms(&self.rows).await);
transaction!(DeclarePaths { id: NamedTaskId, paths: Vec<String> } -> (), |self, tx| {
    tx.declare_paths(self.id, &self.paths).await
});
transaction!(DeclaredPaths { filter: TaskFilter } -> Vec<String>, |self, tx| tx.declared_paths(&self.filter).await);
transaction!(Annotate { new: NewAnnotation } -> Option<Timestamp>, |self, tx| tx.annotate(&self.new).await);
transaction!(Annotations { task: TaskId, kind: Option<&'static str> } -> Vec<AnnotationRow>, |self, tx| {
    tx.annotations(self.task, self.kind).await
});

transaction!(PutReady { rows: Vec<ReadyRow> } -> (), |self, tx| tx.put_ready(&self.rows).await);
transaction!(TakeReady { lanes: Vec<LaneCursor>, limit: usize } -> Vec<ReadyRow>, |self, tx| {
    Ok(tx.take_ready(&self.lanes, self.limit).await?.into_iter().map(|taken| taken.row).collect())
});
transaction!(PutTimers { rows: Vec<TimerRow> } -> (), |self, tx| tx.put_timers(&self.rows).await);
transaction!(TakeDue { limit: usize } -> Vec<ReadyRow>, |self, tx| tx.take_due(self.limit).await);
transaction!(Heads { ids: Vec<TaskId> } -> Vec<TaskHead>, |self, tx| tx.heads(&self.ids).await);
transaction!(Results { keys: Vec<StepKey> } -> Vec<(StepKey, Json)>, |self, tx| tx.results(&self.keys).await);

transaction!(Checkpoints { keys: Vec<StepKey> } -> Vec<(StepKey, Json)>, |self, tx| tx.checkpoints(&self.keys).await);

transaction!(SaveCheckpoints { rows: Vec<Checkpoint> } -> Vec<StepKey>, |self, tx| {
    tx.save_checkpoints(&self.rows).await
});
transaction!(LockSteps { held: Vec<(StepKey, Token)> } -> Vec<HeldStep>, |self, tx| tx.lock_steps(&self.held).await);
transaction!(SettleSteps { moves: Vec<StepMove> } -> Vec<StepKey>, |self, tx| {
    Ok(tx.settle_steps(&self.moves).await?.into_iter().map(|step| step.key).collect())
});
transaction!(ReleaseSteps { parents: Vec<(StepKey, i32)> } -> Vec<ReleasedStep>, |self, tx| {
    tx.release_steps(&self.parents).await
});
transaction!(LockBlocked { keys: Vec<StepKey> } -> Vec<HeldStep>, |self, tx| tx.lock_blocked(&self.keys).await);
transaction!(Bypassed { keys: Vec<StepKey> } -> Vec<StepKey>, |self, tx| tx.bypassed(&self.keys).await);
transaction!(BypassSteps { keys: Vec<StepKey> } -> (), |self, tx| {
    tx.bypass_steps(&self.keys, StepState::Skipped).await
});
transaction!(KeepRoutes { rows: Vec<(StepKey, Vec<StepIndex>)> } -> (), |self, tx| tx.keep_routes(&self.rows).await);
transaction!(InsertItems { rows: Vec<NewItems> } -> (), |self, tx| tx.insert_items(&self.rows).await);
transaction!(RemoveItems { groups: Vec<StepKey> } -> (), |self, tx| tx.remove_items(&self.groups).await);
transaction!(Expanded { keys: Vec<StepKey> } -> Vec<ExpandedStep>, |self, tx| tx.expanded(&self.keys).await);
transaction!(Items { keys: Vec<StepKey> } -> Vec<(StepKey, Json)>, |self, tx| tx.items(&self.keys).await);
transaction!(LastTransitions { keys: Vec<StepKey> } -> Vec<LastTransition>, |self, tx| {
    tx.last_transitions(&self.keys).await
});
transaction!(TouchTasks { touches: Vec<TaskTouch> } -> Vec<TaskMoved>, |self, tx| {
    tx.touch_tasks(&self.touches, MOVES).await
});
transaction!(Record { steps: Vec<StepTransition>, tasks: Vec<TaskTransition> } -> Timestamp, |self, tx| {
    tx.record_steps(&self.steps).await?;
    tx.record_tasks(&self.tasks).await?;
    tx.now().await
});

transaction!(Tasks { ids: Vec<TaskId> } -> Vec<TaskRow>, |self, tx| tx.tasks(&self.ids).await);
transaction!(ListTasks { filter: TaskFilter, before: Option<TaskId>, limit: usize } -> Vec<TaskRow>, |self, tx| {
    tx.list_tasks(&self.filter, self.before, self.limit).await
});
transaction!(CountTasks { filter: TaskFilter } -> u64, |self, tx| tx.count_tasks(&self.filter).await);
transaction!(Steps { task: TaskId } -> Vec<StepRow>, |self, tx| tx.steps(self.task).await);
transaction!(Progress { task: TaskId } -> Vec<StepProgress>, |self, tx| tx.progress(self.task).await);
transaction!(ParkedOf { task: TaskId } -> Vec<StepIndex>, |self, tx| tx.parked(self.task).await);
transaction!(TaskHistory { task: TaskId } -> Vec<HistoryRow>, |self, tx| tx.task_history(self.task).await);
transaction!(StepHistory { task: TaskId } -> Vec<StoredTransition>, |self, tx| tx.step_history(self.task).await);
transaction!(Ended { ids: Vec<TaskId> } -> Vec<TaskId>, |self, tx| tx.ended(&self.ids).await);
transaction!(Superseded { held: Vec<(StepKey, Token)> } -> Vec<(StepKey, Token)>, |self, tx| {
    tx.superseded(&self.held).await
});
transaction!(LookOut { lanes: Vec<LaneId> } -> Outlook, |self, tx| tx.outlook(&self.lanes).await);

transaction!(LimitKeys { keys: Vec<StepKey> } -> Vec<(StepKey, Json)>, |self, tx| tx.limit_keys(&self.keys).await);
transaction!(KeepLimitKeys { rows: Vec<(StepKey, Json)> } -> (), |self, tx| tx.keep_limit_keys(&self.rows).await);
transaction!(CountSlots { keys: Vec<LimitKey> } -> Vec<(LimitKey, usize)>, |self, tx| {
    tx.lock_limits(&self.keys).await?;
    tx.count_slots(&self.keys).await
});
transaction!(TakeSlots { slots: Vec<Slot> } -> (), |self, tx| tx.take_slots(&self.slots).await);
transaction!(Park { rows: Vec<Parked> } -> (), |self, tx| tx.park(&self.rows).await);
transaction!(Unpark { keys: Vec<(LimitKey, usize)> } -> Vec<(LimitKey, ReadyRow)>, |self, tx| {
    tx.unpark(&self.keys).await
});
transaction!(OpenLimits { limit: usize } -> Vec<(LimitKey, usize)>, |self, tx| tx.open_limits(self.limit).await);
transaction!(ForgetLimits { keys: Vec<LimitKey> } -> (), |self, tx| tx.forget_limits(&self.keys).await);

transaction!(EndedBetween { from: Option<Timestamp>, before: Timestamp, limit: usize }
    -> Vec<(TaskId, Timestamp)>, |self, tx| tx.ended_between(self.from, self.before, self.limit).await);
transaction!(PurgeTasks { ids: Vec<TaskId>, before: Timestamp } -> usize, |self, tx| {
    tx.purge_tasks(&self.ids, self.before).await
});
transaction!(BeginChore { name: &'static str, every: Duration } -> bool, |self, tx| {
    tx.begin_chore(self.name, self.every).await
});
transaction!(DeleteTasks { ids: Vec<TaskId> } -> (), |self, tx| tx.delete_tasks(&self.ids).await);

transaction!(TakeTaskOut { task: TaskId, rows: Vec<ReadyRow> } -> (), |self, tx| {
    tx.lock_steps_of(self.task, Duration::ZERO).await?;
    tx.take_task_out(self.task, &self.rows).await
});
transaction!(LockTask { task: TaskId } -> Option<HeldTask>, |self, tx| tx.lock_task(self.task).await);
transaction!(PlaceSteps { rows: Vec<StepPlacement> } -> (), |self, tx| tx.place_steps(&self.rows).await);
transaction!(SetWaiting { rows: Vec<StepWait> } -> (), |self, tx| tx.set_waiting(&self.rows).await);
transaction!(PlaceTask { row: TaskPlacement } -> (), |self, tx| tx.place_task(&self.row).await);
transaction!(Settled { moves: Vec<StepMove> } -> Vec<SettledStep>, |self, tx| tx.settle_steps(&self.moves).await);

transaction!(CountAll {} -> Census, |self, tx| tx.census().await);
transaction!(TakeWithTimes { lanes: Vec<LaneCursor>, limit: usize } -> Vec<TakenRow>, |self, tx| {
    tx.take_ready(&self.lanes, self.limit).await
});
transaction!(CountReady {} -> Vec<Backlog>, |self, tx| tx.backlog().await);
transaction!(EndedTasks { window: Window } -> Vec<EndedTask>, |self, tx| tx.ended_tasks(&self.window).await);
transaction!(EndedSteps { window: Window } -> Vec<(TaskId, StepProgress)>, |self, tx| {
    tx.ended_steps(&self.window).await
});

//! The primitives' SQL.

use std::time::Duration;

use tasker_core::domain::id::{LaneId, ReceiptId, SessionId, SessionKey, StepKey, TaskId, Token};
use tasker_core::domain::json::Json;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::*;
use tasker_core::storage::{Store, StoreError};

use crate::support::*;
use crate::transaction;

transaction!(PutReady { rows: Vec<ReadyRow> } -> (), |self, tx| tx.put_ready(&self.rows).await);

transaction!(TakeReady { lanes: Vec<LaneCursor>, limit: usize } -> Vec<ReadyRow>, |self, tx| {
    tx.take_ready(&self.lanes, self.limit).await
});

fn cursors(lanes: &[i32]) -> Vec<LaneCursor> {
    lanes.iter().map(|lane| LaneCursor { lane: LaneId(*lane), from: None }).collect()
}

#[tokio::test]
async fn claims_go_by_priority_then_age_across_lanes() {
    let store = in_memory().await;
    let diamond = Diamond::store(&store).await;
    let ids: Vec<_> = (0..4).map(|_| TaskId::generate()).collect();
    let row = |lane, priority, task: usize, index| diamond.ready(LaneId(lane), priority, ids[task], index);
    let rows = [row(1, 0, 2, 0), row(1, 5, 3, 0), row(2, 0, 0, 1), row(2, i16::MIN, 1, 0), row(2, 0, 0, 0)];
    write(&store, PutReady { rows: [&rows[..], &[row(3, 9, 0, 0)]].concat() }).await;
    let took = write(&store, TakeReady { lanes: cursors(&[1, 2]), limit: 3 }).await;
    assert_eq!(took, [row(1, 5, 3, 0), row(2, 0, 0, 0), row(2, 0, 0, 1)]);
    let took = write(&store, TakeReady { lanes: cursors(&[2, 1]), limit: 10 }).await;
    assert_eq!(took, [row(1, 0, 2, 0), row(2, i16::MIN, 1, 0)]);
    assert!(write(&store, TakeReady { lanes: cursors(&[1, 2]), limit: 10 }).await.is_empty());
    assert!(write(&store, TakeReady { lanes: cursors(&[]), limit: 10 }).await.is_empty());
    assert_eq!(write(&store, TakeReady { lanes: cursors(&[3]), limit: 0 }).await, []);
}

#[tokio::test]
async fn a_cursor_is_where_a_claim_starts_to_look() {
    let store = in_memory().await;
    let diamond = Diamond::store(&store).await;
    let ids: Vec<_> = (0..3).map(|_| TaskId::generate()).collect();
    let row = |priority, task: usize, index| diamond.ready(LaneId(1), priority, ids[task], index);
    write(&store, PutReady { rows: vec![row(7, 2, 0), row(0, 0, 0), row(0, 1, 0), row(0, 1, 1), row(-1, 0, 0)] }).await;
    let lanes = vec![LaneCursor { lane: LaneId(1), from: Some((0, ids[1])) }];
    let took = write(&store, TakeReady { lanes, limit: 10 }).await;
    assert_eq!(took, [row(0, 1, 0), row(0, 1, 1), row(-1, 0, 0)]);
    let took = write(&store, TakeReady { lanes: cursors(&[1]), limit: 10 }).await;
    assert_eq!(took, [row(7, 2, 0), row(0, 0, 0)]);
}

transaction!(Timers { rows: Vec<TimerRow>, limit: usize } -> Vec<ReadyRow>, |self, tx| {
    tx.put_timers(&self.rows).await?;
    tx.take_due(self.limit).await
});

transaction!(Look { lanes: Vec<LaneId> } -> (Outlook, Timestamp), |self, tx| {
    Ok((tx.outlook(&self.lanes).await?, tx.now().await?))
});

#[tokio::test]
async fn timers_come_when_they_are_due() {
    let store = in_memory().await;
    let diamond = Diamond::store(&store).await;
    let row = |index| diamond.ready(diamond.lane, 3, TaskId(uuid::Uuid::from_u128(7)), index);
    let look = |lanes: &[LaneId]| store.read(Look { lanes: lanes.to_vec() });
    assert_eq!(look(&[diamond.lane]).await.unwrap().0, Outlook::default());
    let now = look(&[]).await.unwrap().1;
    let timer = |due: i64, kind, index| TimerRow { due: Timestamp(due), kind, ready: row(index) };
    let rows = vec![
        timer(now.0 + 60_000_000, TimerKind::Start, 3),
        timer(5, TimerKind::Retry, 1),
        timer(4, TimerKind::Start, 2),
        timer(6, TimerKind::Retry, 0),
    ];
    assert_eq!(write(&store, Timers { rows, limit: 2 }).await, [row(2), row(1)]);
    let (outlook, _) = look(&[diamond.lane]).await.unwrap();
    assert_eq!(outlook, Outlook { ready: false, held: false, retrying: true, next_due_us: Some(0) });
    assert!(!look(&[LaneId(99)]).await.unwrap().0.retrying);
    assert_eq!(write(&store, Timers { rows: vec![], limit: 9 }).await, [row(0)]);
    let (outlook, _) = look(&[diamond.lane]).await.unwrap();
    assert!(!outlook.retrying && outlook.next_due_us.is_some_and(|us| (1..=60_000_000).contains(&us)), "{outlook:?}");
}

transaction!(TakeKeys { rows: Vec<KeyRow> } -> Vec<Option<TaskId>>, |self, tx| tx.take_keys(&self.rows).await);

#[tokio::test]
async fn a_key_is_taken_once() {
    let store = in_memory().await;
    let ids: Vec<_> = (0..4).map(|_| TaskId::generate()).collect();
    let row = |name: &str, key: &str, task: usize| KeyRow {
        namespace: "n".into(),
        name: name.into(),
        key: key.into(),
        task: ids[task],
    };
    let took = write(&store, TakeKeys { rows: vec![row("a", "k", 0), row("a", "k", 1), row("b", "k", 1)] }).await;
    assert_eq!(took, [None, Some(ids[0]), None]);
    let took = write(&store, TakeKeys { rows: vec![row("a", "k", 2), row("a", "l", 3)] }).await;
    assert_eq!(took, [Some(ids[0]), None]);
}

transaction!(Settle { moves: Vec<StepMove> } -> Vec<StepKey>, |self, tx| tx.settle_steps(&self.moves).await);

fn step_move(key: StepKey, token: i32, to: StepState) -> StepMove {
    StepMove {
        key,
        token: Token(token),
        to,
        attempts: 1,
        crashed: 0,
        result: None,
        error: None,
        started_at: None,
        next_retry_at: None,
    }
}

#[tokio::test]
async fn only_the_present_token_settles() {
    let store = in_memory().await;
    let id = Diamond::store(&store).await.create(&store).await;
    let key = StepKey { task: id, index: 0 };
    let retry = StepMove {
        error: Some(Json::from_trusted(r#"{"message":"busy"}"#)),
        started_at: Some(Timestamp(10)),
        next_retry_at: Some(Timestamp(20)),
        crashed: 1,
        ..step_move(key, 0, StepState::WaitingForRetry)
    };
    assert_eq!(write(&store, Settle { moves: vec![retry.clone()] }).await, [key]);
    assert!(write(&store, Settle { moves: vec![retry] }).await.is_empty(), "late");
    let step = steps(&store, id).await.remove(0);
    assert_eq!((step.state, step.token, step.attempts, step.crashes), (StepState::WaitingForRetry, Token(1), 1, 1));
    assert_eq!((step.next_retry_at, step.finished_at), (Some(Timestamp(20)), None));

    let done = StepMove { result: Some(Json::null()), attempts: 2, ..step_move(key, 1, StepState::Complete) };
    let missing = step_move(StepKey { task: id, index: 9 }, 0, StepState::Complete);
    assert_eq!(write(&store, Settle { moves: vec![missing, done] }).await, [key]);
    let step = steps(&store, id).await.remove(0);
    assert_eq!((step.state, step.token, step.attempts, step.crashes), (StepState::Complete, Token(2), 2, 1));
    assert_eq!((step.next_retry_at, step.started_at), (None, Some(Timestamp(10))));
    assert_eq!((step.result, step.error), (Some(Json::null()), Some(Json::from_trusted(r#"{"message":"busy"}"#))));
    assert!(step.finished_at.is_some());
    let again = step_move(key, 2, StepState::Error);
    assert!(write(&store, Settle { moves: vec![again] }).await.is_empty(), "it was finished");
}

transaction!(Release { parents: Vec<(StepKey, i32)> } -> Vec<ReleasedStep>, |self, tx| {
    tx.release_steps(&self.parents).await
});

#[tokio::test]
async fn the_last_parent_releases_the_child() {
    let store = in_memory().await;
    let id = Diamond::store(&store).await.create(&store).await;
    let key = |index| StepKey { task: id, index };
    let released = write(&store, Release { parents: vec![(key(1), 1), (key(3), 1), (key(9), 1)] }).await;
    assert_eq!(released.iter().map(|step| step.key).collect::<Vec<_>>(), [key(1)]);
    let released = write(&store, Release { parents: vec![(key(3), 1)] }).await;
    assert_eq!(released.iter().map(|step| (step.key, step.token)).collect::<Vec<_>>(), [(key(3), Token(0))]);
    let released = store.write(Release { parents: vec![(key(3), 1)] }).await;
    assert!(matches!(released, Err(StoreError::Data(_))), "a counter below zero is a bug, not a release");
}

transaction!(Touch { touches: Vec<TaskTouch> } -> Vec<TaskMoved>, |self, tx| {
    tx.touch_tasks(&self.touches, MOVES).await
});

fn touch(id: TaskId, start: bool, live: i32, failed: i32) -> TaskTouch {
    TaskTouch { id, start, live, failed, error: None }
}

#[tokio::test]
async fn a_task_rests_when_nothing_of_it_is_live() {
    use TaskState::{Complete, Error, InProgress, Pending};
    let store = in_memory().await;
    let diamond = Diamond::store(&store).await;
    let (one, two) = (diamond.create(&store).await, diamond.create(&store).await);
    let moved = |id, from, to, seq| TaskMoved { id, from, to, seq };

    let start = vec![touch(two, true, 0, 0), touch(one, true, 0, 0), touch(TaskId::generate(), true, 0, 0)];
    let started = write(&store, Touch { touches: start }).await;
    assert_eq!(started, [moved(one, Pending, InProgress, 1), moved(two, Pending, InProgress, 1)]);
    let first = task(&store, one).await.started_at;
    assert!(first.is_some());
    assert!(write(&store, Touch { touches: vec![touch(one, true, 1, 0)] }).await.is_empty());
    assert_eq!(task(&store, one).await.started_at, first);

    let touches = vec![touch(one, false, -2, 0), TaskTouch { error: Some(Json::null()), ..touch(two, false, 0, 1) }];
    assert_eq!(write(&store, Touch { touches }).await, [moved(one, InProgress, Complete, 2)]);
    let late = TaskTouch { error: Some(Json::empty_object()), ..touch(two, false, -1, 0) };
    assert_eq!(write(&store, Touch { touches: vec![late] }).await, [moved(two, InProgress, Error, 2)]);
    assert_eq!(task(&store, two).await.error, Some(Json::null()), "the first error stays");
    assert!(task(&store, two).await.finished_at.is_some());
    assert!(write(&store, Touch { touches: vec![touch(two, true, 0, 0)] }).await.is_empty(), "only what runs rests");

    let three = diamond.create(&store).await;
    assert!(write(&store, Touch { touches: vec![touch(three, false, -1, 0)] }).await.is_empty(), "it never started");
    let both = write(&store, Touch { touches: vec![touch(three, true, 0, 0)] }).await;
    assert_eq!(both, [moved(three, Pending, InProgress, 1), moved(three, InProgress, Complete, 2)]);
}

transaction!(Hold { receipt: Receipt } -> (), |self, tx| tx.put_receipt(&self.receipt).await);
transaction!(Find { id: ReceiptId } -> Option<Receipt>, |self, tx| tx.find_receipt(self.id).await);
transaction!(DropReceipts { ids: Vec<ReceiptId> } -> (), |self, tx| tx.drop_receipts(&self.ids).await);

#[tokio::test]
async fn a_step_is_in_progress_while_a_receipt_names_it() {
    let store = in_memory().await;
    let diamond = Diamond::store(&store).await;
    let (id, other) = (diamond.create(&store).await, diamond.create(&store).await);
    let held = ReadyRow { attempts: 2, ..diamond.ready(diamond.lane, -3, id, 0) };
    let receipt = Receipt {
        id: ReceiptId::generate(),
        session: session(),
        lanes: vec![diamond.lane],
        steps: vec![held.clone(), diamond.ready(diamond.lane, 0, other, 1)],
    };
    write(&store, Hold { receipt: receipt.clone() }).await;
    let found = store.read(Find { id: receipt.id }).await.unwrap().unwrap();
    assert_eq!((found.session, &found.lanes, &found.steps), (receipt.session, &receipt.lanes, &receipt.steps));

    let seen = |steps: Vec<StepRow>| steps.into_iter().map(|step| (step.state, step.attempts)).collect::<Vec<_>>();
    let pending = (StepState::Pending, 0);
    assert_eq!(seen(steps(&store, id).await), [(StepState::InProgress, 3), pending, pending, pending]);
    assert_eq!(seen(steps(&store, other).await), [pending, (StepState::InProgress, 1), pending, pending]);
    assert!(store.read(Look { lanes: vec![diamond.lane] }).await.unwrap().0.held);

    // Moved by hand meanwhile: the receipt's token is an old one.
    write(&store, Settle { moves: vec![step_move(held.key, 0, StepState::Pending)] }).await;
    assert_eq!(seen(steps(&store, id).await)[0], (StepState::Pending, 1));
    write(&store, DropReceipts { ids: vec![receipt.id, ReceiptId::generate()] }).await;
    assert_eq!(seen(steps(&store, other).await)[1], pending);
    assert!(!store.read(Look { lanes: vec![diamond.lane] }).await.unwrap().0.held);
}

transaction!(Expire {} -> Vec<SessionId>, |self, tx| tx.expire_sessions().await);
transaction!(Renew { id: SessionId, ttl: Duration } -> bool, |self, tx| {
    let key = SessionKey { id: self.id, epoch: 0 };
    Ok(tx.hold_session(key).await? && tx.renew_session(key, self.ttl).await?)
});

#[tokio::test]
async fn a_swept_session_is_lost_to_its_holder() {
    let store = in_memory().await;
    let (holding, idle, alive) = (session(), session(), session());
    for id in [holding, idle, alive] {
        write(&store, OpenSession { id }).await;
    }
    let receipt = Receipt { id: ReceiptId::generate(), session: holding, lanes: vec![], steps: vec![] };
    write(&store, Hold { receipt: receipt.clone() }).await;
    for id in [holding, idle] {
        assert!(write(&store, Renew { id, ttl: Duration::ZERO }).await);
    }
    assert_eq!(write(&store, Expire {}).await.len(), 2);
    assert!(!write(&store, Renew { id: holding, ttl: Duration::from_secs(9) }).await);
    assert_eq!(write(&store, Expire {}).await, [holding], "what it holds is not returned yet");
    write(&store, DropReceipts { ids: vec![receipt.id] }).await;
    assert!(write(&store, Expire {}).await.is_empty());
    assert!(write(&store, Renew { id: alive, ttl: Duration::from_secs(9) }).await);
    assert_eq!(sessions(&store).await, 1);
}

transaction!(List { filter: TaskFilter, before: Option<TaskId>, limit: usize } -> (Vec<TaskId>, u64), |self, tx| {
    let found = tx.list_tasks(&self.filter, self.before, self.limit).await?;
    Ok((found.into_iter().map(|task| task.id).collect(), tx.count_tasks(&self.filter).await?))
});

#[tokio::test]
async fn listings_go_from_the_newest_and_filter() {
    let store = in_memory().await;
    let diamond = Diamond::store(&store).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let mut task = diamond.task();
        task.key = Some(format!("key {n}"));
        task.tags = if n % 2 == 0 { vec!["even".into(), "\"".into()] } else { vec![] };
        task.state = if n == 3 { TaskState::Error } else { TaskState::Pending };
        ids.push(task.id);
        write(&store, InsertTask { task }).await;
    }
    let list = async |filter: TaskFilter| store.read(List { filter, before: None, limit: 10 }).await.unwrap();
    assert_eq!(list(TaskFilter::default()).await, (ids.iter().rev().copied().collect(), 5));
    let page = store.read(List { filter: TaskFilter::default(), before: Some(ids[3]), limit: 2 }).await.unwrap();
    assert_eq!(page, (vec![ids[2], ids[1]], 5));
    let states = |states: &[TaskState]| TaskFilter { states: states.to_vec(), ..TaskFilter::default() };
    assert_eq!(list(states(&[TaskState::Error, TaskState::Paused])).await, (vec![ids[3]], 1));
    assert_eq!(list(states(&[TaskState::Pending])).await.1, 4);
    let tagged = |tag: &str| TaskFilter { tag: Some(tag.into()), ..TaskFilter::default() };
    assert_eq!(list(tagged("even")).await, (vec![ids[4], ids[2], ids[0]], 3));
    assert_eq!(list(tagged("\"")).await.1, 3);
    let by = |name: &str, key: &str| TaskFilter {
        namespace: Some("default".into()),
        name: Some(name.into()),
        version: Some("1.0.0".into()),
        key: Some(key.into()),
        ..TaskFilter::default()
    };
    assert_eq!(list(by("diamond", "key 1")).await, (vec![ids[1]], 1));
    assert_eq!(list(by("other", "key 1")).await, (vec![], 0));
    let found = task(&store, ids[0]).await;
    assert_eq!((found.context.as_str(), found.tags.len()), (r#"{"n": 1e20}"#, 2));
}

transaction!(Replace { diamond: (tasker_core::domain::id::NamedTaskId, LaneId) } -> (), |self, tx| {
    assert!(!tx.is_used(self.diamond.0).await?);
    tx.delete_named_task(self.diamond.0).await?;
    assert!(!tx.hold_named_tasks(&[self.diamond.0]).await?);
    assert!(tx.lock_named_task("default", "diamond", "1.0.0").await?.is_none());
    Ok(())
});
transaction!(Revise { id: tasker_core::domain::id::NamedTaskId } -> (), |self, tx| {
    tx.insert_revision(self.id, &Json::null()).await.map(drop)
});

#[tokio::test]
async fn a_replaced_template_is_gone_and_its_id_never_returns() {
    let store = in_memory().await;
    let old = Diamond::store(&store).await;
    let again = store.write(StoreDiamond {}).await.err();
    assert!(matches!(again, Some(StoreError::Conflict(_))), "{again:?}");
    write(&store, Replace { diamond: (old.id, old.lane) }).await;
    assert!(matches!(store.write(Revise { id: old.id }).await, Err(StoreError::TemplateGone)));
    let new = Diamond::store(&store).await;
    assert!(new.id > old.id && new.revision > old.revision && new.lane > old.lane);
}

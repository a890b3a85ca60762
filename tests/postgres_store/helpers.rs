//! What the tests of this suite share.

use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row};
use tasker_core::domain::id::*;
use tasker_core::domain::json::Json;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::storage::postgres::PostgresStore;
use tasker_core::storage::rows::*;
use tasker_core::storage::url::{DatabaseUrl, StoreOptions};
use tasker_core::storage::{Result, Store, TaskMoves, Transaction, Tx};

use crate::support::postgres::{TestDatabase, execute};

pub const MOVES: TaskMoves =
    TaskMoves { started: TaskState::InProgress, finished: TaskState::Complete, stalled: TaskState::Error };

pub async fn try_open(url: &str) -> Result<PostgresStore> {
    match DatabaseUrl::parse(url)? {
        DatabaseUrl::Postgres(url) => PostgresStore::open(&url, &StoreOptions::default()).await,
        DatabaseUrl::Sqlite(_) => panic!("{url} is not PostgreSQL"),
    }
}

pub async fn open(database: &TestDatabase) -> PostgresStore {
    try_open(&database.url).await.expect("the store opens")
}

/// Asks again and again until the answer is yes.
pub async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !ask().await {
        assert!(Instant::now() < deadline, "it never came to be that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub async fn number(connection: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query(sql).fetch_one(connection).await.expect("an answer").get(0)
}

pub fn key(task: TaskId, index: StepIndex) -> StepKey {
    StepKey { task, index }
}

pub fn ready(lane: LaneId, priority: i16, key: StepKey) -> ReadyRow {
    ReadyRow { lane, priority, key, token: Token(0), attempts: 0, state: StepState::Pending }
}

/// A template version of three steps (the first leads to both others) with one lane.
pub async fn template(store: &PostgresStore) -> (NamedTaskId, RevisionId, LaneId) {
    transact!(store.write() |tx| -> (NamedTaskId, RevisionId, LaneId) {
        let new = NewNamedTask {
            namespace: "test".into(),
            name: "fork".into(),
            version: "1.0.0".into(),
            fixed: Json::empty_object(),
            steps: vec!["first".into(), "left".into(), "right".into()],
            edges: vec![(0, 1), (0, 2)],
        };
        let id = tx.insert_named_task(&new).await?;
        let revision = tx.insert_revision(id, &Json::empty_object()).await?;
        let lane = tx.ensure_lanes(&[(id, "default".into())]).await?[0];
        Ok((id, revision, lane))
    })
    .expect("a template is stored")
}

pub fn new_task(named_task: NamedTaskId, revision: RevisionId) -> NewTask {
    let waiting = [0, 1, 1].into();
    NewTask { live: 1, waiting, ..NewTask::new(named_task, revision, Json::empty_object()) }
}

/// Stores tasks of the template with their steps; the first step of each is ready.
pub async fn create(store: &PostgresStore, named: (NamedTaskId, RevisionId, LaneId), count: usize) -> Vec<TaskId> {
    let tasks: Vec<NewTask> = (0..count).map(|_| new_task(named.0, named.1)).collect();
    let lane = named.2;
    transact!(store.write(tasks: Vec<NewTask>, lane: LaneId) |tx| -> () {
        let first: Vec<ReadyRow> = tasks.iter().map(|task| ready(*lane, 0, key(task.id, 0))).collect();
        tx.insert_tasks(tasks, &first).await
    })
    .expect("tasks are stored");
    tasks.iter().map(|task| task.id).collect()
}

pub fn complete(key: StepKey, token: Token, result: &str) -> StepMove {
    StepMove {
        key,
        token,
        to: StepState::Complete,
        attempts: 1,
        crashed: 0,
        result: Some(Json::from_trusted(result)),
        error: None,
        started_at: None,
        next_retry_at: None,
        settled_by: None,
    }
}

pub async fn settle(store: &PostgresStore, moves: Vec<StepMove>) -> Vec<StepKey> {
    transact!(store.write(moves: Vec<StepMove>) |tx| -> Vec<StepKey> {
        Ok(tx.settle_steps(moves).await?.into_iter().map(|step| step.key).collect())
    })
    .expect("steps are settled")
}

pub async fn release(store: &PostgresStore, children: Vec<(StepKey, i32)>) -> Vec<StepKey> {
    transact!(store.write(children: Vec<(StepKey, i32)>) |tx| -> Vec<StepKey> {
        Ok(tx.release_steps(children).await?.into_iter().map(|step| step.key).collect())
    })
    .expect("steps are released")
}

pub async fn take(store: &PostgresStore, lanes: Vec<LaneCursor>, limit: usize) -> Vec<ReadyRow> {
    transact!(store.write(lanes: Vec<LaneCursor>, limit: usize) |tx| -> Vec<ReadyRow> {
        Ok(tx.take_ready(lanes, *limit).await?.into_iter().map(|taken| taken.row).collect())
    })
    .expect("steps are taken")
}

/// Ends all other connections to the database for which `condition` holds.
pub async fn terminate(url: &str, condition: &str) {
    use sqlx::Connection;
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    let sql = format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
    );
    execute(&mut connection, sql).await;
}

/// Creates tasks and takes each of them all the way through.
pub async fn round(store: &PostgresStore, named: (NamedTaskId, RevisionId, LaneId), size: usize) {
    let tasks = create(store, named, size).await;
    let at = |lane| LaneCursor { lane, from: None };
    let taken = take(store, vec![at(named.2)], size).await;
    assert_eq!(taken.len(), size);
    transact!(store.write(taken: Vec<ReadyRow>) |tx| -> () { tx.put_ready(taken).await }).expect("put back");
    let taken = take(store, vec![at(named.2), at(LaneId(-1))], size).await;
    transact!(store.write(taken: Vec<ReadyRow>) |tx| -> () {
        let now = tx.now().await?;
        let keys: Vec<StepKey> = taken.iter().map(|row| row.key).collect();
        let held: Vec<_> = taken.iter().map(|row| (row.key, row.token)).collect();
        assert_eq!(tx.lock_steps(&held).await?.len(), keys.len());
        let moves: Vec<_> = taken.iter().map(|row| complete(row.key, row.token, "1")).collect();
        assert_eq!(tx.settle_steps(&moves).await?.len(), keys.len());
        let children: Vec<_> = keys.iter().flat_map(|done| [(key(done.task, 1), 1), (key(done.task, 2), 1)]).collect();
        let released = tx.release_steps(&children).await?;
        assert_eq!(released.len(), children.len());
        let kind = TimerKind::Retry;
        let timers: Vec<_> = taken.iter().map(|row| TimerRow { due: now, kind, ready: row.clone() }).collect();
        tx.put_timers(&timers).await?;
        let touch = |done: &StepKey| TaskTouch { id: done.task, start: true, live: -1, failed: 0, error: None };
        let touches: Vec<_> = keys.iter().map(touch).collect();
        assert_eq!(tx.touch_tasks(&touches, MOVES).await?.len(), 2 * keys.len(), "each starts, and then rests");
        Ok(())
    })
    .expect("settled");
    let due = transact!(store.write(size: usize) |tx| -> usize { Ok(tx.take_due(*size).await?.len()) });
    assert_eq!(due.expect("taken"), size);
    transact!(store.read(tasks: Vec<TaskId>) |tx| -> () {
        assert_eq!(tx.heads(tasks).await?.len(), tasks.len());
        assert_eq!(tx.tasks(tasks).await?.len(), tasks.len());
        assert_eq!(tx.ended(tasks).await?.len(), tasks.len());
        let keys: Vec<_> = tasks.iter().map(|task| key(*task, 0)).collect();
        assert_eq!(tx.results(&keys).await?.len(), tasks.len());
        tx.steps(tasks[0]).await?;
        tx.list_tasks(&TaskFilter::default(), None, 20).await?;
        tx.outlook(&[LaneId(1), LaneId(2)]).await.map(drop)
    })
    .expect("read");
}

//! The PostgreSQL store against real servers: what the suite that both stores share cannot ask.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row};
use tasker_core::domain::id::*;
use tasker_core::domain::json::Json;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::postgres::PostgresStore;
use tasker_core::storage::rows::*;
use tasker_core::storage::url::{DatabaseUrl, StoreOptions};
use tasker_core::storage::{Result, Store, StoreError, TaskMoves, Transaction, Tx};

use support::postgres::{Bouncer, TestDatabase, execute, free_port, fresh_database};

/// Runs a block as a transaction; it sees the variables named in front as references to clones.
macro_rules! transact {
    ($store:ident . $how:ident ($($name:ident : $type:ty),*) |$tx:ident| -> $out:ty $body:block) => {{
        struct Run { $($name: $type),* }
        impl Transaction for Run {
            type Output = $out;
            async fn run<T: Tx>(&self, $tx: &mut T) -> Result<$out> {
                $(let $name = &self.$name;)*
                $body
            }
        }
        $store.$how(Run { $($name: $name.clone()),* }).await
    }};
}

const MOVES: TaskMoves =
    TaskMoves { started: TaskState::InProgress, finished: TaskState::Complete, stalled: TaskState::Error };

async fn try_open(url: &str) -> Result<PostgresStore> {
    match DatabaseUrl::parse(url)? {
        DatabaseUrl::Postgres(url) => PostgresStore::open(&url, &StoreOptions::default()).await,
        DatabaseUrl::Sqlite(_) => panic!("{url} is not PostgreSQL"),
    }
}

async fn open(database: &TestDatabase) -> PostgresStore {
    try_open(&database.url).await.expect("the store opens")
}

/// Asks again and again until the answer is yes.
async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !ask().await {
        assert!(Instant::now() < deadline, "it never came to be that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn number(connection: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query(sql).fetch_one(connection).await.expect("an answer").get(0)
}

fn key(task: TaskId, index: StepIndex) -> StepKey {
    StepKey { task, index }
}

fn ready(lane: LaneId, priority: i16, key: StepKey) -> ReadyRow {
    ReadyRow { lane, priority, key, token: Token(0), attempts: 0, state: StepState::Pending }
}

/// A template version of three steps (the first leads to both others) with one lane.
async fn template(store: &PostgresStore) -> (NamedTaskId, RevisionId, LaneId) {
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

fn new_task(named_task: NamedTaskId, revision: RevisionId) -> NewTask {
    NewTask {
        id: TaskId::generate(),
        named_task,
        revision,
        state: TaskState::Pending,
        live: 1,
        key: None,
        priority: None,
        queue: None,
        tags: Vec::new(),
        initiator: None,
        reason: None,
        run_at: None,
        context: Json::empty_object(),
    }
}

/// Stores tasks of the template with their steps; the first step of each is ready.
async fn create(store: &PostgresStore, named: (NamedTaskId, RevisionId, LaneId), count: usize) -> Vec<TaskId> {
    let tasks: Vec<NewTask> = (0..count).map(|_| new_task(named.0, named.1)).collect();
    let lane = named.2;
    transact!(store.write(tasks: Vec<NewTask>, lane: LaneId) |tx| -> () {
        let shape: Arc<[i32]> = [0, 1, 1].into();
        let steps: Vec<NewSteps> =
            tasks.iter().map(|task| NewSteps { task: task.id, waiting: Arc::clone(&shape) }).collect();
        let first: Vec<ReadyRow> = tasks.iter().map(|task| ready(*lane, 0, key(task.id, 0))).collect();
        tx.insert_tasks(tasks).await?;
        tx.insert_steps(&steps).await?;
        tx.put_ready(&first).await
    })
    .expect("tasks are stored");
    tasks.iter().map(|task| task.id).collect()
}

fn complete(key: StepKey, token: Token, result: &str) -> StepMove {
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
    }
}

async fn settle(store: &PostgresStore, moves: Vec<StepMove>) -> Vec<StepKey> {
    transact!(store.write(moves: Vec<StepMove>) |tx| -> Vec<StepKey> { tx.settle_steps(moves).await })
        .expect("steps are settled")
}

async fn release(store: &PostgresStore, children: Vec<(StepKey, i32)>) -> Vec<StepKey> {
    transact!(store.write(children: Vec<(StepKey, i32)>) |tx| -> Vec<StepKey> {
        Ok(tx.release_steps(children).await?.into_iter().map(|step| step.key).collect())
    })
    .expect("steps are released")
}

async fn take(store: &PostgresStore, lanes: Vec<LaneCursor>, limit: usize) -> Vec<ReadyRow> {
    transact!(store.write(lanes: Vec<LaneCursor>, limit: usize) |tx| -> Vec<ReadyRow> {
        tx.take_ready(lanes, *limit).await
    })
    .expect("steps are taken")
}

// Opening.

#[tokio::test]
async fn ten_processes_that_start_at_once_migrate_once() {
    let database = fresh_database().await;
    let openers = (0..10).map(|_| try_open(&database.url));
    for store in futures_util::future::join_all(openers).await {
        store.expect("the store opens").close().await;
    }
    let mut connection = database.connect().await;
    assert_eq!(number(&mut connection, "SELECT count(*) FROM tasker_schema_migrations").await, 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let database = fresh_database().await;
    open(&database).await.close().await;
    let mut connection = database.connect().await;
    execute(&mut connection, "INSERT INTO tasker_schema_migrations (version) VALUES (99)".into()).await;
    let error = try_open(&database.url).await.err().expect("it is refused");
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the database was written by a newer tasker_core (schema 99, this one knows 1); upgrade the gem"
    );
}

#[tokio::test]
async fn a_user_without_rights_is_told_what_to_grant() {
    let database = fresh_database().await;
    let mut connection = database.connect().await;
    let role = format!("tasker_test_{}", uuid::Uuid::now_v7().as_simple());
    execute(&mut connection, format!("CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM public")).await;
    let mut url = url::Url::parse(&database.url).expect("a URL");
    url.set_username(&role).expect("a user");
    let outcome = try_open(url.as_str()).await;
    execute(&mut connection, format!("DROP ROLE {role}")).await;
    let error = outcome.err().expect("it is refused");
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    assert!(error.to_string().contains("GRANT CREATE"), "{error}");
}

#[tokio::test]
async fn an_absent_server_is_reported_at_once_and_without_the_password() {
    let url = format!("postgres://app:sesame@127.0.0.1:{}/app?connect_timeout=2", free_port());
    let started = Instant::now();
    let error = try_open(&url).await.err().expect("there is no server");
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:"), "{error}");
    assert!(!format!("{error:?}").contains("sesame"));
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_after_connect_timeout() {
    // Accepts at the level of the kernel, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let started = Instant::now();
    let url = format!("postgres://app:sesame@127.0.0.1:{port}/app?connect_timeout=0.5");
    let error = try_open(&url).await.err().expect("there is no server");
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(!format!("{error:?}").contains("sesame"));
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let database = fresh_database().await;
    let mut url = url::Url::parse(&database.url).expect("a URL");
    url.set_path("no_such_place");
    let error = try_open(url.as_str()).await.err().expect("there is no such database");
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    assert!(error.to_string().contains("\"no_such_place\""), "{error}");
}

// Trying again.

#[tokio::test]
async fn a_deadlock_is_tried_again() {
    let database = fresh_database().await;
    let store = Arc::new(open(&database).await);
    let named = template(&store).await;
    let tasks = create(&store, named, 2).await;
    let touch = |id: TaskId| TaskTouch { id, start: false, live: 1, failed: 0, error: None };
    let met = Arc::new(tokio::sync::Barrier::new(2));
    let tries = Arc::new(AtomicU32::new(0));
    let run = |first: TaskId, second: TaskId| {
        let (store, met, tries) = (Arc::clone(&store), Arc::clone(&met), Arc::clone(&tries));
        let (first, second) = (touch(first), touch(second));
        async move {
            transact!(store.write(
                first: TaskTouch, second: TaskTouch, met: Arc<tokio::sync::Barrier>, tries: Arc<AtomicU32>
            ) |tx| -> () {
                tx.touch_tasks(std::slice::from_ref(first), MOVES).await?;
                // Both have one and want the other, the first time.
                if tries.fetch_add(1, Ordering::SeqCst) < 2 {
                    met.wait().await;
                }
                tx.touch_tasks(std::slice::from_ref(second), MOVES).await.map(drop)
            })
        }
    };
    let (one, other) = tokio::join!(run(tasks[0], tasks[1]), run(tasks[1], tasks[0]));
    one.expect("it succeeds");
    other.expect("it succeeds");
    assert!(tries.load(Ordering::SeqCst) >= 3);
    let mut connection = database.connect().await;
    assert_eq!(number(&mut connection, "SELECT sum(live) FROM tasker_tasks").await, 2 + 4);
}

#[tokio::test]
async fn a_conflict_that_a_transaction_reports_is_tried_again() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let tries = Arc::new(AtomicU32::new(0));
    let outcome = transact!(store.write(tries: Arc<AtomicU32>) |tx| -> bool {
        match tries.fetch_add(1, Ordering::SeqCst) {
            0 => Err(StoreError::Conflict("once".into())),
            _ => Ok(tx.resent()),
        }
    });
    assert!(!outcome.expect("it succeeds"), "nothing was committed before");
}

#[tokio::test]
async fn a_lost_connection_is_tried_again_as_resent() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let tasks = create(&store, named, 1).await;
    let task = tasks[0];
    let url = database.url.clone();
    let resent = transact!(store.write(url: String, task: TaskId) |tx| -> bool {
        let touch = TaskTouch { id: *task, start: false, live: 1, failed: 0, error: None };
        tx.touch_tasks(&[touch], MOVES).await?;
        if !tx.resent() {
            terminate(url, "state = 'idle in transaction'").await;
        }
        Ok(tx.resent())
    });
    assert!(resent.expect("the second try succeeds"));
    let mut connection = database.connect().await;
    assert_eq!(number(&mut connection, "SELECT live::bigint FROM tasker_tasks").await, 2);
}

#[tokio::test]
async fn dead_idle_connections_go_unnoticed() {
    let database = fresh_database().await;
    let store = Arc::new(open(&database).await);
    let all = (0..5).map(|_| {
        let store = Arc::clone(&store);
        async move { transact!(store.read() |tx| -> Timestamp { tx.now().await }) }
    });
    futures_util::future::join_all(all).await.into_iter().for_each(|now| assert!(now.is_ok()));
    eventually("the connections are idle", async || store.facts().idle == store.facts().size).await;
    terminate(&database.url, "true").await;
    let resent = transact!(store.write() |tx| -> bool { tx.now().await.map(|_| tx.resent()) });
    assert!(!resent.expect("it succeeds"), "nothing had begun");
    transact!(store.read() |tx| -> Timestamp { tx.now().await }).expect("the time");
}

/// Ends all other connections to the database for which `condition` holds.
async fn terminate(url: &str, condition: &str) {
    use sqlx::Connection;
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    let sql = format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
    );
    execute(&mut connection, sql).await;
}

#[tokio::test]
async fn a_swallowed_failure_is_not_committed_as_success() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let bad = NewTask { reason: Some("a\0b".into()), ..new_task(named.0, named.1) };
    let outcome = transact!(store.write(bad: NewTask) |tx| -> () {
        let _ = tx.insert_tasks(std::slice::from_ref(bad)).await;
        Ok(())
    });
    assert!(matches!(outcome, Err(StoreError::Data(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_busy_pool_is_told_from_an_absent_server() {
    let database = fresh_database().await;
    let store = Arc::new(try_open(&database.url_with("pool=1&acquire_timeout=0.3")).await.expect("the store opens"));
    let (entered, leave) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let holder = {
        let (store, entered, leave) = (Arc::clone(&store), Arc::clone(&entered), Arc::clone(&leave));
        tokio::spawn(async move {
            transact!(store.write(entered: Arc<tokio::sync::Notify>, leave: Arc<tokio::sync::Notify>) |tx| -> () {
                tx.now().await?;
                entered.notify_one();
                leave.notified().await;
                Ok(())
            })
        })
    };
    entered.notified().await;
    let outcome = transact!(store.write() |tx| -> Timestamp { tx.now().await });
    assert!(matches!(outcome, Err(StoreError::PoolTimeout { max: 1, .. })), "{outcome:?}");
    leave.notify_one();
    holder.await.expect("no panic").expect("it succeeds");
}

// The queue.

#[tokio::test]
async fn the_best_of_all_lanes_are_taken_in_order() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let tasks: Vec<TaskId> = (0..8).map(|_| TaskId::generate()).collect();
    let (a, b, c) = (LaneId(1), LaneId(2), LaneId(3));
    let rows = vec![
        ready(a, 0, key(tasks[0], 0)),
        ready(a, i16::MIN, key(tasks[1], 0)),
        ready(b, i16::MAX, key(tasks[7], 0)),
        ready(b, 0, key(tasks[2], 1)),
        ready(b, 0, key(tasks[2], 0)),
        ready(c, 5, key(tasks[3], 0)),
    ];
    transact!(store.write(rows: Vec<ReadyRow>) |tx| -> () { tx.put_ready(rows).await }).expect("stored");
    let at = |lane| LaneCursor { lane, from: None };
    let first = take(&store, vec![at(a), at(b)], 3).await;
    assert_eq!(first, [rows[2].clone(), rows[0].clone(), rows[4].clone()]);
    let second = take(&store, vec![at(a), at(b)], 3).await;
    assert_eq!(second, [rows[3].clone(), rows[1].clone()]);
    assert_eq!(take(&store, vec![at(a), at(b)], 3).await, []);
    assert_eq!(take(&store, vec![at(c)], 3).await, [rows[5].clone()]);
}

#[tokio::test]
async fn a_cursor_is_inclusive_and_hides_what_stands_before_it() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let tasks: Vec<TaskId> = (0..4).map(|_| TaskId::generate()).collect();
    let lanes = [LaneId(1), LaneId(2)];
    let rows: Vec<ReadyRow> =
        lanes.iter().flat_map(|lane| tasks.iter().map(|task| ready(*lane, 0, key(*task, 0)))).collect();
    transact!(store.write(rows: Vec<ReadyRow>) |tx| -> () { tx.put_ready(rows).await }).expect("stored");
    let from = |lane| LaneCursor { lane, from: Some((0, tasks[2])) };
    assert_eq!(take(&store, vec![from(lanes[0])], 9).await, rows[2..4]);
    assert_eq!(take(&store, vec![from(lanes[1]), from(lanes[0])], 9).await, rows[6..8]);
    let passed = LaneCursor { lane: lanes[0], from: Some((-1, tasks[0])) };
    assert_eq!(take(&store, vec![passed], 9).await, []);
}

#[tokio::test]
async fn locked_rows_are_skipped_in_one_lane_and_in_many() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let tasks: Vec<TaskId> = (0..20).map(|_| TaskId::generate()).collect();
    let (a, b) = (LaneId(1), LaneId(2));
    let rows: Vec<ReadyRow> = (0..20).map(|i| ready(if i < 10 { a } else { b }, 0, key(tasks[i], 0))).collect();
    transact!(store.write(rows: Vec<ReadyRow>) |tx| -> () { tx.put_ready(rows).await }).expect("stored");
    let mut other = database.connect().await;
    execute(&mut other, "BEGIN; SELECT FROM tasker_ready WHERE lane = 1 ORDER BY task_id LIMIT 8 FOR UPDATE".into())
        .await;
    let at = |lane| LaneCursor { lane, from: None };
    assert_eq!(take(&store, vec![at(a)], 1).await, rows[8..9]);
    // The first five by order are locked: the next ones in either lane make up for them.
    assert_eq!(take(&store, vec![at(a), at(b)], 5).await, rows[9..14]);
    execute(&mut other, "ROLLBACK".into()).await;
    assert_eq!(take(&store, vec![at(a), at(b)], 99).await.len(), 14);
}

#[tokio::test]
async fn timers_that_are_due_are_taken_earliest_first() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let task = TaskId::generate();
    let now = transact!(store.read() |tx| -> Timestamp { tx.now().await }).expect("the time");
    let timer = |index, ms: i64, kind| TimerRow {
        due: Timestamp(now.0 + ms * 1_000),
        kind,
        ready: ready(LaneId(7), 3, key(task, index)),
    };
    let timers = vec![
        timer(0, -5, TimerKind::Start),
        timer(1, -50, TimerKind::Retry),
        timer(2, 3_600_000, TimerKind::Start),
        timer(3, -1, TimerKind::Start),
    ];
    transact!(store.write(timers: Vec<TimerRow>) |tx| -> () { tx.put_timers(timers).await }).expect("stored");
    let outlook = |lane: LaneId| {
        let store = &store;
        async move {
            transact!(store.read(lane: LaneId) |tx| -> Outlook { tx.outlook(&[*lane]).await }).expect("an outlook")
        }
    };
    assert_eq!(outlook(LaneId(7)).await, Outlook { retrying: true, next_due_us: Some(0), ..Outlook::default() });
    let due = |most: usize| {
        let store = &store;
        async move {
            let rows = transact!(store.write(most: usize) |tx| -> Vec<ReadyRow> { tx.take_due(*most).await });
            rows.expect("timers are taken").into_iter().map(|row| row.key.index).collect::<Vec<_>>()
        }
    };
    assert_eq!(due(2).await, [1, 0]);
    assert_eq!(due(9).await, [3]);
    assert_eq!(due(9).await, [0; 0]);
    let left = outlook(LaneId(7)).await;
    assert!(!left.retrying && left.next_due_us.is_some_and(|us| us > 3_000_000_000), "{left:?}");
}

#[tokio::test]
async fn the_clock_moves_with_the_offset() {
    let database = fresh_database().await;
    let options = StoreOptions::default();
    let DatabaseUrl::Postgres(url) = DatabaseUrl::parse(&database.url).expect("a URL") else { panic!("PostgreSQL") };
    let store = PostgresStore::open(&url, &options).await.expect("the store opens");
    let session = SessionId(uuid::Uuid::now_v7());
    let ttl = Duration::from_secs(60);
    transact!(store.write(session: SessionId, ttl: Duration) |tx| -> () { tx.open_session(*session, "x", *ttl).await })
        .expect("opened");
    let sweep =
        || async { transact!(store.write() |tx| -> Vec<SessionId> { tx.expire_sessions().await }).expect("swept") };
    assert_eq!(sweep().await, []);
    options.clock_offset.store(61_000_000, Ordering::Relaxed);
    assert_eq!(transact!(store.read() |tx| -> u64 { tx.live_sessions().await }).expect("a count"), 0);
    assert_eq!(sweep().await, [session]);
    assert_eq!(sweep().await, [], "it holds nothing that would have to be given back");
    let late = SessionKey { id: session, epoch: 0 };
    let renewed =
        transact!(store.write(late: SessionKey, ttl: Duration) |tx| -> bool { tx.renew_session(*late, *ttl).await });
    assert!(!renewed.expect("an answer"));
}

// Sessions.

#[tokio::test]
async fn a_session_at_work_is_not_swept_and_renewals_do_not_wait_for_it() {
    let database = fresh_database().await;
    let store = Arc::new(open(&database).await);
    let session = SessionKey { id: SessionId(uuid::Uuid::now_v7()), epoch: 0 };
    transact!(store.write(session: SessionKey) |tx| -> () { tx.open_session(session.id, "x", Duration::ZERO).await })
        .expect("opened");
    let inner = Arc::clone(&store);
    let swept = transact!(store.write(session: SessionKey, inner: Arc<PostgresStore>) |tx| -> Vec<SessionId> {
        assert!(tx.hold_session(*session).await?);
        let swept = transact!(inner.write() |tx| -> Vec<SessionId> { tx.expire_sessions().await })?;
        // Another transaction of the same session, and its renewal, go through meanwhile.
        assert!(transact!(inner.write(session: SessionKey) |tx| -> bool { tx.hold_session(*session).await })?);
        let ttl = Duration::ZERO;
        assert!(transact!(inner.write(session: SessionKey, ttl: Duration) |tx| -> bool {
            tx.renew_session(*session, *ttl).await
        })?);
        Ok(swept)
    });
    assert_eq!(swept.expect("it succeeds"), []);
    let held = Receipt {
        id: ReceiptId::generate(),
        session: session.id,
        lanes: vec![LaneId(3)],
        steps: vec![ready(LaneId(3), -7, key(TaskId::generate(), 2))],
    };
    transact!(store.write(held: Receipt) |tx| -> () { tx.put_receipt(held).await }).expect("stored");
    for _ in 0..2 {
        let swept = transact!(store.write() |tx| -> Vec<SessionId> { tx.expire_sessions().await });
        assert_eq!(swept.expect("swept"), [session.id], "as long as it holds receipts");
    }
    assert!(
        !transact!(store.write(session: SessionKey) |tx| -> bool { tx.hold_session(*session).await })
            .expect("an answer")
    );
    let found = transact!(store.write(session: SessionKey) |tx| -> Vec<Receipt> {
        tx.delete_session(session.id).await?;
        tx.receipts_of(session.id, 10).await
    })
    .expect("receipts");
    assert_eq!((found[0].id, &found[0].lanes, &found[0].steps), (held.id, &held.lanes, &held.steps));
    let again = transact!(store.write(held: Receipt) |tx| -> bool {
        tx.drop_receipts(&[held.id, ReceiptId::generate()]).await?;
        tx.delete_session(held.session).await?;
        Ok(tx.find_receipt(held.id).await?.is_some())
    });
    assert!(!again.expect("dropped"));
    let mut connection = database.connect().await;
    assert_eq!(number(&mut connection, "SELECT count(*) FROM tasker_sessions").await, 0);
}

// Settlement.

#[tokio::test]
async fn a_result_is_recorded_once() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let task = create(&store, named, 1).await[0];
    let first = complete(key(task, 0), Token(0), "1");
    assert_eq!(settle(&store, vec![first.clone()]).await, [first.key]);
    assert_eq!(settle(&store, vec![first.clone()]).await, [], "the token has grown");
    let ended = StepMove { token: Token(1), ..first };
    assert_eq!(settle(&store, vec![ended]).await, [], "the step has ended");
    let ahead = complete(key(task, 1), Token(1), "2");
    assert_eq!(settle(&store, vec![ahead]).await, [], "a token that is not there yet");
    let steps = transact!(store.read(task: TaskId) |tx| -> Vec<StepRow> { tx.steps(*task).await }).expect("steps");
    let seen: Vec<_> = steps.iter().map(|step| (step.index, step.state, step.token.0, step.waiting)).collect();
    let (complete, pending) = (StepState::Complete, StepState::Pending);
    assert_eq!(seen, [(0, complete, 1, 0), (1, pending, 0, 1), (2, pending, 0, 1)]);
    assert!(steps[0].finished_at.is_some() && steps[1].finished_at.is_none());
}

#[tokio::test]
async fn a_child_is_released_once_by_parents_that_finish_together() {
    let database = fresh_database().await;
    let store = Arc::new(open(&database).await);
    let named = template(&store).await;
    let tasks: Vec<NewTask> = (0..8).map(|_| new_task(named.0, named.1)).collect();
    transact!(store.write(tasks: Vec<NewTask>) |tx| -> () {
        let shape: Arc<[i32]> = [0, 0, 0, 0, 4].into();
        tx.insert_tasks(tasks).await?;
        let steps: Vec<_> = tasks.iter().map(|task| NewSteps { task: task.id, waiting: Arc::clone(&shape) }).collect();
        tx.insert_steps(&steps).await
    })
    .expect("stored");
    let children: Vec<(StepKey, i32)> = tasks.iter().map(|task| (key(task.id, 4), 1)).collect();
    let backwards: Vec<_> = children.iter().rev().copied().collect();
    let runs = [&children, &backwards, &children, &backwards];
    let released = futures_util::future::join_all(runs.map(|some| release(&store, some.clone()))).await;
    let mut released: Vec<StepKey> = released.into_iter().flatten().collect();
    released.sort_unstable();
    assert_eq!(released, children.iter().map(|(key, _)| *key).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_pending_children_are_released() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let task = create(&store, named, 1).await[0];
    let cancelled = StepMove { to: StepState::Cancelled, result: None, ..complete(key(task, 1), Token(0), "0") };
    settle(&store, vec![cancelled]).await;
    assert_eq!(release(&store, vec![(key(task, 2), 1), (key(task, 1), 1)]).await, [key(task, 2)]);
}

#[tokio::test]
async fn a_task_rests_when_nothing_of_it_is_live() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let task = create(&store, named, 1).await[0];
    let touch = |start, live, failed, error: Option<&str>| {
        let error = error.map(Json::from_trusted);
        let touch = TaskTouch { id: task, start, live, failed, error };
        let store = &store;
        async move {
            let moved = transact!(store.write(touch: TaskTouch) |tx| -> Vec<TaskMoved> {
                tx.touch_tasks(std::slice::from_ref(touch), MOVES).await
            });
            moved.expect("touched").first().map(|moved| (moved.from, moved.to, moved.seq))
        }
    };
    use TaskState::*;
    assert_eq!(touch(false, 1, 0, None).await, None);
    assert_eq!(touch(false, -2, 0, None).await, None, "a pending task does not come to rest");
    assert_eq!(touch(true, 2, 0, None).await, Some((Pending, InProgress, 1)));
    assert_eq!(touch(true, -1, 1, Some("\"first\"")).await, None);
    assert_eq!(touch(false, -1, 1, Some("\"second\"")).await, Some((InProgress, Error, 2)));
    let stored = transact!(store.read(task: TaskId) |tx| -> Vec<TaskRow> { tx.tasks(&[*task]).await }).expect("a task");
    assert_eq!(stored[0].error.as_ref().map(Json::as_str), Some("\"first\""));
    assert!(stored[0].started_at.is_some() && stored[0].finished_at.is_some());
    let unknown = TaskId::generate();
    let mut ended = transact!(store.read(task: TaskId, unknown: TaskId) |tx| -> Vec<TaskId> {
        tx.ended(&[*task, *unknown]).await
    })
    .expect("ended");
    ended.sort_unstable();
    assert_eq!(ended, [task, unknown]);
}

#[tokio::test]
async fn held_steps_are_in_progress_until_they_are_settled() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let task = create(&store, named, 1).await[0];
    let taken = take(&store, vec![LaneCursor { lane: named.2, from: None }], 1).await;
    let held = Receipt {
        id: ReceiptId::generate(),
        session: SessionId(uuid::Uuid::now_v7()),
        lanes: vec![named.2],
        steps: taken,
    };
    transact!(store.write(held: Receipt) |tx| -> () { tx.put_receipt(held).await }).expect("stored");
    let first = || async {
        let steps = transact!(store.read(task: TaskId) |tx| -> Vec<StepRow> { tx.steps(*task).await }).expect("steps");
        (steps[0].state, steps[0].attempts, steps[1].state)
    };
    assert_eq!(first().await, (StepState::InProgress, 1, StepState::Pending));
    let lane = named.2;
    let outlook =
        transact!(store.read(lane: LaneId) |tx| -> Outlook { tx.outlook(&[*lane]).await }).expect("an outlook");
    assert_eq!(outlook, Outlook { held: true, ..Outlook::default() });
    settle(&store, vec![complete(key(task, 0), Token(0), "null")]).await;
    assert_eq!(first().await, (StepState::Complete, 1, StepState::Pending));
}

// Creation and listing.

#[tokio::test]
async fn keys_go_to_whoever_was_first() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let ids: Vec<TaskId> = (0..4).map(|_| TaskId::generate()).collect();
    let row = |key: &str, task| KeyRow { namespace: "n".into(), name: "t".into(), key: key.into(), task };
    let take = |rows: Vec<KeyRow>| {
        let store = &store;
        async move {
            transact!(store.write(rows: Vec<KeyRow>) |tx| -> Vec<Option<TaskId>> { tx.take_keys(rows).await })
                .expect("keys are taken")
        }
    };
    let first = take(vec![row("b", ids[0]), row("a", ids[1]), row("b", ids[2])]).await;
    assert_eq!(first, [None, None, Some(ids[0])]);
    let second = take(vec![row("c", ids[3]), row("a", ids[3]), row("c", ids[0])]).await;
    assert_eq!(second, [None, Some(ids[1]), Some(ids[3])]);
}

#[tokio::test]
async fn a_template_version_is_stored_once() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let found =
        transact!(store.write() |tx| -> Option<NamedTaskRow> { tx.lock_named_task("test", "fork", "1.0.0").await });
    let found = found.expect("an answer").expect("it is there");
    assert_eq!((found.id, found.latest.map(|(id, _)| id)), (named.0, Some(named.1)));
    let task = create(&store, named, 1).await[0];
    let id = named.0;
    assert!(transact!(store.read(id: NamedTaskId) |tx| -> bool { tx.is_used(*id).await }).expect("an answer"));
    let mut connection = database.connect().await;
    let edges = sqlx::query("SELECT from_step, to_step FROM tasker_workflow_step_edges WHERE task_id = $1 ORDER BY 2");
    let edges = edges.bind(task.0).fetch_all(&mut connection).await.expect("edges");
    let edges: Vec<(String, String)> = edges.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(edges, [("first".into(), "left".into()), ("first".into(), "right".into())]);
    transact!(store.write(id: NamedTaskId) |tx| -> () { tx.delete_named_task(*id).await }).expect("deleted");
    let lanes = transact!(store.write(id: NamedTaskId) |tx| -> Vec<LaneId> {
        tx.ensure_lanes(&[(*id, "default".into())]).await
    });
    assert!(matches!(lanes, Err(StoreError::TemplateGone)), "{lanes:?}");
}

#[tokio::test]
async fn tasks_are_found_by_every_part_of_a_filter() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let plain = create(&store, named, 3).await;
    let special = NewTask {
        key: Some("k".into()),
        tags: vec!["a \"b\" \\ c, {d}".into(), String::new(), "NULL".into()],
        state: TaskState::Paused,
        priority: Some(-3),
        ..new_task(named.0, named.1)
    };
    transact!(store.write(special: NewTask) |tx| -> () { tx.insert_tasks(std::slice::from_ref(special)).await })
        .expect("stored");
    let list = |filter: TaskFilter, before: Option<TaskId>, limit: usize| {
        let store = &store;
        async move {
            transact!(store.read(filter: TaskFilter, before: Option<TaskId>, limit: usize) |tx| -> (Vec<TaskRow>, u64) {
                Ok((tx.list_tasks(filter, *before, *limit).await?, tx.count_tasks(filter).await?))
            })
            .expect("tasks are listed")
        }
    };
    let ids = |rows: &[TaskRow]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    let (page, count) = list(TaskFilter::default(), None, 2).await;
    assert_eq!((ids(&page), count), (vec![special.id, plain[2]], 4));
    assert_eq!(page[0].tags, special.tags);
    assert_eq!((page[0].priority, page[0].namespace.as_str(), page[0].name.as_str()), (Some(-3), "test", "fork"));
    let (page, _) = list(TaskFilter::default(), Some(plain[2]), 9).await;
    assert_eq!(ids(&page), [plain[1], plain[0]]);
    let everything = TaskFilter {
        states: vec![TaskState::Paused, TaskState::Error],
        namespace: Some("test".into()),
        name: Some("fork".into()),
        version: Some("1.0.0".into()),
        key: Some("k".into()),
        tag: Some(special.tags[0].clone()),
    };
    assert_eq!(list(everything.clone(), None, 9).await.1, 1);
    let elsewhere = TaskFilter { version: Some("2.0.0".into()), ..everything };
    assert_eq!(list(elsewhere, None, 9).await.1, 0);
}

#[tokio::test]
async fn json_comes_back_byte_for_byte() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let text =
        r#"{ "z":1e20,"a": -0.0, "nul":"\u0000","lone":"\ud800", "z":2, "big":18446744073709551615, "deep":[[ ]] }"#;
    let task = NewTask { context: Json::from_trusted(text), ..new_task(named.0, named.1) };
    transact!(store.write(task: NewTask) |tx| -> () {
        tx.insert_tasks(std::slice::from_ref(task)).await?;
        tx.insert_steps(&[NewSteps { task: task.id, waiting: [0, 1, 1].into() }]).await
    })
    .expect("stored");
    settle(&store, vec![complete(key(task.id, 0), Token(0), text)]).await;
    let read = transact!(store.read(task: NewTask) |tx| -> Vec<Json> {
        let head = tx.heads(&[task.id]).await?.remove(0).context;
        let row = tx.tasks(&[task.id]).await?.remove(0).context;
        let results = tx.results(&[key(task.id, 0), key(task.id, 1)]).await?;
        assert_eq!(results.len(), 1);
        let step = tx.steps(task.id).await?.remove(0).result.unwrap_or_else(Json::null);
        Ok(vec![head, row, results[0].1.clone(), step])
    })
    .expect("read");
    read.iter().for_each(|json| assert_eq!(json.as_str(), text));
    let bad = complete(key(task.id, 1), Token(0), "{");
    let refused = transact!(store.write(bad: StepMove) |tx| -> Vec<StepKey> {
        tx.settle_steps(std::slice::from_ref(bad)).await
    });
    assert!(matches!(refused, Err(StoreError::Data(_))), "{refused:?}");
}

#[tokio::test]
async fn history_is_recorded_once() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let task = TaskId::generate();
    let by = Some(SessionId(uuid::Uuid::now_v7()));
    let step = StepTransition {
        key: key(task, 1),
        seq: 1,
        from: Some(StepState::Pending),
        to: StepState::InProgress,
        attempt: 1,
        by,
        detail: Some(Json::from_trusted("{\"a\":1}")),
    };
    let born = TaskTransition { id: task, seq: 0, from: None, to: TaskState::Pending, detail: None };
    let record = || async {
        transact!(store.write(step: StepTransition, born: TaskTransition) |tx| -> () {
            tx.record_steps(std::slice::from_ref(step)).await?;
            tx.record_tasks(std::slice::from_ref(born)).await
        })
    };
    record().await.expect("recorded");
    assert!(record().await.is_err());
    let (steps, tasks) = transact!(store.read(task: TaskId) |tx| -> (Vec<HistoryRow>, Vec<HistoryRow>) {
        Ok((tx.step_history(*task).await?, tx.task_history(*task).await?))
    })
    .expect("history");
    assert_eq!(
        (steps[0].index, steps[0].from.as_deref(), steps[0].to.as_str()),
        (Some(1), Some("pending"), "in_progress")
    );
    assert_eq!((steps[0].by, steps[0].attempt), (by, 1));
    assert_eq!(
        (tasks.len(), tasks[0].index, tasks[0].from.as_deref(), tasks[0].to.as_str()),
        (1, None, None, "pending")
    );
}

// Plans.

/// Statements prepared while the tables were empty must not read whole tables once they are full:
/// the server's own counters say whether they did.
#[tokio::test]
async fn no_statement_of_the_hot_path_reads_a_whole_table() {
    let database = fresh_database().await;
    let store = try_open(&database.url_with("pool=1")).await.expect("the store opens");
    let named = template(&store).await;
    let mut connection = database.connect().await;
    execute(&mut connection, "VACUUM ANALYZE".into()).await;
    let before = sequential_scans(&mut connection).await;
    for size in [1, 1, 1, 1, 1, 1, 1, 1, 300, 300, 300] {
        round(&store, named, size).await;
    }
    store.close().await;
    eventually("the counters are in", async || {
        let mut connection = database.connect().await;
        number(&mut connection, "SELECT sum(n_tup_ins)::bigint FROM pg_stat_user_tables WHERE relname = 'tasker_ready'")
            .await
            >= 1_816
    })
    .await;
    assert_eq!(sequential_scans(&mut connection).await, before);
}

/// Creates tasks and takes each of them all the way through.
async fn round(store: &PostgresStore, named: (NamedTaskId, RevisionId, LaneId), size: usize) {
    let tasks = create(store, named, size).await;
    let at = |lane| LaneCursor { lane, from: None };
    let taken = take(store, vec![at(named.2)], size).await;
    assert_eq!(taken.len(), size);
    transact!(store.write(taken: Vec<ReadyRow>) |tx| -> () { tx.put_ready(taken).await }).expect("put back");
    let taken = take(store, vec![at(named.2), at(LaneId(-1))], size).await;
    transact!(store.write(taken: Vec<ReadyRow>) |tx| -> () {
        let now = tx.now().await?;
        let keys: Vec<StepKey> = taken.iter().map(|row| row.key).collect();
        tx.lock_steps(&keys).await?;
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
        assert_eq!(tx.touch_tasks(&touches, MOVES).await?.len(), keys.len());
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

async fn sequential_scans(connection: &mut PgConnection) -> Vec<(String, i64)> {
    let rows = sqlx::query(
        "SELECT relname::text, seq_scan FROM pg_stat_user_tables
         WHERE relname IN ('tasker_ready', 'tasker_timers', 'tasker_tasks', 'tasker_workflow_steps') ORDER BY 1",
    );
    let rows = rows.fetch_all(connection).await.expect("counters");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

// Wake-ups.

#[tokio::test]
async fn an_announcement_wakes_others_and_not_oneself() {
    let database = fresh_database().await;
    let (one, other) = (open(&database).await, open(&database).await);
    let mut connection = database.connect().await;
    let listeners = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name = 'tasker_core listener'
                       AND query LIKE 'LISTEN%'";
    eventually("both listen", async || number(&mut connection, listeners).await == 2).await;
    let (mine, mut theirs) = (one.wakeups(), other.wakeups());
    let before = *mine.borrow();
    theirs.borrow_and_update();
    one.announce();
    tokio::time::timeout(Duration::from_secs(10), theirs.changed()).await.expect("in time").expect("the store is open");
    assert_eq!(*mine.borrow(), before);
    // A lost connection is made again, and counts as a wake-up, since some may have been missed.
    theirs.borrow_and_update();
    terminate(&database.url, "application_name = 'tasker_core listener'").await;
    tokio::time::timeout(Duration::from_secs(10), theirs.changed()).await.expect("in time").expect("the store is open");
    eventually("both listen again", async || number(&mut connection, listeners).await == 2).await;
}

// Closing.

#[tokio::test]
async fn closing_and_dropping_release_every_connection() {
    let database = fresh_database().await;
    let mut connection = database.connect().await;
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let store = open(&database).await;
    transact!(store.read() |tx| -> Timestamp { tx.now().await }).expect("the time");
    store.announce();
    store.close().await;
    eventually("nobody is connected", async || number(&mut connection, others).await == 0).await;
    for outcome in [
        transact!(store.read() |tx| -> Timestamp { tx.now().await }),
        transact!(store.write() |tx| -> Timestamp { tx.now().await }),
    ] {
        assert!(matches!(outcome, Err(StoreError::Closed)), "{outcome:?}");
    }
    store.close().await;
    let dropped = open(&database).await;
    transact!(dropped.read() |tx| -> Timestamp { tx.now().await }).expect("the time");
    drop(dropped);
    eventually("nobody is connected", async || number(&mut connection, others).await == 0).await;
}

// Behind PgBouncer.

#[tokio::test]
async fn all_of_it_works_behind_pgbouncer_in_transaction_mode() {
    let database = fresh_database().await;
    let bouncer = Bouncer::before(&database);
    let url = format!("{}?prepared=false&pool=10", bouncer.url(&database));
    let store = Arc::new(try_open(&url).await.expect("the store opens"));
    let named = template(&store).await;
    let works = (0..6).map(|_| async {
        for _ in 0..5 {
            let task = create(&store, named, 3).await[0];
            settle(&store, vec![complete(key(task, 0), Token(0), "{}")]).await;
            release(&store, vec![(key(task, 1), 1)]).await;
            let steps = transact!(store.read(task: TaskId) |tx| -> Vec<StepRow> { tx.steps(*task).await });
            assert_eq!(steps.expect("steps").len(), 3);
            transact!(store.read() |tx| -> Vec<TaskRow> { tx.list_tasks(&TaskFilter::default(), None, 5).await })
                .expect("tasks");
        }
    });
    futures_util::future::join_all(works).await;
    while !take(&store, vec![LaneCursor { lane: named.2, from: None }], 50).await.is_empty() {}
    round(&store, named, 90).await;
    store.announce();
    store.close().await;
}

#[tokio::test]
async fn a_missing_prepared_option_is_explained() {
    let database = fresh_database().await;
    let bouncer = Bouncer::before(&database);
    let store = Arc::new(try_open(&bouncer.url(&database)).await.expect("the store opens"));
    let reads = (0..40).map(|_| {
        let store = Arc::clone(&store);
        async move { transact!(store.read() |tx| -> Timestamp { tx.now().await }) }
    });
    let outcomes = futures_util::future::join_all(reads).await;
    let error = outcomes.into_iter().find_map(Result::err).expect("statements get mixed up");
    assert!(error.to_string().contains("prepared=false"), "{error}");
}

//! A fresh database with a clock to move, and rows to put into it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tasker_core::domain::id::*;
use tasker_core::domain::json::Json;
use tasker_core::domain::state::StepState;
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::*;
use tasker_core::storage::url::{DatabaseUrl, StoreOptions};
use tasker_core::storage::{AnyStore, Result, Store, Transaction};

use crate::calls::*;
pub use crate::support::behind::*;

/// Declares tests that run on a fresh database of each kind.
macro_rules! on_each_store {
    ($(async fn $name:ident($db:ident: &Database) $body:block)+) => {
        $crate::on_each_database! {
            $(fn $name(url: &str) { $crate::bench::run(url, async |$db: &$crate::bench::Database| $body) })+
        }
    };
}

/// Runs a test on the database with this URL, for at most a minute.
pub fn run(url: &str, test: impl AsyncFnOnce(&Database)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = Database::open(url).await;
        soon("the test", test(&db)).await;
        db.store.close().await;
    });
}

/// Waits for `future`, for at most a minute.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap_or_else(|_| panic!("{what} took over 60 s"))
}

/// A store that tests share among tasks, and its clock.
pub struct Database {
    pub url: String,
    pub options: StoreOptions,
    pub store: Arc<AnyStore>,
}

impl Database {
    pub async fn open(url: &str) -> Self {
        let options = StoreOptions { acquire_timeout: Duration::from_secs(30), ..StoreOptions::default() };
        let store = AnyStore::open(&DatabaseUrl::parse(url).unwrap(), &options).await.unwrap();
        Self { url: url.to_owned(), options, store: Arc::new(store) }
    }

    /// Another store on the same database, as another process has it; the clock is the same.
    pub async fn beside(&self) -> Result<Arc<AnyStore>> {
        AnyStore::open(&DatabaseUrl::parse(&self.url).unwrap(), &self.options).await.map(Arc::new)
    }

    pub async fn try_write<X: Transaction>(&self, transaction: X) -> Result<X::Output> {
        self.store.write(transaction).await
    }

    pub async fn write<X: Transaction>(&self, transaction: X) -> X::Output {
        self.store.write(transaction).await.unwrap()
    }

    pub async fn read<X: Transaction>(&self, transaction: X) -> X::Output {
        self.store.read(transaction).await.unwrap()
    }

    /// Moves the database's clock.
    pub fn travel(&self, span: Duration) {
        self.options.clock_offset.fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }

    pub async fn task(&self, id: TaskId) -> TaskRow {
        self.read(Tasks { ids: vec![id] }).await.remove(0)
    }

    pub async fn step(&self, key: StepKey) -> StepRow {
        self.read(Steps { task: key.task }).await.remove(key.index as usize)
    }
}

pub const MINUTE: Duration = Duration::from_secs(60);

pub fn session() -> SessionId {
    SessionId(uuid::Uuid::now_v7())
}

/// The key of a session nobody swept.
pub fn fresh(id: SessionId) -> SessionKey {
    SessionKey { id, epoch: 0 }
}

/// `count` ids in ascending order.
pub fn task_ids(count: usize) -> Vec<TaskId> {
    (0..count).map(|_| TaskId::generate()).collect()
}

/// A stored template `shop/diamond 1.0.0` of four steps: a → (b, c) → d.
#[derive(Clone, Copy)]
pub struct Diamond {
    pub id: NamedTaskId,
    pub revision: RevisionId,
    pub lane: LaneId,
}

/// How many parents each step of a diamond has.
pub const DIAMOND: [i32; 4] = [0, 1, 1, 2];

pub fn diamond(version: &str) -> NewNamedTask {
    NewNamedTask {
        namespace: "shop".into(),
        name: "diamond".into(),
        version: version.into(),
        fixed: Json::empty_object(),
        steps: ["a", "b", "c", "d"].map(String::from).to_vec(),
        edges: vec![(0, 1), (0, 2), (1, 3), (2, 3)],
    }
}

transaction!(StoreTemplate { new: NewNamedTask } -> Diamond, |self, tx| {
    let id = tx.insert_named_task(&self.new).await?;
    let revision = tx.insert_revision(id, &Json::empty_object()).await?;
    let lane = tx.ensure_lanes(&[(id, "default".into())]).await?[0];
    Ok(Diamond { id, revision, lane })
});

impl Diamond {
    pub async fn store(db: &Database) -> Self {
        db.write(StoreTemplate { new: diamond("1.0.0") }).await
    }

    /// Another version of it.
    pub async fn store_again(db: &Database) -> Self {
        db.write(StoreTemplate { new: diamond("9.0.0") }).await
    }

    /// A task with nothing but what it needs.
    pub fn task(&self) -> NewTask {
        let waiting = Arc::from(DIAMOND);
        NewTask { live: 1, waiting, ..NewTask::new(self.id, self.revision, Json::empty_object()) }
    }

    /// Stores tasks with their steps.
    pub async fn insert(&self, db: &Database, tasks: Vec<NewTask>) -> Timestamp {
        db.write(InsertTasks { tasks, ready: vec![] }).await
    }

    pub async fn create(&self, db: &Database) -> TaskId {
        let task = self.task();
        let id = task.id;
        self.insert(db, vec![task]).await;
        id
    }
}

/// A claimable step that nobody has tried yet.
pub fn ready(lane: LaneId, priority: i16, task: TaskId, index: StepIndex) -> ReadyRow {
    ReadyRow { lane, priority, key: StepKey { task, index }, token: Token(0), attempts: 0, state: StepState::Pending }
}

/// Cursors at the beginning of these lanes.
pub fn from_the_start(lanes: &[LaneId]) -> Vec<LaneCursor> {
    lanes.iter().map(|&lane| LaneCursor { lane, from: None }).collect()
}

/// A move that changes nothing but the state.
pub fn step_move(key: StepKey, token: i32, to: StepState) -> StepMove {
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
        settled_by: None,
    }
}

/// A touch without an error.
pub fn touch(id: TaskId, start: bool, live: i32, failed: i32) -> TaskTouch {
    TaskTouch { id, start, live, failed, error: None }
}

/// The receipt of a session that holds `steps`.
pub fn receipt(session: SessionId, steps: Vec<ReadyRow>) -> NewReceipt {
    NewReceipt { id: ReceiptId::generate(), session, steps }
}

pub fn json(text: &str) -> Json {
    Json::from_trusted(text)
}

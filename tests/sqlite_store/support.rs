//! Small transactions, a scratch folder, and waiting with a deadline.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tasker_core::domain::id::{NamedTaskId, RevisionId, SessionId, TaskId};
use tasker_core::domain::json::Json;
use tasker_core::storage::rows::*;
use tasker_core::storage::sqlite::SqliteStore;
use tasker_core::storage::url::{DatabaseUrl, SqliteUrl, StoreOptions};
use tasker_core::storage::{Result, Store, Transaction};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A scratch folder and files in it.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Opens the store in the file `tasker.sqlite3`.
    pub async fn open(&self) -> SqliteStore {
        open(&url(&self.file("tasker.sqlite3"))).await.unwrap()
    }
}

pub fn url(path: &std::path::Path) -> SqliteUrl {
    parsed(&format!("sqlite://{}", path.display()))
}

pub fn parsed(text: &str) -> SqliteUrl {
    match DatabaseUrl::parse(text) {
        Ok(DatabaseUrl::Sqlite(url)) => url,
        other => panic!("{text}: {other:?}"),
    }
}

pub async fn open(url: &SqliteUrl) -> Result<SqliteStore> {
    SqliteStore::open(url, &StoreOptions::default()).await
}

pub async fn in_memory() -> SqliteStore {
    open(&parsed("sqlite::memory:")).await.unwrap()
}

/// Waits until `condition` holds, for ten seconds at most.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen within 10 s");
        std::thread::yield_now();
    }
}

/// Waits for `future`, for ten seconds at most.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.unwrap_or_else(|_| panic!("{what} took over 10 s"))
}

transaction!(OpenSession { id: SessionId } -> (), |self, tx| {
    tx.open_session(self.id, "test", Duration::from_secs(60)).await
});

// Keeps the writer busy until it is let go, so that what comes next is one group.
transaction!(Gate { entered: Mutex<Sender<()>>, go: Mutex<Receiver<()>> } -> (), |self, tx| {
    tx.now().await?;
    self.entered.lock().send(()).unwrap();
    self.go.lock().recv().unwrap();
    Ok(())
});

/// Has a [`Gate`] keep the writer, until it is sent something.
pub async fn hold_writer(store: &Arc<SqliteStore>) -> (JoinHandle<Result<()>>, Sender<()>) {
    let ((entered, is_in), (go, wait)) = (channel(), channel());
    let store = store.clone();
    let gate = async move { store.write(Gate { entered: Mutex::new(entered), go: Mutex::new(wait) }).await };
    let gate = tokio::spawn(gate);
    tokio::task::spawn_blocking(move || is_in.recv().unwrap()).await.unwrap();
    (gate, go)
}

transaction!(CountSessions {} -> u64, |self, tx| tx.live_sessions().await);

pub fn session() -> SessionId {
    SessionId(Uuid::now_v7())
}

pub async fn sessions(store: &SqliteStore) -> u64 {
    store.read(CountSessions {}).await.unwrap()
}

/// A template `default/diamond 1.0.0` of four steps.
pub struct Diamond {
    pub id: NamedTaskId,
    pub revision: RevisionId,
}

transaction!(StoreDiamond {} -> Diamond, |self, tx| {
    let new = NewNamedTask {
        namespace: "default".into(),
        name: "diamond".into(),
        version: "1.0.0".into(),
        fixed: Json::empty_object(),
        steps: ["a", "b", "c", "d"].map(String::from).to_vec(),
        edges: vec![(0, 1), (0, 2), (1, 3), (2, 3)],
    };
    let id = tx.insert_named_task(&new).await?;
    let revision = tx.insert_revision(id, &Json::empty_object()).await?;
    Ok(Diamond { id, revision })
});

transaction!(InsertTask { task: NewTask } -> (), |self, tx| {
    tx.insert_tasks(std::slice::from_ref(&self.task), &[]).await
});

impl Diamond {
    pub async fn store(store: &SqliteStore) -> Self {
        store.write(StoreDiamond {}).await.unwrap()
    }

    pub fn task(&self) -> NewTask {
        let waiting = Arc::from([0, 1, 1, 2]);
        NewTask { live: 1, waiting, ..NewTask::new(self.id, self.revision, Json::from_trusted(r#"{"n": 1e20}"#)) }
    }

    /// Stores a task and its steps.
    pub async fn create(&self, store: &SqliteStore) -> TaskId {
        let task = self.task();
        let id = task.id;
        store.write(InsertTask { task }).await.unwrap();
        id
    }
}

pub async fn task(store: &SqliteStore, id: TaskId) -> TaskRow {
    transaction!(Find { id: TaskId } -> Vec<TaskRow>, |self, tx| tx.tasks(&[self.id]).await);
    store.read(Find { id }).await.unwrap().remove(0)
}

/// Runs a transaction that is expected to succeed.
pub async fn write<X: Transaction>(store: &SqliteStore, transaction: X) -> X::Output {
    store.write(transaction).await.unwrap()
}

/// How many descriptors of this process are of files whose path begins like this.
pub fn descriptors_of(path: &std::path::Path) -> usize {
    let prefix = path.to_str().unwrap().to_owned();
    std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|target| target.to_str().is_some_and(|target| target.starts_with(&prefix)))
        .count()
}

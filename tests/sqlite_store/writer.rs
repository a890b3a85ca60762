//! The one writer: groups, isolation of the failing, waiting.

use std::sync::Arc;
use std::sync::mpsc::channel;

use parking_lot::Mutex;
use tasker_core::domain::id::SessionId;
use tasker_core::storage::{Store, StoreError};

use crate::support::*;

transaction!(Fail { id: SessionId } -> (), |self, tx| {
    tx.open_session(self.id, "never seen", std::time::Duration::from_secs(60)).await?;
    Err(StoreError::SessionLost)
});

transaction!(Panic { id: SessionId } -> (), |self, tx| {
    tx.open_session(self.id, "never seen", std::time::Duration::from_secs(60)).await?;
    panic!("on purpose")
});

transaction!(Pend {} -> (), |self, tx| {
    tx.now().await?;
    tokio::task::yield_now().await;
    Ok(())
});

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_the_failing_fail_alone() {
    for store in [in_memory().await, Folder::new().open().await] {
        let store = Arc::new(store);
        let (gate, go) = hold_writer(&store).await;

        let twice = session();
        let good: Vec<_> = (0..40).map(|_| store.write(OpenSession { id: session() })).collect();
        let all = async {
            tokio::join!(
                futures_util::future::join_all(good),
                store.write(Fail { id: session() }),
                store.write(Panic { id: session() }),
                store.write(Pend {}),
                store.write(OpenSession { id: twice }),
                store.write(OpenSession { id: twice }),
            )
        };
        let let_go = async {
            tokio::task::yield_now().await;
            go.send(()).unwrap();
        };
        let ((good, failed, panicked, pended, first, second), ()) =
            soon("the group", async { tokio::join!(all, let_go) }).await;
        gate.await.unwrap().unwrap();

        assert!(good.iter().all(Result::is_ok));
        assert!(matches!(failed, Err(StoreError::SessionLost)));
        assert!(matches!(&panicked, Err(StoreError::Fault(panic)) if panic.message == "on purpose"));
        assert!(matches!(pended, Err(StoreError::Database(_))));
        assert!(first.is_ok());
        assert!(matches!(second, Err(StoreError::Data(_))), "{second:?}");
        assert_eq!(sessions(&store).await, 41);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_do_not_wait_for_the_writer() {
    let folder = Folder::new();
    let store = Arc::new(folder.open().await);
    let (gate, go) = hold_writer(&store).await;
    assert_eq!(soon("the read", sessions(&store)).await, 0);
    go.send(()).unwrap();
    gate.await.unwrap().unwrap();
    assert_eq!(store.facts().size, 1);
    assert_eq!(store.facts().idle, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_in_use_says_so() {
    let folder = Folder::new();
    let mut url = url(&folder.file("tasker.sqlite3"));
    (url.pool, url.acquire_timeout) = (Some(1), Some(std::time::Duration::from_millis(20)));
    let store = Arc::new(open(&url).await.unwrap());
    let ((entered, is_in), (go, wait)) = (channel(), channel());
    let gate = tokio::spawn({
        let store = store.clone();
        async move { store.read(Gate { entered: Mutex::new(entered), go: Mutex::new(wait) }).await }
    });
    tokio::task::spawn_blocking(move || is_in.recv().unwrap()).await.unwrap();
    assert!(
        matches!(store.read(CountSessions {}).await, Err(StoreError::PoolTimeout(pool)) if pool.max == 1 && pool.in_use == 1)
    );
    go.send(()).unwrap();
    gate.await.unwrap().unwrap();
    assert_eq!(sessions(&store).await, 0);
}

#[tokio::test]
async fn a_file_kept_locked_by_another_is_waited_for_and_then_named() {
    let folder = Folder::new();
    let mut url = url(&folder.file("tasker.sqlite3"));
    url.busy_timeout = std::time::Duration::from_millis(30);
    let store = open(&url).await.unwrap();
    let other = rusqlite::Connection::open(folder.file("tasker.sqlite3")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    match store.write(OpenSession { id: session() }).await {
        Err(error @ StoreError::Conflict(_)) => assert!(error.to_string().contains("busy_timeout"), "{error}"),
        other => panic!("{other:?}"),
    }
    other.execute_batch("ROLLBACK").unwrap();
    write(&store, OpenSession { id: session() }).await;
    assert_eq!(sessions(&store).await, 1);
}

#[tokio::test]
async fn a_writer_with_nothing_to_do_moves_the_log_into_the_file() {
    let folder = Folder::new();
    let store = folder.open().await;
    let diamond = Diamond::store(&store).await;
    let mut task = diamond.task();
    task.context = tasker_core::domain::json::Json::of(&"x".repeat(6_000_000)).unwrap();
    write(&store, InsertTask { task }).await;
    let size = |name| std::fs::metadata(folder.file(name)).map_or(0, |found| found.len());
    eventually("a checkpoint", || size("tasker.sqlite3") > 6_000_000);
}

#[tokio::test]
async fn the_log_is_moved_into_the_file_now_and_then() {
    let folder = Folder::new();
    let store = folder.open().await;
    let diamond = Diamond::store(&store).await;
    for _ in 0..8 {
        let mut task = diamond.task();
        let text = "x".repeat(4_000_000);
        task.context = tasker_core::domain::json::Json::of(&text).unwrap();
        write(&store, InsertTask { task }).await;
    }
    let size = |name| std::fs::metadata(folder.file(name)).map_or(0, |found| found.len());
    eventually("a checkpoint", || size("tasker.sqlite3") > 16_000_000);
}

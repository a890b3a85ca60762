//! Failures that the store gets over, and those it reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tasker_core::domain::id::*;
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::*;
use tasker_core::storage::{Result, Store, StoreError, Transaction, Tx};

use crate::support::postgres::{Server, database_on, fresh_database};

use crate::helpers::*;

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
async fn a_transaction_of_a_process_that_stands_still_lets_go_of_its_locks_and_is_tried_again() {
    let database = fresh_database().await;
    let store = Arc::new(open(&database).await);
    let named = template(&store).await;
    let task = create(&store, named, 1).await[0];
    let (locked, go_on) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let still = {
        let (store, locked, go_on) = (Arc::clone(&store), Arc::clone(&locked), Arc::clone(&go_on));
        tokio::spawn(async move {
            transact!(store.write(
                task: TaskId, locked: Arc<tokio::sync::Notify>, go_on: Arc<tokio::sync::Notify>
            ) |tx| -> bool {
                let touch = TaskTouch { id: *task, start: false, live: 1, failed: 0, error: None };
                tx.touch_tasks(&[touch], MOVES).await?;
                if !tx.resent() {
                    locked.notify_one();
                    go_on.notified().await;
                }
                Ok(tx.resent())
            })
        })
    };
    locked.notified().await;
    let other = async {
        transact!(store.write(task: TaskId) |tx| -> () {
            let touch = TaskTouch { id: *task, start: false, live: 1, failed: 0, error: None };
            tx.touch_tasks(&[touch], MOVES).await.map(drop)
        })
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), other).await;
    go_on.notify_one();
    waited.expect("it gets the lock").expect("it succeeds");
    let resent = still.await.expect("no panic").expect("the second try succeeds");
    assert!(resent, "the first one was committed after all");
    let mut connection = database.connect().await;
    assert_eq!(number(&mut connection, "SELECT live::bigint FROM tasker_tasks").await, 3);
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

#[tokio::test]
async fn a_swallowed_failure_is_not_committed_as_success() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let bad = NewTask { reason: Some("a\0b".into()), ..new_task(named.0, named.1) };
    let outcome = transact!(store.write(bad: NewTask) |tx| -> () {
        let _ = tx.insert_tasks(std::slice::from_ref(bad), &[]).await;
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
    assert!(matches!(&outcome, Err(StoreError::PoolTimeout(pool)) if pool.max == 1 && pool.in_use == 1), "{outcome:?}");
    leave.notify_one();
    holder.await.expect("no panic").expect("it succeeds");
}

/// Each write leaves a receipt under an id that it would find again, and only then is it counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_server_loses_nothing_and_repeats_nothing() {
    let server = Server::start();
    let database = database_on(server.url()).await;
    let store = Arc::new(open(&database).await);
    let (written, resent) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let stop = Arc::new(AtomicBool::new(false));
    let writers = (0..4).map(|_| {
        let (store, written, resent, stop) =
            (Arc::clone(&store), Arc::clone(&written), Arc::clone(&resent), Arc::clone(&stop));
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let receipt =
                    NewReceipt { id: ReceiptId::generate(), session: SessionId(uuid::Uuid::nil()), steps: Vec::new() };
                transact!(store.write(receipt: NewReceipt, resent: Arc<AtomicU32>) |tx| -> () {
                    if tx.resent() {
                        resent.fetch_add(1, Ordering::SeqCst);
                        if tx.find_receipt(receipt.id).await?.is_some() {
                            return Ok(());
                        }
                    }
                    tx.put_receipt(receipt).await.map(drop)
                })
                .expect("it is written in the end");
                written.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..3 {
        let target = written.load(Ordering::SeqCst) + 50;
        eventually("writing goes on", async || written.load(Ordering::SeqCst) >= target).await;
        server.crash();
    }
    let target = written.load(Ordering::SeqCst) + 50;
    eventually("writing goes on", async || written.load(Ordering::SeqCst) >= target).await;
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.expect("no panic");
    }
    assert!(resent.load(Ordering::SeqCst) > 0, "no crash hit a transaction");
    let mut connection = database.connect().await;
    let stored = number(&mut connection, "SELECT count(*) FROM tasker_receipts").await;
    assert_eq!(stored, i64::from(written.load(Ordering::SeqCst)));
}

//! Wake-ups between processes, and the end of a store.

use std::time::Duration;

use tasker_core::domain::time::Timestamp;
use tasker_core::storage::{Result, Store, StoreError, Transaction, Tx};

use crate::support::postgres::fresh_database;

use crate::helpers::*;

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

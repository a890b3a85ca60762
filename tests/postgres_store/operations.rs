//! A task that is taken in hand while others have a part of it.

use std::time::Duration;

use sqlx::Connection;
use tasker_core::domain::id::{StepKey, TaskId};
use tasker_core::storage::rows::ReadyRow;
use tasker_core::storage::{Result, Store, StoreError, Transaction, Tx};

use crate::support::postgres::{execute, fresh_database};

use crate::helpers::*;

#[tokio::test]
async fn whoever_wants_all_steps_waits_for_none_or_not_for_long() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let task = create(&store, named, 1).await[0];
    let mut other = database.connect().await;
    for patience in [Duration::ZERO, Duration::from_millis(20)] {
        let lock = async || {
            transact!(store.write(task: TaskId, patience: Duration) |tx| -> () {
                tx.lock_steps_of(*task, *patience).await
            })
        };
        let mut held = other.begin().await.expect("a transaction");
        execute(
            &mut held,
            format!("SELECT FROM tasker_workflow_steps WHERE task_id = '{task}' AND idx = 2 FOR UPDATE"),
        )
        .await;
        let refused = lock().await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
        held.rollback().await.expect("it ends");
        lock().await.expect("nobody has a step");
    }
}

#[tokio::test]
async fn a_task_is_taken_in_hand_without_reading_a_whole_table() {
    let database = fresh_database().await;
    let store = try_open(&database.url_with("pool=1")).await.expect("the store opens");
    let named = template(&store).await;
    let mut connection = database.connect().await;

    let scans = async || {
        let sql = "SELECT coalesce(sum(seq_scan), 0)::bigint FROM pg_stat_user_tables WHERE relname LIKE 'tasker%'";
        let mut connection = database.connect().await;
        number(&mut connection, sql).await
    };
    execute(&mut connection, "VACUUM ANALYZE".into()).await;
    let before = scans().await;
    for task in create(&store, named, 40).await {
        let row: ReadyRow = ready(named.2, 0, StepKey { task, index: 0 });
        transact!(store.write(task: TaskId, row: ReadyRow) |tx| -> () {
            tx.lock_steps_of(*task, Duration::ZERO).await?;
            tx.take_task_out(*task, std::slice::from_ref(row)).await?;
            tx.lock_task(*task).await.map(|_| ())
        })
        .expect("it is taken");
    }
    store.close().await;
    assert_eq!(number(&mut connection, "SELECT count(*) FROM tasker_ready").await, 0);
    eventually("the counters are in", async || {
        let sql = "SELECT sum(n_tup_del)::bigint FROM pg_stat_user_tables WHERE relname = 'tasker_ready'";
        let mut connection = database.connect().await;
        number(&mut connection, sql).await >= 40
    })
    .await;
    // One for the count above, which reads the table.
    assert!(scans().await <= before + 1);
}

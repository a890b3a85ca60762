//! Behind PgBouncer in transaction mode.

use std::sync::Arc;

use tasker_core::domain::id::*;
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::*;
use tasker_core::storage::url::DatabaseUrl;
use tasker_core::storage::{AnyStore, Result, Store, Transaction, Tx};

use crate::support::postgres::{Bouncer, fresh_database};

use crate::helpers::*;

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
    // What is examined shares the pooler's few connections with what works.
    let parsed = DatabaseUrl::parse(&url).expect("a URL");
    for found in futures_util::future::join_all((0..4).map(|_| AnyStore::examine(&parsed, 2))).await {
        let found = found.expect("it is examined");
        assert_eq!((found.is_outdated(), found.commits.len()), (false, 2), "{found:?}");
    }
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

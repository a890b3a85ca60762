//! What listeners are told while the server crashes under the commits.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tasker_core::domain::id::*;
use tasker_core::storage::feed::{Batch, Recorded, Told};
use tasker_core::storage::rows::TaskTransition;
use tasker_core::storage::{Result, Store, Transaction, Tx};

use crate::helpers::*;
use crate::support::postgres::{Server, database_on};

/// The tasks whose creation was told of.
#[derive(Default)]
struct Heard {
    committed: Vec<TaskId>,
    in_doubt: HashSet<TaskId>,
}

fn tasks(batch: Batch) -> impl Iterator<Item = TaskId> {
    batch.into_iter().map(|recorded| match recorded {
        Recorded::Task(row, _) => row.id,
        Recorded::Step(row, _) => row.key.task,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_is_told_once_or_is_in_doubt() {
    let server = Server::start();
    let database = database_on(server.url()).await;
    let store = Arc::new(open(&database).await);
    let heard = Arc::new(Mutex::new(Heard::default()));
    let hears = heard.clone();
    store.feed().listen(move |told| {
        let mut heard = hears.lock().expect("the lock");
        match told {
            Told::Committed(batch) => heard.committed.extend(tasks(batch)),
            Told::InDoubt(batch) => heard.in_doubt.extend(tasks(batch)),
        }
    });
    store.feed().set_open(true);

    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4).map(|_| tokio::spawn(write_until(store.clone(), stop.clone()))).collect();
    let told = || heard.lock().expect("the lock").committed.len();
    let mut crashes = 0;
    // Most hit a commit; not every one does.
    while crashes < 3 || (crashes < 20 && heard.lock().expect("the lock").in_doubt.is_empty()) {
        let target = told() + 50;
        eventually("writing goes on", async || told() >= target).await;
        server.crash();
        crashes += 1;
    }
    let target = told() + 50;
    eventually("writing goes on", async || told() >= target).await;
    stop.store(true, Ordering::SeqCst);
    let mut written = HashSet::new();
    for writer in writers {
        written.extend(writer.await.expect("no panic"));
    }

    let heard = heard.lock().expect("the lock");
    let committed: HashSet<TaskId> = heard.committed.iter().copied().collect();
    assert_eq!(committed.len(), heard.committed.len(), "something was told of twice");
    assert_eq!(committed.difference(&written).count(), 0, "something was told of that was not written");
    assert!(!heard.in_doubt.is_empty(), "no crash hit a commit");
    let untold: Vec<_> = written.difference(&committed).filter(|id| !heard.in_doubt.contains(id)).collect();
    assert!(untold.is_empty(), "nothing was said of {untold:?}");
}

/// Writes one transition after another, each until it is stored, and gives their tasks.
async fn write_until(store: Arc<tasker_core::storage::postgres::PostgresStore>, stop: Arc<AtomicBool>) -> Vec<TaskId> {
    let mut written = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let born = TaskTransition::created(TaskId::generate(), RevisionId(1));
        transact!(store.write(born: TaskTransition) |tx| -> () {
            if tx.resent() && !tx.task_history(born.id).await?.is_empty() {
                return Ok(());
            }
            tx.record_tasks(std::slice::from_ref(born)).await
        })
        .expect("it is written in the end");
        written.push(born.id);
    }
    written
}

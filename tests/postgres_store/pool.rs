//! Who gets which connection.

use std::sync::Arc;
use std::time::Duration;

use tasker_core::domain::time::Timestamp;
use tasker_core::storage::{Result, Store, Transaction, Tx};
use tokio::sync::Barrier;
use tokio::time::timeout;

use crate::support::postgres::fresh_database;

use crate::helpers::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_read_at_once_as_there_are_connections_one_of_which_has_written() {
    const SIZE: usize = 4;
    const ROUNDS: usize = 500;
    let database = fresh_database().await;
    let separator = if database.url.contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}pool={SIZE}&acquire_timeout=5", database.url);
    let store = Arc::new(try_open(&url).await.expect("the store opens"));
    for round in 0..ROUNDS {
        transact!(store.write() |tx| -> Timestamp { tx.now().await }).expect("the time");
        let met = Arc::new(Barrier::new(SIZE));
        let readers = Vec::from_iter((0..SIZE).map(|_| {
            let (store, met) = (Arc::clone(&store), Arc::clone(&met));
            tokio::spawn(async move {
                transact!(store.read(met: Arc<Barrier>) |tx| -> Timestamp {
                    let now = tx.now().await?;
                    met.wait().await;
                    Ok(now)
                })
            })
        }));
        for reader in readers {
            let read = timeout(Duration::from_secs(2), reader).await;
            let read = read.unwrap_or_else(|_| panic!("in round {round} one waits while a connection is idle"));
            read.expect("it ends").expect("the time");
        }
    }
}

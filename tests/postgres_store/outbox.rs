//! The outbox: rows that applications write, taken under locks.

use std::time::Duration;

use tasker_core::domain::id::TaskId;
use tasker_core::storage::rows::{OutboxRefusal, OutboxRow, Outlook};
use tasker_core::storage::{Result, Store, Transaction, Tx};

use crate::helpers::*;
use crate::support::postgres::{execute, fresh_database};

type Ids = Vec<TaskId>;
type Rows = Vec<OutboxRow>;

#[tokio::test]
async fn rows_are_taken_once_dropped_and_left_alone_when_refused() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let mut application = database.connect().await;
    let ids: Ids = (0..3).map(|_| TaskId::generate()).collect();
    for id in &ids {
        execute(&mut application, format!("INSERT INTO tasker_outbox (id, task) VALUES ('{id}', 'text')")).await;
    }
    let due = || async {
        let outlook = transact!(store.read() |tx| -> Outlook { tx.outlook(&[]).await });
        outlook.expect("an outlook").outbox
    };
    let take = |only: Option<Ids>, limit: usize| {
        let store = &store;
        async move {
            transact!(store.write(only: Option<Ids>, limit: usize) |tx| -> Rows { tx.take_outbox(only.as_deref(), *limit).await }).expect("rows")
        }
    };
    assert!(due().await);
    let of = |rows: Rows| rows.into_iter().map(|row| row.id).collect::<Ids>();
    assert_eq!(of(take(None, 2).await), ids[..2]);
    let refused = vec![OutboxRefusal { id: ids[0], error: "no\0".into(), rest: Duration::from_secs(60) }];
    transact!(store.write(refused: Vec<OutboxRefusal>) |tx| -> () { tx.refuse_outbox(refused).await }).expect("kept");
    let gone: Ids = ids[1..].to_vec();
    transact!(store.write(gone: Ids) |tx| -> () { tx.drop_outbox(gone).await }).expect("dropped");
    assert!(take(None, 9).await.is_empty() && !due().await);
    let left = take(Some(ids.clone()), 9).await;
    assert_eq!(left, [OutboxRow { id: ids[0], task: "text".into(), attempts: 1 }]);
}

#[tokio::test]
async fn rows_that_another_transaction_has_are_passed_over() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let mut application = database.connect().await;
    let ids: Ids = (0..2).map(|_| TaskId::generate()).collect();
    let insert = format!("INSERT INTO tasker_outbox (id, task) VALUES ('{}', ''), ('{}', '')", ids[0], ids[1]);
    execute(&mut application, insert).await;
    execute(&mut application, format!("BEGIN; SELECT FROM tasker_outbox WHERE id = '{}' FOR UPDATE", ids[0])).await;
    let only = Some(ids.clone());
    let rows = transact!(store.write(only: Option<Ids>) |tx| -> Rows {
        let mut rows = tx.take_outbox(None, 9).await?;
        rows.extend(tx.take_outbox(only.as_deref(), 9).await?);
        Ok(rows)
    });
    assert_eq!(rows.expect("rows").iter().map(|row| row.id).collect::<Ids>(), [ids[1], ids[1]]);
}

#[tokio::test]
async fn a_table_is_known_by_its_place() {
    let database = fresh_database().await;
    let (one, same) = (open(&database).await, open(&database).await);
    let another = fresh_database().await;
    let other = open(&another).await;
    let mut places = Vec::new();
    for store in [one, same, other] {
        places.push(transact!(store.read() |tx| -> Option<String> { tx.outbox_place().await }).expect("a place"));
    }
    assert!(places[0].is_some() && places[0] == places[1] && places[0] != places[2], "{places:?}");
}

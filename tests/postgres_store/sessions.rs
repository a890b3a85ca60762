//! Sessions, receipts and the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tasker_core::domain::id::*;
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::postgres::PostgresStore;
use tasker_core::storage::rows::*;
use tasker_core::storage::url::{DatabaseUrl, StoreOptions};
use tasker_core::storage::{Result, Store, Transaction, Tx};

use crate::support::postgres::fresh_database;

use crate::helpers::*;

#[tokio::test]
async fn the_clock_moves_with_the_offset() {
    let database = fresh_database().await;
    let options = StoreOptions::default();
    let DatabaseUrl::Postgres(url) = DatabaseUrl::parse(&database.url).expect("a URL") else { panic!("PostgreSQL") };
    let store = PostgresStore::open(&url, &options).await.expect("the store opens");
    let session = SessionId(uuid::Uuid::now_v7());
    let ttl = Duration::from_secs(60);
    transact!(store.write(session: SessionId, ttl: Duration) |tx| -> () { tx.open_session(*session, "x", *ttl).await })
        .expect("opened");
    let sweep =
        || async { transact!(store.write() |tx| -> Vec<SessionId> { tx.expire_sessions().await }).expect("swept") };
    assert_eq!(sweep().await, []);
    options.clock_offset.store(61_000_000, Ordering::Relaxed);
    assert_eq!(transact!(store.read() |tx| -> u64 { tx.live_sessions().await }).expect("a count"), 0);
    assert_eq!(sweep().await, [session]);
    assert_eq!(sweep().await, [], "it holds nothing that would have to be given back");
    let late = SessionKey { id: session, epoch: 0 };
    let renewed =
        transact!(store.write(late: SessionKey, ttl: Duration) |tx| -> bool { tx.renew_session(*late, *ttl).await });
    assert!(!renewed.expect("an answer"));
}

#[tokio::test]
async fn a_clock_that_moves_in_the_middle_of_a_transaction_does_not_move_for_it() {
    let database = fresh_database().await;
    let options = StoreOptions::default();
    let DatabaseUrl::Postgres(url) = DatabaseUrl::parse(&database.url).expect("a URL") else { panic!("PostgreSQL") };
    let store = PostgresStore::open(&url, &options).await.expect("the store opens");
    let session = SessionKey { id: SessionId(uuid::Uuid::now_v7()), epoch: 0 };
    let (ttl, clock) = (Duration::from_secs(60), options.clock_offset.clone());
    transact!(store.write(session: SessionKey, ttl: Duration) |tx| -> () {
        tx.open_session(session.id, "x", *ttl).await
    })
    .expect("opened");
    let swept = transact!(store.write(session: SessionKey, ttl: Duration, clock: Arc<AtomicI64>) |tx| -> Vec<SessionId> {
        assert!(tx.renew_session(*session, *ttl).await?);
        clock.store(61_000_000, Ordering::Relaxed);
        tx.expire_sessions().await
    });
    assert_eq!(swept.expect("it succeeds"), [], "what it renewed itself is not past its end");
}

#[tokio::test]
async fn a_session_at_work_is_not_swept_and_renewals_do_not_wait_for_it() {
    let database = fresh_database().await;
    let store = Arc::new(open(&database).await);
    let session = SessionKey { id: SessionId(uuid::Uuid::now_v7()), epoch: 0 };
    transact!(store.write(session: SessionKey) |tx| -> () { tx.open_session(session.id, "x", Duration::ZERO).await })
        .expect("opened");
    let inner = Arc::clone(&store);
    let swept = transact!(store.write(session: SessionKey, inner: Arc<PostgresStore>) |tx| -> Vec<SessionId> {
        assert!(tx.hold_session(*session, &[]).await?);
        let swept = transact!(inner.write() |tx| -> Vec<SessionId> { tx.expire_sessions().await })?;
        // Another transaction of the same session, and its renewal, go through meanwhile.
        assert!(transact!(inner.write(session: SessionKey) |tx| -> bool { tx.hold_session(*session, &[]).await })?);
        let ttl = Duration::ZERO;
        assert!(transact!(inner.write(session: SessionKey, ttl: Duration) |tx| -> bool {
            tx.renew_session(*session, *ttl).await
        })?);
        Ok(swept)
    });
    assert_eq!(swept.expect("it succeeds"), []);
    let held = NewReceipt {
        id: ReceiptId::generate(),
        session: session.id,
        steps: vec![ready(LaneId(3), -7, key(TaskId::generate(), 2))],
    };
    transact!(store.write(held: NewReceipt) |tx| -> () { tx.put_receipt(held).await.map(drop) }).expect("stored");
    for _ in 0..2 {
        let swept = transact!(store.write() |tx| -> Vec<SessionId> { tx.expire_sessions().await });
        assert_eq!(swept.expect("swept"), [session.id], "as long as it holds receipts");
    }
    assert!(
        !transact!(store.write(session: SessionKey) |tx| -> bool { tx.hold_session(*session, &[]).await })
            .expect("an answer")
    );
    let found = transact!(store.write(session: SessionKey) |tx| -> Vec<Receipt> {
        tx.delete_session(session.id).await?;
        tx.receipts_of(session.id, 10).await
    })
    .expect("receipts");
    assert_eq!((found[0].id, &found[0].steps), (held.id, &held.steps));
    let again = transact!(store.write(held: NewReceipt) |tx| -> bool {
        tx.drop_receipts(&[held.id, ReceiptId::generate()]).await?;
        tx.delete_session(held.session).await?;
        Ok(tx.find_receipt(held.id).await?.is_some())
    });
    assert!(!again.expect("dropped"));
    let mut connection = database.connect().await;
    assert_eq!(number(&mut connection, "SELECT count(*) FROM tasker_sessions").await, 0);
}

/// Else a step that waited for a lock, or for a row to be committed, would seem to have been claimed before it.
#[tokio::test]
async fn a_claim_is_later_than_what_its_transaction_did_before() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let receipt = NewReceipt { id: ReceiptId::generate(), session: SessionId(uuid::Uuid::now_v7()), steps: vec![] };
    let times = transact!(store.write(receipt: NewReceipt) |tx| -> Vec<Timestamp> {
        let [begun, still] = [tx.now().await?, tx.now().await?];
        tx.put_receipt(receipt).await?;
        Ok(vec![begun, still, tx.now().await?])
    });
    let times = times.expect("it succeeds");
    assert_eq!(times[0], times[1]);
    assert!(times[1] < times[2], "{times:?}");
}

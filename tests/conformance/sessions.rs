//! Sessions and the receipts that say what they hold.

use std::time::Duration;

use tasker_core::domain::id::{LaneId, ReceiptId, SessionKey, Token};
use tasker_core::domain::state::StepState;
use tasker_core::storage::rows::{NewReceipt, ReadyRow};

use crate::bench::*;
use crate::calls::*;

const SECOND: Duration = Duration::from_secs(1);

on_each_store! {
    async fn a_session_lives_while_it_is_renewed(db: &Database) {
        let id = session();
        db.write(OpenSession { id, ttl: MINUTE }).await;
        assert!(db.write(HoldSession { key: fresh(id), done: vec![] }).await);
        for _ in 0..3 {
            db.travel(MINUTE - SECOND);
            assert!(db.write(ExpireSessions {}).await.is_empty());
            assert_eq!(db.read(LiveSessions {}).await, 1);
            assert!(db.write(RenewSession { key: fresh(id), ttl: MINUTE }).await);
        }
        db.travel(MINUTE);
        assert_eq!(db.read(LiveSessions {}).await, 0, "past its end, swept or not");
        assert!(db.write(RenewSession { key: fresh(id), ttl: MINUTE }).await, "nobody has swept it yet");
        assert_eq!(db.read(LiveSessions {}).await, 1);
    }

    async fn only_what_is_past_its_end_expires(db: &Database) {
        let (short, long) = (session(), session());
        db.write(OpenSession { id: short, ttl: MINUTE }).await;
        db.write(OpenSession { id: long, ttl: 2 * MINUTE }).await;
        assert!(db.write(ExpireSessions {}).await.is_empty());
        db.travel(MINUTE);
        assert_eq!(db.write(ExpireSessions {}).await, [short]);
        assert!(!db.write(HoldSession { key: fresh(short), done: vec![] }).await);
        assert!(db.write(HoldSession { key: fresh(long), done: vec![] }).await);
    }

    async fn a_raised_epoch_shuts_the_holder_out(db: &Database) {
        let id = session();
        db.write(OpenSession { id, ttl: MINUTE }).await;
        db.travel(MINUTE);
        assert_eq!(db.write(ExpireSessions {}).await, [id]);
        assert!(!db.write(HoldSession { key: fresh(id), done: vec![] }).await);
        assert!(!db.write(HoldSessionAlone { key: fresh(id) }).await);
        assert!(!db.write(RenewSession { key: fresh(id), ttl: MINUTE }).await);
        assert!(!db.write(HoldSession { key: SessionKey { id, epoch: 7 }, done: vec![] }).await);
        assert_eq!(db.read(LiveSessions {}).await, 0);
    }

    async fn who_was_never_there_holds_nothing(db: &Database) {
        let key = fresh(session());
        assert!(!db.write(HoldSession { key, done: vec![] }).await);
        assert!(!db.write(RenewSession { key, ttl: MINUTE }).await);
        db.write(DeleteSession { id: key.id }).await;
        assert!(db.write(ReceiptsOf { session: key.id, limit: 9 }).await.is_empty());
    }

    async fn a_swept_session_is_named_until_its_receipts_are_gone(db: &Database) {
        let (holding, idle) = (session(), session());
        let held = receipt(holding, vec![]);
        for id in [holding, idle] {
            db.write(OpenSession { id, ttl: MINUTE }).await;
        }
        db.write(PutReceipt { receipt: held.clone() }).await;
        db.travel(2 * MINUTE);
        let mut swept = db.write(ExpireSessions {}).await;
        swept.sort_unstable();
        let mut both = vec![holding, idle];
        both.sort_unstable();
        assert_eq!(swept, both);
        for _ in 0..3 {
            assert_eq!(db.write(ExpireSessions {}).await, [holding]);
        }
        db.write(DeleteSession { id: holding }).await;
        assert_eq!(db.write(ExpireSessions {}).await, [holding], "one that holds receipts is not deleted");
        db.write(DropReceipts { ids: vec![held.id] }).await;
        db.write(DeleteSession { id: holding }).await;
        assert!(db.write(ExpireSessions {}).await.is_empty());
    }

    async fn a_swept_session_goes_though_whoever_swept_it_died(db: &Database) {
        let (holding, idle) = (session(), session());
        let held = receipt(holding, vec![]);
        for id in [holding, idle] {
            db.write(OpenSession { id, ttl: MINUTE }).await;
        }
        db.write(PutReceipt { receipt: held.clone() }).await;
        let stored = async || rows_behind_the_back(&db.url, "SELECT label FROM tasker_sessions").await.len();
        db.travel(2 * MINUTE);
        assert_eq!((db.write(ExpireSessions {}).await.len(), stored().await), (2, 2), "they may hold receipts");
        db.write(ExpireSessions {}).await;
        assert_eq!(stored().await, 1, "the other one holds a receipt");
        db.write(DropReceipts { ids: vec![held.id] }).await;
        db.write(ExpireSessions {}).await;
        assert_eq!(stored().await, 0);
    }

    async fn who_holds_a_session_lets_go_of_what_is_done(db: &Database) {
        let id = session();
        let (done, other, kept) = (receipt(id, vec![]), receipt(id, vec![]), receipt(id, vec![]));
        db.write(OpenSession { id, ttl: MINUTE }).await;
        for receipt in [&done, &other, &kept] {
            db.write(PutReceipt { receipt: receipt.clone() }).await;
        }
        let left = async || {
            let receipts = db.write(ReceiptsOf { session: id, limit: 9 }).await;
            receipts.into_iter().map(|receipt| receipt.id).collect::<Vec<_>>()
        };
        let all_of = |key: SessionKey| HoldSession { key, done: vec![done.id, ReceiptId::generate(), other.id] };
        assert!(!db.write(all_of(SessionKey { id, epoch: 1 })).await);
        assert_eq!(left().await, [done.id, other.id, kept.id], "who does not hold it leaves everything");
        assert!(db.write(all_of(fresh(id))).await);
        assert_eq!(left().await, [kept.id]);
        assert!(db.write(all_of(fresh(id))).await, "they may be gone already");
        assert_eq!(left().await, [kept.id]);
    }

    async fn a_deleted_session_is_gone(db: &Database) {
        let id = session();
        db.write(OpenSession { id, ttl: MINUTE }).await;
        db.write(DeleteSession { id }).await;
        assert!(!db.write(HoldSession { key: fresh(id), done: vec![] }).await);
        assert_eq!(db.read(LiveSessions {}).await, 0);
        db.write(OpenSession { id, ttl: MINUTE }).await;
        assert!(db.write(HoldSession { key: fresh(id), done: vec![] }).await);
    }

    async fn many_transactions_hold_one_session_at_once(db: &Database) {
        let id = session();
        db.write(OpenSession { id, ttl: MINUTE }).await;
        let holds = (0..50).map(|_| db.write(HoldSession { key: fresh(id), done: vec![] }));
        let alone = (0..5).map(|_| db.write(HoldSessionAlone { key: fresh(id) }));
        let (holds, alone) = tokio::join!(futures_util::future::join_all(holds), futures_util::future::join_all(alone));
        assert!(holds.into_iter().chain(alone).all(|held| held));
    }

    async fn a_sweep_and_a_renewal_agree_on_who_won(db: &Database) {
        for _ in 0..30 {
            let id = session();
            db.write(OpenSession { id, ttl: Duration::ZERO }).await;
            let renewal = db.write(RenewSession { key: fresh(id), ttl: 60 * MINUTE });
            let (swept, renewed) = tokio::join!(db.write(ExpireSessions {}), renewal);
            let held = db.write(HoldSession { key: fresh(id), done: vec![] }).await;
            // A sweep may pass over a session that the renewal had locked; never may both win.
            assert_eq!(swept.contains(&id), !held);
            assert!(!held || renewed);
            db.write(DeleteSession { id }).await;
        }
    }

    async fn a_receipt_comes_back_as_it_was_put(db: &Database) {
        let tasks = task_ids(2);
        let steps = vec![
            ready(LaneId(1), 0, tasks[0], 0),
            ReadyRow {
                lane: LaneId(i32::MAX),
                priority: -32_767,
                token: Token(i32::MAX),
                attempts: 10_000,
                state: StepState::WaitingForRetry,
                ..ready(LaneId(1), 0, tasks[1], 99_999)
            },
            ready(LaneId(2), i16::MAX, tasks[0], 1),
        ];
        let put = receipt(session(), steps);
        let since = db.write(PutReceipt { receipt: put.clone() }).await;
        let found = db.read(FindReceipt { id: put.id }).await.unwrap();
        assert_eq!((found.id, found.session), (put.id, put.session));
        assert_eq!((found.steps, found.claimed_at), (put.steps, since));
        assert!(db.read(FindReceipt { id: ReceiptId::generate() }).await.is_none());
    }

    async fn receipts_are_listed_from_the_oldest_and_dropped(db: &Database) {
        let (mine, other) = (session(), session());
        let receipts: Vec<NewReceipt> = (0..5).map(|_| receipt(mine, vec![])).collect();
        let ids: Vec<ReceiptId> = receipts.iter().map(|receipt| receipt.id).collect();
        for put in receipts.into_iter().rev() {
            db.write(PutReceipt { receipt: put }).await;
        }
        db.write(PutReceipt { receipt: receipt(other, vec![]) }).await;
        let of_mine = async |limit| {
            let found = db.write(ReceiptsOf { session: mine, limit }).await;
            found.into_iter().map(|receipt| receipt.id).collect::<Vec<_>>()
        };
        assert_eq!(of_mine(3).await, ids[..3]);
        assert_eq!(of_mine(100).await, ids);
        db.write(DropReceipts { ids: vec![ids[1], ReceiptId::generate(), ids[3]] }).await;
        assert_eq!(of_mine(100).await, [ids[0], ids[2], ids[4]]);
        assert_eq!(db.write(ReceiptsOf { session: other, limit: 9 }).await.len(), 1);
    }
}

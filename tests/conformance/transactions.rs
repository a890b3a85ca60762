//! What a transaction is: all or nothing, one moment, and no trace of what only read.

use std::time::Duration;

use tasker_core::domain::id::{LaneId, RevisionId, SessionId, StepKey};
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::{LaneCursor, StepTransition};
use tasker_core::storage::{Store, StoreError};

use crate::bench::*;
use crate::calls::*;

transaction!(OpenAndFail { id: SessionId } -> (), |self, tx| {
    tx.open_session(self.id, "never seen", MINUTE).await?;
    Err(StoreError::SessionLost)
});

transaction!(Clocks {} -> [Timestamp; 3], |self, tx| {
    let first = tx.now().await?;
    tx.open_session(SessionId(uuid::Uuid::now_v7()), "", MINUTE).await?;
    std::thread::sleep(Duration::from_millis(5));
    let second = tx.now().await?;
    tx.expire_sessions().await?;
    Ok([first, second, tx.now().await?])
});

/// Writes much, and one transition twice.
fn record_twice(key: StepKey) -> Record {
    let transition = StepTransition::created(key, RevisionId(1));
    let other = StepTransition { seq: 1, ..transition.clone() };
    Record { steps: vec![other, transition], tasks: vec![] }
}

on_each_store! {
    async fn an_error_of_its_own_rolls_all_of_it_back(db: &Database) {
        let failed = db.try_write(OpenAndFail { id: session() }).await;
        assert!(matches!(failed, Err(StoreError::SessionLost)), "{failed:?}");
        assert_eq!(db.read(LiveSessions {}).await, 0);
    }

    async fn an_error_is_reported_when_it_is_rolled_back(db: &Database) {
        transaction!(TakeAndFail { lanes: Vec<LaneCursor> } -> (), |self, tx| {
            assert_eq!(tx.take_ready(&self.lanes, 9).await?.len(), 1);
            Err(StoreError::SessionLost)
        });
        let lanes = from_the_start(&[LaneId(1)]);
        db.write(PutReady { rows: vec![ready(LaneId(1), 0, task_ids(1)[0], 0)] }).await;
        for _ in 0..100 {
            db.try_write(TakeAndFail { lanes: lanes.clone() }).await.unwrap_err();
        }
        assert_eq!(db.write(TakeReady { lanes, limit: 9 }).await.len(), 1);
    }

    async fn an_error_of_the_database_rolls_all_of_it_back(db: &Database) {
        let diamond = Diamond::store(db).await;
        let key = StepKey { task: diamond.create(db).await, index: 0 };
        let first = StepTransition::created(key, RevisionId(1));
        db.write(Record { steps: vec![first], tasks: vec![] }).await;
        db.try_write(record_twice(key)).await.unwrap_err();
        assert_eq!(db.read(StepHistory { task: key.task }).await.len(), 1);
    }

    async fn an_error_passed_over_is_not_committed(db: &Database) {
        transaction!(PassOver { key: StepKey, id: SessionId } -> (), |self, tx| {
            tx.open_session(self.id, "before the error", MINUTE).await?;
            for _ in 0..2 {
                let _ = tx.record_steps(&record_twice(self.key).steps).await;
            }
            Err(StoreError::TemplateGone)
        });
        let key = StepKey { task: task_ids(1)[0], index: 0 };
        db.try_write(PassOver { key, id: session() }).await.unwrap_err();
        assert_eq!(db.read(LiveSessions {}).await, 0);
        assert!(db.read(StepHistory { task: key.task }).await.is_empty());
    }

    async fn the_failing_fail_alone(db: &Database) {
        let good = (0..40).map(|_| db.try_write(OpenSession { id: session(), ttl: MINUTE }));
        let bad = (0..40).map(|_| db.try_write(OpenAndFail { id: session() }));
        let (good, bad) = tokio::join!(futures_util::future::join_all(good), futures_util::future::join_all(bad));
        assert!(good.iter().all(Result::is_ok), "{good:?}");
        assert!(bad.iter().all(|result| matches!(result, Err(StoreError::SessionLost))), "{bad:?}");
        assert_eq!(db.read(LiveSessions {}).await, 40);
    }

    async fn a_write_is_seen_by_the_next_read(db: &Database) {
        let other = db.beside().await.unwrap();
        for count in 1..=50 {
            db.write(OpenSession { id: session(), ttl: MINUTE }).await;
            assert_eq!(db.read(LiveSessions {}).await, count);
            assert_eq!(other.read(LiveSessions {}).await.unwrap(), count);
        }
        other.close().await;
    }

    async fn a_transaction_has_one_moment(db: &Database) {
        let [first, second, third] = db.write(Clocks {}).await;
        assert_eq!((first, first), (second, third));
        assert!(db.write(Now {}).await > first, "the next one is later");
    }

    async fn the_clock_is_the_databases_and_moves_with_its_offset(db: &Database) {
        let before = db.read(Now {}).await;
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64;
        assert!((before.0 - wall).abs() < 60_000_000, "{before:?} is not near {wall}");
        db.travel(Duration::from_secs(3_600));
        let later = db.read(Now {}).await.since(before);
        assert!((3_600..3_660).contains(&later.as_secs()), "{later:?}");
        let written = db.write(Now {}).await.since(before);
        assert!((3_600..3_660).contains(&written.as_secs()), "{written:?}");
    }

    async fn nothing_asked_is_nothing_done(db: &Database) {
        transaction!(Nothing {} -> (), |self, tx| {
            tx.drop_receipts(&[]).await?;
            assert!(tx.revisions(&[]).await?.is_empty() && tx.ensure_lanes(&[]).await?.is_empty());
            assert!(tx.lanes_of(&[]).await?.is_empty());
            assert!(tx.take_keys(&[]).await?.is_empty());
            tx.insert_tasks(&[], &[]).await?;
            tx.put_ready(&[]).await?;
            assert!(tx.take_ready(&[], 10).await?.is_empty() && tx.take_due(10).await?.is_empty());
            tx.put_timers(&[]).await?;
            assert!(tx.heads(&[]).await?.is_empty() && tx.results(&[]).await?.is_empty());
            assert!(tx.lock_steps(&[]).await?.is_empty() && tx.settle_steps(&[]).await?.is_empty());
            assert!(tx.release_steps(&[]).await?.is_empty() && tx.touch_tasks(&[], MOVES).await?.is_empty());
            tx.record_steps(&[]).await?;
            tx.record_tasks(&[]).await?;
            assert!(tx.tasks(&[]).await?.is_empty() && tx.ended(&[]).await?.is_empty());
            assert!(!tx.resent());
            Ok(())
        });
        db.write(Nothing {}).await;
    }
}

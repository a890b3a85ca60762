//! Slots of limits, and steps that wait for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tasker_core::domain::id::{LaneId, StepKey, TaskId, Token};
use tasker_core::domain::limit::LimitKey;
use tasker_core::domain::state::StepState;
use tasker_core::storage::rows::{Parked, ReadyRow, Slot};

use crate::bench::*;
use crate::calls::*;

fn key(name: &str) -> LimitKey {
    LimitKey(name.into())
}

fn slot(name: &str, task: TaskId, index: u32) -> Slot {
    Slot { key: key(name), step: StepKey { task, index }, token: Token(0) }
}

fn parked(name: &str, lane: LaneId, priority: i16, task: TaskId, index: u32) -> Parked {
    Parked { key: key(name), running: 2, ready: ready(lane, priority, task, index) }
}

async fn taken(db: &Database, name: &str) -> usize {
    db.write(CountSlots { keys: vec![key(name)] }).await.first().map_or(0, |&(_, taken)| taken)
}

async fn unpark(db: &Database, keys: &[(&str, usize)]) -> Vec<ReadyRow> {
    let keys = keys.iter().map(|&(name, most)| (key(name), most)).collect();
    db.write(Unpark { keys }).await.into_iter().map(|(_, row)| row).collect()
}

/// Moves steps by hand.
async fn settle(db: &Database, steps: &[StepKey]) {
    let moves = steps.iter().map(|&key| step_move(key, 0, StepState::Complete)).collect();
    assert_eq!(db.write(SettleSteps { moves }).await.len(), steps.len());
}

// Takes a slot where there are fewer than three, as claims do.
transaction!(TakeIfFree { key: LimitKey, task: TaskId, index: u32, seen: Arc<AtomicUsize> } -> bool, |self, tx| {
    let keys = [self.key.clone()];
    tx.lock_limits(&keys).await?;
    let taken = tx.count_slots(&keys).await?.first().map_or(0, |&(_, taken)| taken);
    self.seen.fetch_max(taken, Ordering::SeqCst);
    if taken >= 3 {
        return Ok(false);
    }
    let step = StepKey { task: self.task, index: self.index };
    tx.take_slots(&[Slot { key: self.key.clone(), step, token: Token(0) }]).await?;
    Ok(true)
});

on_each_store! {
    async fn a_slot_counts_as_long_as_its_step_has_its_token(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (one, two) = (diamond.create(db).await, diamond.create(db).await);
        db.write(TakeSlots { slots: vec![slot("a", one, 0), slot("a", two, 1), slot("b", two, 0)] }).await;
        assert_eq!((taken(db, "a").await, taken(db, "b").await, taken(db, "c").await), (2, 1, 0));
        settle(db, &[StepKey { task: one, index: 0 }]).await;
        assert_eq!((taken(db, "a").await, taken(db, "b").await), (1, 1));
        db.write(DeleteTasks { ids: vec![two] }).await;
        assert_eq!((taken(db, "a").await, taken(db, "b").await), (0, 0));
        // Again, under another key, though the row of the last time was never looked at.
        let three = diamond.create(db).await;
        db.write(TakeSlots { slots: vec![slot("a", three, 0)] }).await;
        db.write(TakeSlots { slots: vec![slot("b", three, 0)] }).await;
        assert_eq!((taken(db, "a").await, taken(db, "b").await), (0, 1));
    }

    async fn parked_steps_come_back_in_the_order_of_claiming(db: &Database) {
        let diamond = Diamond::store(db).await;
        let ids = [diamond.create(db).await, diamond.create(db).await, diamond.create(db).await];
        let other = diamond.create(db).await;
        let row = |priority, n: usize| parked("a", diamond.lane, priority, ids[n], 0);
        db.write(Park { rows: vec![row(0, 1), row(0, 0), row(5, 2), parked("b", diamond.lane, 0, other, 0)] }).await;
        assert_eq!(db.read(ParkedOf { task: other }).await, [0]);
        assert!(db.read(ParkedOf { task: TaskId::generate() }).await.is_empty());
        assert!(db.read(LookOut { lanes: vec![diamond.lane] }).await.parked);
        let first = unpark(db, &[("a", 2), ("none", 3)]).await;
        assert_eq!(first.iter().map(|row| row.key.task).collect::<std::collections::BTreeSet<_>>(), [ids[0], ids[2]].into());
        assert_eq!(first.iter().find(|row| row.key.task == ids[2]).unwrap(), &ready(diamond.lane, 5, ids[2], 0));
        let rest = unpark(db, &[("a", 9), ("b", 9)]).await;
        assert_eq!(rest.len(), 2);
        assert!(unpark(db, &[("a", 9)]).await.is_empty());
        assert!(!db.read(LookOut { lanes: vec![diamond.lane] }).await.parked);
    }

    async fn a_parked_step_that_was_moved_by_hand_is_dropped(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (moved, purged) = (diamond.create(db).await, diamond.create(db).await);
        db.write(Park { rows: vec![
            parked("a", diamond.lane, 0, moved, 0),
            parked("a", diamond.lane, 0, purged, 0),
            // It waits for a parent.
            parked("a", diamond.lane, 0, moved, 1),
        ] }).await;
        settle(db, &[StepKey { task: moved, index: 0 }]).await;
        db.write(DeleteTasks { ids: vec![purged] }).await;
        assert!(unpark(db, &[("a", 9)]).await.is_empty());
        assert!(!db.read(LookOut { lanes: vec![diamond.lane] }).await.parked);
    }

    async fn keys_with_free_slots_are_found(db: &Database) {
        let diamond = Diamond::store(db).await;
        let ids = [diamond.create(db).await, diamond.create(db).await, diamond.create(db).await];
        db.write(TakeSlots { slots: vec![slot("full", ids[0], 0), slot("full", ids[1], 0), slot("half", ids[2], 0)] }).await;
        let rows = ["full", "half", "none"].into_iter().zip(ids).map(|(name, id)| parked(name, diamond.lane, 0, id, 3));
        db.write(Park { rows: rows.collect() }).await;
        let mut open = db.read(OpenLimits { limit: 9 }).await;
        open.sort();
        assert_eq!(open, [(key("half"), 1), (key("none"), 2)]);
        settle(db, &[StepKey { task: ids[0], index: 0 }]).await;
        assert_eq!(db.read(OpenLimits { limit: 9 }).await.len(), 3);
        assert_eq!(db.read(OpenLimits { limit: 1 }).await.len(), 1);
    }

    async fn what_the_host_made_for_a_limit_is_kept(db: &Database) {
        let diamond = Diamond::store(db).await;
        let task = diamond.create(db).await;
        let keys: Vec<StepKey> = (0..3).map(|index| StepKey { task, index }).collect();
        assert!(db.read(LimitKeys { keys: keys.clone() }).await.is_empty());
        db.write(KeepLimitKeys { rows: vec![(keys[0], json("1e20")), (keys[2], json("null"))] }).await;
        db.write(KeepLimitKeys { rows: vec![(keys[0], json("\"a\\u0000\""))] }).await;
        let mut found = db.read(LimitKeys { keys: keys.clone() }).await;
        found.sort_by_key(|(key, _)| *key);
        assert_eq!(found, [(keys[0], json("\"a\\u0000\"")), (keys[2], json("null"))]);
    }

    async fn many_that_take_slots_at_once_never_take_more_than_there_are(db: &Database) {
        let diamond = Diamond::store(db).await;
        let seen = Arc::new(AtomicUsize::new(0));
        let mut ids = Vec::new();
        for _ in 0..10 {
            ids.push(diamond.create(db).await);
        }
        for round in 0..5 {
            let name = format!("round {round}");
            let claims = ids.iter().flat_map(|&task| (0..2).map(move |index| (task, index)));
            let claims = claims.map(|(task, index)| {
                let (key, seen) = (key(&name), seen.clone());
                db.write(TakeIfFree { key, task, index, seen })
            });
            let forgets = (0..3).map(|_| db.write(ForgetLimits { keys: vec![key(&name)] }));
            let both = futures_util::future::join(
                futures_util::future::join_all(claims),
                futures_util::future::join_all(forgets),
            );
            let (won, _) = soon("the claims", both).await;
            assert_eq!(won.into_iter().filter(|won| *won).count(), 3, "round {round}");
            assert_eq!(taken(db, &name).await, 3);
        }
        assert_eq!(seen.load(Ordering::SeqCst), 3);
    }
}

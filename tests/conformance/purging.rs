//! Tasks that go because they ended long ago, and whose turn it is to see to that.

use std::time::Duration;

use tasker_core::domain::id::{StepKey, TaskId};
use tasker_core::domain::state::StepState;
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::{KeyRow, NewTask};

use crate::bench::*;
use crate::calls::*;

/// A task with a key that ends now.
async fn ended(db: &Database, diamond: &Diamond, key: &str) -> TaskId {
    let task = NewTask { key: Some(key.into()), ..diamond.task() };
    let id = task.id;
    let row = KeyRow { namespace: "shop".into(), name: "diamond".into(), key: key.into(), task: id };
    db.write(TakeKeys { rows: vec![row] }).await;
    diamond.insert(db, vec![task]).await;
    db.write(TouchTasks { touches: vec![touch(id, true, -1, 0)] }).await;
    id
}

async fn now(db: &Database) -> Timestamp {
    db.read(Now {}).await
}

async fn exists(db: &Database, id: TaskId) -> bool {
    !db.read(Tasks { ids: vec![id] }).await.is_empty()
}

on_each_store! {
    async fn ended_tasks_are_found_in_the_order_in_which_they_ended(db: &Database) {
        let diamond = Diamond::store(db).await;
        let unfinished = diamond.create(db).await;
        let mut ids = Vec::new();
        for key in ["a", "b", "c"] {
            ids.push(ended(db, &diamond, key).await);
            db.travel(MINUTE);
        }
        let all = db.read(EndedBetween { from: None, before: now(db).await, limit: 9 }).await;
        assert_eq!(all.iter().map(|&(id, _)| id).collect::<Vec<_>>(), ids);
        assert!(!ids.contains(&unfinished) && all.is_sorted_by_key(|&(_, at)| at));
        let found = |from, before, limit| async move {
            let found = db.read(EndedBetween { from, before, limit }).await;
            found.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(found(None, all[2].1, 9).await, ids[..2]);
        assert_eq!(found(None, all[2].1, 1).await, ids[..1]);
        assert_eq!(found(Some(all[1].1), now(db).await, 9).await, ids[1..]);
    }

    async fn a_purged_task_leaves_nothing_and_others_stay(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (old, unfinished) = (ended(db, &diamond, "old").await, diamond.create(db).await);
        db.travel(MINUTE);
        let before = now(db).await;
        let young = ended(db, &diamond, "young").await;
        let ids = vec![old, unfinished, young, TaskId::generate()];
        assert_eq!(db.write(PurgeTasks { ids, before }).await, 1);

        assert!(!exists(db, old).await && exists(db, unfinished).await && exists(db, young).await);
        assert!(db.read(Steps { task: old }).await.is_empty());
        assert!(db.read(StepHistory { task: old }).await.is_empty() && db.read(TaskHistory { task: old }).await.is_empty());
        let key = |key: &str| KeyRow { namespace: "shop".into(), name: "diamond".into(), key: key.into(), task: old };
        assert_eq!(db.write(TakeKeys { rows: vec![key("old"), key("young")] }).await, [None, Some(young)]);
    }

    async fn what_a_receipt_says_of_a_purged_task_is_late(db: &Database) {
        let diamond = Diamond::store(db).await;
        let holder = session();
        db.write(OpenSession { id: holder, ttl: MINUTE }).await;
        let id = ended(db, &diamond, "k").await;
        let held = receipt(holder, vec![ready(diamond.lane, 0, id, 1)]);
        db.write(PutReceipt { receipt: held.clone() }).await;
        db.travel(MINUTE);
        assert_eq!(db.write(PurgeTasks { ids: vec![id], before: now(db).await }).await, 1);
        assert!(db.read(FindReceipt { id: held.id }).await.is_some(), "nobody reads all receipts for that");
        let late = step_move(StepKey { task: id, index: 1 }, 0, StepState::Complete);
        assert!(db.write(SettleSteps { moves: vec![late] }).await.is_empty());
        assert!(db.write(Heads { ids: vec![id] }).await.is_empty());
    }

    async fn a_version_whose_tasks_are_all_purged_is_unused(db: &Database) {
        let diamond = Diamond::store(db).await;
        let id = ended(db, &diamond, "k").await;
        assert!(db.write(IsUsed { id: diamond.id }).await);
        db.travel(MINUTE);
        db.write(PurgeTasks { ids: vec![id], before: now(db).await }).await;
        assert!(!db.write(IsUsed { id: diamond.id }).await);
    }

    async fn two_that_purge_the_same_tasks_delete_each_once(db: &Database) {
        let diamond = Diamond::store(db).await;
        let mut ids = Vec::new();
        for n in 0..30 {
            ids.push(ended(db, &diamond, &n.to_string()).await);
        }
        db.travel(MINUTE);
        let before = now(db).await;
        let mut backwards = ids.clone();
        backwards.reverse();
        let purges = [ids.clone(), backwards, ids].map(|ids| db.write(PurgeTasks { ids, before }));
        let deleted: usize = soon("the purges", futures_util::future::join_all(purges)).await.into_iter().sum();
        assert_eq!(deleted, 30);
    }

    async fn a_chore_is_begun_by_one_of_all_and_again_when_it_is_due(db: &Database) {
        let begin = || BeginChore { name: "sweep", every: MINUTE };
        let other = db.beside().await.unwrap_or_else(|_| db.store.clone());
        use tasker_core::storage::Store;
        assert!(db.write(begin()).await);
        assert!(!other.write(begin()).await.unwrap());
        assert!(db.write(BeginChore { name: "dust", every: MINUTE }).await);
        db.travel(MINUTE + Duration::from_secs(1));
        let turns = [&db.store, &other, &db.store, &other].map(|store| store.write(begin()));
        let turns = futures_util::future::join_all(turns).await;
        assert_eq!(turns.into_iter().filter(|turn| *turn.as_ref().unwrap()).count(), 1);
    }
}

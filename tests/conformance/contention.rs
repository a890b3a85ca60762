//! Many at once: nothing is given twice, nothing is lost, nobody waits for ever.

use std::collections::HashSet;
use std::sync::Arc;

use tasker_core::domain::id::{LaneId, StepKey, TaskId, Token};
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::{LaneCursor, ReadyRow, ReleasedStep, TaskMoved, TimerKind, TimerRow};
use tasker_core::storage::{AnyStore, Store};

use crate::bench::*;
use crate::calls::*;

/// Takes until nothing is left, in batches.
async fn drain(store: Arc<AnyStore>, lanes: Vec<LaneCursor>, limit: usize) -> Vec<ReadyRow> {
    let mut taken = Vec::new();
    loop {
        let batch = store.write(TakeReady { lanes: lanes.clone(), limit }).await.unwrap();
        assert!(batch.len() <= limit);
        if batch.is_empty() {
            return taken;
        }
        taken.extend(batch);
    }
}

transaction!(FinishParent { task: TaskId, parent: u32 } -> (Vec<ReleasedStep>, Vec<TaskMoved>), |self, tx| {
    let key = |index| StepKey { task: self.task, index };
    let moved = tx.settle_steps(&[step_move(key(self.parent), 0, StepState::Complete)]).await?;
    assert_eq!(moved.len(), 1);
    let released = tx.release_steps(&[(key(3), 1)]).await?;
    let live = released.len() as i32 - 1;
    Ok((released, tx.touch_tasks(&[touch(self.task, true, live, 0)], MOVES).await?))
});

transaction!(Finish { key: StepKey } -> bool, |self, tx| {
    Ok(tx.settle_steps(&[step_move(self.key, 0, StepState::Complete)]).await?.len() == 1)
});

on_each_store! {
    async fn two_claimers_never_get_the_same_step(db: &Database) {
        let id = task_ids(1)[0];
        for round in 0..25 {
            let lane = LaneId(round);
            db.write(PutReady { rows: (0..10).map(|index| ready(lane, 0, id, index)).collect() }).await;
            let take = || db.write(TakeReady { lanes: from_the_start(&[lane]), limit: 6 });
            let (one, two) = tokio::join!(take(), take());
            let keys: HashSet<StepKey> = one.iter().chain(&two).map(|row| row.key).collect();
            assert_eq!(keys.len(), one.len() + two.len());
            let rest = drain(db.store.clone(), from_the_start(&[lane]), 100).await;
            assert_eq!(keys.len() + rest.len(), 10);
        }
    }

    async fn eight_takers_drain_a_thousand_steps_once(db: &Database) {
        let ids = task_ids(250);
        let lanes: Vec<LaneId> = (1..=5).map(LaneId).collect();
        let rows: Vec<ReadyRow> = (0..1_000_u32)
            .map(|n| ready(lanes[n as usize % 5], (n % 3) as i16, ids[n as usize / 4], n % 4))
            .collect();
        db.write(PutReady { rows: rows.clone() }).await;
        let takers = (0..8).map(|taker: usize| {
            // Some in one lane, some in several, so that both ways of taking meet.
            let lanes = match taker % 4 {
                0 => vec![lanes[taker / 4]],
                _ => lanes.clone(),
            };
            tokio::spawn(drain(db.store.clone(), from_the_start(&lanes), 3 + taker))
        });
        let mut taken: Vec<ReadyRow> = Vec::new();
        for batch in futures_util::future::join_all(takers).await {
            taken.extend(batch.unwrap());
        }
        taken.extend(drain(db.store.clone(), from_the_start(&lanes), 100).await);
        let keys: HashSet<StepKey> = taken.iter().map(|row| row.key).collect();
        assert_eq!((taken.len(), keys.len()), (1_000, 1_000));
    }

    async fn eight_takers_get_each_due_timer_once(db: &Database) {
        let ids = task_ids(300);
        let timer = |id: &TaskId| TimerRow { due: Timestamp(1), kind: TimerKind::Start, ready: ready(LaneId(1), 0, *id, 0) };
        db.write(PutTimers { rows: ids.iter().map(timer).collect() }).await;
        let takers = (0..8).map(|_| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                loop {
                    let batch = store.write(TakeDue { limit: 7 }).await.unwrap();
                    if batch.is_empty() {
                        return taken;
                    }
                    taken.extend(batch);
                }
            })
        });
        let taken = futures_util::future::join_all(takers).await;
        let mut taken: Vec<TaskId> = taken.into_iter().flat_map(Result::unwrap).map(|row| row.key.task).collect();
        taken.extend(db.write(TakeDue { limit: 300 }).await.into_iter().map(|row| row.key.task));
        taken.sort_unstable();
        assert_eq!(taken, ids);
    }

    async fn the_last_of_two_parents_releases_the_child_once(db: &Database) {
        let diamond = Diamond::store(db).await;
        let other = db.beside().await.unwrap();
        for round in 0..100 {
            let mut task = diamond.task();
            (task.live, task.state) = (2, TaskState::InProgress);
            let id = task.id;
            diamond.insert(db, vec![task]).await;
            let one = db.store.write(FinishParent { task: id, parent: 1 });
            let two = other.write(FinishParent { task: id, parent: 2 });
            let (one, two) = tokio::join!(one, two);
            let ((one, _), (two, _)) = (one.unwrap(), two.unwrap());
            assert_eq!(one.len() + two.len(), 1, "in round {round}");
            assert_eq!(db.step(StepKey { task: id, index: 3 }).await.waiting, 0);
            assert_eq!(db.task(id).await.state, TaskState::InProgress, "the child is live");
        }
        other.close().await;
    }

    async fn of_many_that_finish_a_step_one_does(db: &Database) {
        let diamond = Diamond::store(db).await;
        let key = StepKey { task: diamond.create(db).await, index: 0 };
        let finishing = (0..16).map(|_| db.write(Finish { key }));
        let finished = futures_util::future::join_all(finishing).await;
        assert_eq!(finished.into_iter().filter(|did| *did).count(), 1);
        assert_eq!(db.step(key).await.token.0, 1);
    }

    async fn touches_of_one_task_add_up(db: &Database) {
        let diamond = Diamond::store(db).await;
        let mut task = diamond.task();
        (task.live, task.state) = (50, TaskState::InProgress);
        let id = task.id;
        diamond.insert(db, vec![task]).await;
        let touching = (0..50).map(|_| db.write(TouchTasks { touches: vec![touch(id, false, -1, 0)] }));
        let moved = futures_util::future::join_all(touching).await.concat();
        assert_eq!(moved.len(), 1, "{moved:?}");
        assert_eq!(db.task(id).await.state, TaskState::Complete);
    }

    async fn batches_in_any_order_meet_without_a_deadlock(db: &Database) {
        let diamond = Diamond::store(db).await;
        let tasks: Vec<_> = (0..20).map(|_| diamond.task()).collect();
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        diamond.insert(db, tasks).await;
        let working = (0..8_u32).map(|worker| {
            let (store, mut ids) = (db.store.clone(), ids.clone());
            if worker % 2 == 1 {
                ids.reverse();
            }
            tokio::spawn(async move {
                for _ in 0..5 {
                    let keys = |index| ids.iter().map(move |&task| StepKey { task, index }).collect::<Vec<_>>();
                    store.write(LockSteps { held: keys(worker % 4).into_iter().map(|key| (key, Token(0))).collect() }).await.unwrap();
                    let touches = ids.iter().map(|&id| touch(id, false, 1, 0)).collect();
                    store.write(TouchTasks { touches }).await.unwrap();
                    let parents = keys(3).into_iter().map(|key| (key, 0)).collect();
                    store.write(ReleaseSteps { parents }).await.unwrap();
                }
            })
        });
        for worker in futures_util::future::join_all(working).await {
            worker.unwrap();
        }
    }
}

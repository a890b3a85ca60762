//! What decisions choose and skip.

use tasker_core::domain::id::{StepKey, TaskId, Token};
use tasker_core::domain::state::StepState;

use crate::bench::*;
use crate::calls::*;

on_each_store! {
    async fn only_what_waits_for_a_parent_is_blocked(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let key = |index| StepKey { task: id, index };
        db.write(SettleSteps { moves: vec![step_move(key(2), 0, StepState::Cancelled)] }).await;
        let mut keys: Vec<StepKey> = (0..9).rev().map(key).collect();
        keys.push(StepKey { task: TaskId::generate(), index: 1 });
        let mut blocked = db.write(LockBlocked { keys: keys.clone() }).await;
        blocked.sort_unstable_by_key(|step| step.key);
        let blocked: Vec<_> = blocked.iter().map(|step| (step.key, step.state, step.token, step.attempts)).collect();
        let pending = |index| (key(index), StepState::Pending, Token(0), 0);
        assert_eq!(blocked, [pending(1), pending(3)], "the root is ready, and 2 was cancelled");
        db.write(ReleaseSteps { parents: vec![(key(1), 1)] }).await;
        let blocked: Vec<StepKey> = db.write(LockBlocked { keys }).await.iter().map(|step| step.key).collect();
        assert_eq!(blocked, [key(3)]);
        assert!(db.write(LockBlocked { keys: vec![] }).await.is_empty());
    }

    async fn what_a_decision_skips_waits_for_nothing_and_is_told_apart(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (id, other) = (diamond.create(db).await, diamond.create(db).await);
        let key = |index| StepKey { task: id, index };
        db.write(SettleSteps { moves: vec![step_move(key(2), 0, StepState::Skipped)] }).await;
        db.write(BypassSteps { keys: vec![key(3), key(1)] }).await;
        let all = (0..4).map(key).chain((0..4).map(|index| StepKey { task: other, index })).collect();
        let mut bypassed = db.read(Bypassed { keys: all }).await;
        bypassed.sort_unstable();
        assert_eq!(bypassed, [key(1), key(3)], "not what was skipped otherwise");
        for (index, waiting) in [(1, 0), (3, 0)] {
            let step = db.step(key(index)).await;
            assert_eq!((step.state, step.token, step.waiting), (StepState::Skipped, Token(1), waiting));
            assert!(step.finished_at.is_some() && step.bypassed);
        }
        assert!(!db.step(key(2)).await.bypassed);
        assert!(db.write(ReleaseSteps { parents: vec![(key(3), 1)] }).await.is_empty(), "a parent that ends later");
        assert_eq!(db.step(key(3)).await.waiting, 0);
        db.write(BypassSteps { keys: vec![] }).await;
        assert!(db.read(Bypassed { keys: vec![] }).await.is_empty());
    }

    async fn routes_are_kept(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let key = |index| StepKey { task: id, index };
        db.write(KeepRoutes { rows: vec![(key(1), vec![3]), (key(0), vec![1, 2]), (key(9), vec![1])] }).await;
        db.write(KeepRoutes { rows: vec![] }).await;
        let routes: Vec<_> = db.read(Steps { task: id }).await.into_iter().map(|step| step.route).collect();
        assert_eq!(routes, [Some(vec![1, 2]), Some(vec![3]), None, None]);
    }
}

//! Recoveries of what is no longer theirs to return.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use sqlx::Connection;
use tasker_core::domain::id::{SessionKey, StepKey, TaskId};
use tasker_core::domain::json::Json;
use tasker_core::domain::operation::TaskOperation;
use tasker_core::domain::state::TaskState;
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::transactions::intake::Assignment;
use tasker_core::engine::transactions::sessions::{Recover, Renew};
use tasker_core::engine::transactions::settle::Settle;
use tasker_core::engine::transactions::verdict::Outcome;

use crate::stepping::*;
use crate::support::host::{LEASE, block};
use crate::support::postgres::execute;

fn done() -> Outcome {
    Outcome::Succeeded(Json::empty_object())
}

/// The child stands before its parent, so that keys don't follow the graph.
fn pair() -> serde_json::Value {
    json!({ "name": "pair", "steps": [{ "name": "child", "depends_on": "parent" }, { "name": "parent" }] })
}

const CHILD: u32 = 0;
const PARENT: u32 = 1;

impl Scene {
    /// Ends a session, and has another one shut it out.
    fn shut_out(&self, session: SessionKey, by: SessionKey) {
        self.run(Renew { session, ttl: Duration::ZERO });
        assert_eq!(self.run(Renew { session: by, ttl: LEASE }).1, [session.id]);
    }

    fn recover(&self, held: &Assignment) -> Recover {
        Recover { receipt: held.receipt, catalog: self.host.engine.catalog().clone() }
    }
}

/// A receipt names a child of one task and the parent of another. Both tasks are restarted, and all their steps belong
/// to somebody else: whoever locked what the receipt names would wait for the parent with the child in hand, which is
/// what the new holder of the parents comes to last.
#[test]
fn a_recovery_waits_for_no_step_that_was_restarted_since() {
    let scene = Scene::with(&[pair()]);
    let tasks: Vec<TaskId> = (0..3).map(|_| scene.host.create("pair", TaskIntent::default())).collect();
    let (dead, alive) = (scene.session(), scene.session());
    let mut again = scene.claim(alive, 1);
    let parent = scene.claim(dead, 1).remove(0);
    let settle = scene.settle(dead, vec![report(&parent, done())], 2);
    let receipt = scene.run(Settle { finished_receipts: vec![parent.receipt], ..settle }).claimed;
    let mut held: Vec<StepKey> = receipt.iter().map(|held| held.row.key).collect();
    held.sort_unstable();
    let key = |task: usize, index| StepKey { task: tasks[task], index };
    assert_eq!(held, [key(1, CHILD), key(2, PARENT)]);
    assert_eq!(receipt[0].receipt, receipt[1].receipt);
    scene.shut_out(dead, alive);
    for &task in &tasks[1..] {
        scene.operate(task, TaskOperation::Cancel);
        scene.operate(task, TaskOperation::RestartFrom(PARENT));
    }
    again.extend(scene.claim(alive, 2));
    assert!(again.iter().all(|held| held.row.key.index == PARENT));

    // The settlement has the parents, and waits for the child of a task that the receipt does not name.
    let mut other = scene.connect();
    let mut outside = block(other.begin()).expect("a transaction");
    let first =
        format!("SELECT FROM tasker_workflow_steps WHERE task_id = '{}' AND idx = {CHILD} FOR UPDATE", tasks[0]);
    block(execute(&mut outside, first));
    let tries = Arc::new(AtomicU32::new(0));
    let reports = again.iter().map(|held| report(held, done())).collect();
    let settling = scene.begin(Counted { transaction: scene.settle(alive, reports, 0), tries: tries.clone() });
    scene.until_waiting(1, &settling);
    let recovering = scene.begin(Counted { transaction: scene.recover(&receipt[0]), tries: tries.clone() });
    scene.until_waiting(2, &recovering);
    let waits_for_nobody = recovering.has_ended();
    block(outside.rollback()).expect("it ends");
    assert_eq!(settling.end().accepted.len(), 3);
    assert_eq!(recovering.end().steps, []);
    assert_eq!(tries.load(Ordering::SeqCst), 2, "a deadlock ended one of them, which was run again");
    assert!(waits_for_nobody);
    let left =
        "SELECT count(*) FROM tasker_receipts AS r JOIN tasker_sessions AS s ON s.id = r.session_id AND s.epoch > 0";
    assert_eq!(scene.number(left), 0, "the receipt is gone");
    let children = scene.claim(alive, 3);
    let reports = children.iter().map(|held| report(held, done())).collect();
    scene.run(scene.settle(alive, reports, 0));
    assert!(tasks.iter().all(|&task| scene.host.state(task) == TaskState::Complete));
}

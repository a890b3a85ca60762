//! What is committed between two statements of a transaction, or while one of them waits.

use std::time::Duration;

use serde_json::json;
use sqlx::Connection;
use tasker_core::domain::id::{StepKey, TaskId};
use tasker_core::domain::json::Json;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::transactions::look::CountTasks;
use tasker_core::engine::transactions::purge::Purge;
use tasker_core::engine::transactions::sessions::Recover;
use tasker_core::engine::transactions::verdict::{Failure, Outcome};
use tasker_core::engine::transactions::work::Work;
use tasker_core::storage::Store;
use tasker_core::storage::rows::{KeyRow, ReleasedStep, TaskFilter};

use crate::stepping::*;
use crate::support::host::{block, single};
use crate::support::postgres::execute;

transaction!(LockSteps { task: TaskId } -> (), |self, tx| {
    tx.lock_steps_of(self.task, Duration::from_secs(10)).await
});

#[test]
fn an_operation_that_waited_for_a_list_has_the_steps_of_its_items_too() {
    let list =
        json!({ "name": "list", "steps": [{ "name": "made", "each": true }, { "name": "end", "depends_on": "made" }] });
    let scene = Scene::with(&[list]);
    let task = scene.host.create("list", TaskIntent::default());
    let session = scene.session();
    let made = scene.claim(session, 1).remove(0);
    let items = Outcome::Expanded(vec![Json::empty_object(); 3]);
    let expanding = Gate::new();
    let transaction = scene.settle(session, vec![report(&made, items)], 0);
    let expanding_now = scene.begin(Committing { transaction, gate: expanding.clone() });
    expanding.until_reached();
    let locked = Gate::new();
    let locking = scene.begin(Committing { transaction: LockSteps { task }, gate: locked.clone() });
    scene.until_waiting(1, &locking);
    expanding.open();
    expanding_now.end();
    locked.until_reached();
    let free = "SELECT count(*) FROM (SELECT 1 FROM tasker_workflow_steps FOR UPDATE SKIP LOCKED) AS steps";
    assert_eq!(scene.number("SELECT count(*) FROM tasker_workflow_steps"), 5);
    assert_eq!(scene.number(free), 0);
    locked.open();
    locking.end();
}

transaction!(TakeKeys { rows: Vec<KeyRow> } -> Vec<Option<TaskId>>, |self, tx| tx.take_keys(&self.rows).await);

#[test]
fn a_key_whose_owner_is_purged_meanwhile_is_taken() {
    let scene = Scene::with(&[single()]);
    let first = TaskIntent { key: Some("a".into()), ..TaskIntent::default() };
    scene.host.create("single", first);
    let session = scene.session();
    let held = scene.claim(session, 1).remove(0);
    scene.run(scene.settle(session, vec![report(&held, Outcome::Succeeded(Json::empty_object()))], 0));

    // Somebody is about to take the other key.
    let mut other = scene.connect();
    let mut taking_b = block(other.begin()).expect("a transaction");
    let sql = format!(
        "INSERT INTO tasker_task_keys (namespace, name, key, task_id) VALUES ('default', 'single', 'b', '{}')",
        TaskId::generate()
    );
    block(execute(&mut taking_b, sql));
    let new = TaskId::generate();
    let row = |key: &str| KeyRow { namespace: "default".into(), name: "single".into(), key: key.into(), task: new };
    let taking = scene.begin(TakeKeys { rows: vec![row("a"), row("b")] });
    scene.until_waiting(1, &taking);
    let purged = scene.run(Purge { from: None, before: Timestamp(i64::MAX / 2), limit: 9 });
    assert_eq!(purged.deleted, 1);
    block(taking_b.commit()).expect("it commits");
    let owners = taking.end();
    assert!(owners[0].is_none() && owners[1].is_some_and(|owner| owner != new), "{owners:?}");
    let taken = scene.number("SELECT count(*) FROM tasker_task_keys WHERE key = 'a'");
    assert_eq!(taken, 1, "it was given away, so it is stored");
}

transaction!(Release { children: Vec<(StepKey, i32)> } -> Vec<ReleasedStep>, |self, tx| {
    tx.release_steps(&self.children).await
});

/// It stands before others that a decision has locked already.
#[test]
fn a_child_that_is_not_pending_is_not_waited_for() {
    let fork = json!({ "name": "fork", "steps": [
        { "name": "a" }, { "name": "b", "depends_on": "a" }, { "name": "c", "depends_on": "a" },
    ] });
    let scene = Scene::with(&[fork]);
    let task = scene.host.create("fork", TaskIntent::default());
    let key = |index| StepKey { task, index };
    let mut other = scene.connect();
    block(execute(&mut other, "UPDATE tasker_workflow_steps SET state = 'resolved_manually' WHERE idx = 1".into()));
    let mut holding = block(other.begin()).expect("a transaction");
    block(execute(&mut holding, "SELECT FROM tasker_workflow_steps WHERE idx = 1 FOR UPDATE".into()));
    let releasing = scene.begin(Release { children: vec![(key(1), 1), (key(2), 1)] });
    scene.until_waiting(1, &releasing);
    assert!(releasing.has_ended(), "it waits for nobody");
    let released: Vec<StepKey> = releasing.end().into_iter().map(|child| child.key).collect();
    assert_eq!(released, [key(2)]);
    block(holding.rollback()).expect("it ends");
}

/// The update that waited works everything out anew, what states are found by too. Servers of the age of 15.1 would not
/// do so with a generated column.
#[test]
fn a_task_that_stalls_while_it_is_touched_is_found_by_its_state() {
    let pair = json!({ "name": "pair", "steps": [{ "name": "a" }, { "name": "b" }] });
    let scene = Scene::with(&[pair]);
    scene.host.create("pair", TaskIntent::default());
    let session = scene.session();
    let held = scene.claim(session, 2);
    let fails = |place: usize| {
        let failure = Failure { error: Json::empty_object(), permanent: true, retry_after: None };
        scene.settle(session, vec![report(&held[place], Outcome::Failed(failure))], 0)
    };
    let gate = Gate::new();
    let first = scene.begin(Committing { transaction: fails(0), gate: gate.clone() });
    gate.until_reached();
    let second = scene.begin(fails(1));
    scene.until_waiting(1, &second);
    gate.open();
    first.end();
    assert_eq!(second.end().moved.iter().map(|moved| moved.to).collect::<Vec<_>>(), [TaskState::Error]);
    let filter = TaskFilter { states: vec![TaskState::Error], ..TaskFilter::default() };
    assert_eq!(block(scene.host.engine.store().read(CountTasks { filter })).expect("a count"), 1);
}

#[test]
fn a_list_began_when_it_was_made_whoever_dies_over_its_results() {
    let scene = Scene::with(&[json!({ "name": "list", "steps": [{ "name": "made", "each": true }] })]);
    let task = scene.host.create("list", TaskIntent::default());
    let session = scene.session();
    let made = scene.claim(session, 1).remove(0);
    let items = Outcome::Expanded(vec![Json::empty_object()]);
    let item = scene.run(scene.settle(session, vec![report(&made, items)], 1)).claimed.remove(0);
    let done = Outcome::Succeeded(Json::empty_object());
    let gather = scene.run(scene.settle(session, vec![report(&item, done)], 1)).claimed.remove(0);
    assert!(matches!(gather.work, Work::Gather { .. }));
    let began = scene.host.steps(task)[0].started_at;
    let back = scene.run(Recover { receipt: gather.receipt, catalog: scene.host.engine.catalog().clone() });
    assert_eq!(back.steps, [StepKey { task, index: 0 }]);
    let step = scene.host.steps(task).remove(0);
    assert_eq!((step.state, step.crashes, step.started_at), (StepState::Pending, 1, began));
}

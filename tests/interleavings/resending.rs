//! A transaction whose answer was lost is sent again while the server still commits it.

use serde_json::json;
use tasker_core::domain::json::Json;
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::transactions::settle::{Claim, Settle, Settled};
use tasker_core::engine::transactions::verdict::Outcome;
use tasker_core::storage::StoreError;

use crate::stepping::*;
use crate::support::host::single;

/// The same settlement once more.
fn again(settle: &Settle) -> Settle {
    Settle {
        claim: Claim { lanes: settle.claim.lanes.clone(), ..settle.claim },
        reports: settle.reports.clone(),
        finished_receipts: settle.finished_receipts.clone(),
        doubtful: settle.doubtful.clone(),
        catalog: settle.catalog.clone(),
        session: settle.session,
    }
}

#[test]
fn a_claim_that_is_sent_again_finds_what_the_first_one_took() {
    let scene = Scene::with(&[single()]);
    scene.host.create("single", TaskIntent::default());
    let session = scene.session();
    let settle = scene.settle(session, Vec::new(), 4);
    let gate = Gate::new();
    let first = scene.begin(Committing { transaction: again(&settle), gate: gate.clone() });
    gate.until_reached();
    let second = scene.begin(Resent::new(settle));
    scene.until_waiting(1, &second);
    gate.open();
    let claimed = |settled: &Settled| settled.claimed.iter().map(|held| held.row.key).collect::<Vec<_>>();
    let (first, second) = (first.end(), second.end());
    assert_eq!(first.claimed.len(), 1);
    assert_eq!(claimed(&second), claimed(&first));
}

#[test]
fn a_claim_in_doubt_is_looked_for_when_it_is_committed() {
    let scene = Scene::with(&[single()]);
    scene.host.create("single", TaskIntent::default());
    let session = scene.session();
    let lost = scene.settle(session, Vec::new(), 4);
    let doubtful = lost.claim.receipt;
    let gate = Gate::new();
    let first = scene.begin(Committing { transaction: lost, gate: gate.clone() });
    gate.until_reached();
    let next = Settle { doubtful: vec![doubtful], ..scene.settle(session, Vec::new(), 0) };
    let second = scene.begin(next);
    scene.until_waiting(1, &second);
    gate.open();
    first.end();
    assert_eq!(second.end().claimed.len(), 1, "what the first one took is this process's");
}

#[test]
fn what_a_report_sent_again_released_is_claimed_once() {
    let chain = json!({ "name": "chain", "steps": [{ "name": "a" }, { "name": "b", "depends_on": "a" }] });
    let scene = Scene::with(&[chain]);
    let task = scene.host.create("chain", TaskIntent::default());
    let session = scene.session();
    let held = scene.claim(session, 1);
    let settle = Settle {
        finished_receipts: vec![held[0].receipt],
        ..scene.settle(session, vec![report(&held[0], Outcome::Succeeded(Json::empty_object()))], 1)
    };
    let gate = Gate::new();
    let first = scene.begin(Committing { transaction: again(&settle), gate: gate.clone() });
    gate.until_reached();
    let second = scene.begin(Resent::new(settle));
    scene.until_waiting(1, &second);
    gate.open();
    first.end();
    let second = second.end();
    assert_eq!(second.claimed.iter().map(|held| held.row.key.index).collect::<Vec<_>>(), [1]);
    assert_eq!(second.accepted.len(), 1, "it was recorded by the first");
    assert_eq!(scene.number("SELECT count(*) FROM tasker_receipts"), 1);
    assert_eq!(scene.host.steps(task)[0].attempts, 1);
}

// Loses its connection, then meets others for as long as it is tried.
transaction!(MeetsOthers {} -> (), |self, tx| {
    let error: StoreError = match tx.resent() {
        false => StoreError::Disconnected("the answer was lost".into()),
        true => StoreError::Conflict("another one".into()),
    };
    Err(error)
});

#[test]
fn whoever_gives_up_after_a_lost_answer_does_not_say_that_nothing_happened() {
    let scene = Scene::with(&[]);
    let outcome = scene.begin(MeetsOthers {}).outcome();
    assert!(outcome.as_ref().is_err_and(StoreError::is_doubtful), "{outcome:?}");
}

#[cfg(feature = "fault_points")]
mod after_the_commit {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tasker_core::domain::operation::{Operation, TaskOperation};
    use tasker_core::domain::state::TaskState;
    use tasker_core::engine::transactions::operate::{Note, Operate};
    use tasker_core::engine::transactions::tried::Tried;
    use tasker_core::fault_points::{Action, Point, arm};
    use tasker_core::storage::{Result, Transaction, Tx};

    use super::*;

    /// Is committed, loses the answer, and waits at the gate before it is run again.
    struct Unanswered<X> {
        transaction: X,
        gate: Gate,
        tries: AtomicU32,
    }

    impl<X: Transaction> Transaction for Unanswered<X> {
        type Output = X::Output;

        async fn run<T: Tx>(&self, tx: &mut T) -> Result<X::Output> {
            let is_first = self.tries.fetch_add(1, Ordering::SeqCst) == 0;
            if !is_first {
                self.gate.pass().await;
            }
            let output = self.transaction.run(tx).await?;
            if is_first {
                arm(Point::PostgresAfterCommit, Action::Error, 1);
            }
            Ok(output)
        }
    }

    #[test]
    fn a_restart_is_made_once_though_the_task_ended_again_meanwhile() {
        let scene = Scene::with(&[single()]);
        let task = scene.host.create("single", TaskIntent::default());
        let session = scene.session();
        let complete = || {
            let held = scene.claim(session, 1).remove(0);
            scene.run(scene.settle(session, vec![report(&held, Outcome::Succeeded(Json::empty_object()))], 0));
            assert_eq!(scene.host.state(task), TaskState::Complete);
        };
        complete();
        let operation = Operation::Task(TaskOperation::RestartFrom(0));
        let catalog = scene.host.engine.catalog().clone();
        let (note, patience, tried) = (Note::default(), Duration::ZERO, Tried::default());
        let transaction = Operate { task, operation, note, dry_run: false, patience, tried, catalog };
        let gate = Gate::new();
        let restart = scene.begin(Unanswered { transaction, gate: gate.clone(), tries: AtomicU32::new(0) });
        gate.until_reached();
        complete();
        gate.open();
        let operated = restart.end().expect("the task");
        assert!(operated.changed && operated.queued, "it was restarted");
        assert_eq!(scene.host.state(task), TaskState::Complete, "and not once more");
        assert_eq!(scene.number("SELECT run::bigint FROM tasker_tasks"), 2);
    }
}

//! A host whose thread runs steps and waits for nothing else.

use std::time::Duration;

use serde_json::json;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::worker::{Prospect, Worker};

use crate::on_each_database;
use crate::support::host::*;
use crate::support::lab::*;

fn prospect(worker: &Worker) -> Prospect {
    block(worker.prospect()).expect("a prospect")
}

const NOTHING: Prospect = Prospect::Standstill { next_due: None, retrying: false, parked: false };

on_each_database! {
    fn a_thread_that_waits_is_told_of_a_step_or_of_a_standstill(url: &str) {
        let chain = json!({ "name": "chain", "steps": [{ "name": "a" }, { "name": "b", "depends_on": ["a"] }] });
        let host = Host::start(url, 0, LEASE, &[chain]);
        let worker = host.worker(1);
        assert_eq!(prospect(&worker), NOTHING);
        let task = host.create("chain", TaskIntent::default());
        for _ in 0..2 {
            assert_eq!(prospect(&worker), Prospect::Step);
            worker.report(worker.take().expect("a step").number, done(json!(null)));
        }
        assert_eq!(prospect(&worker), NOTHING);
        assert_eq!(host.state(task), TaskState::Complete);
        host.end();
    }

    fn what_waits_for_time_is_told(url: &str) {
        let host = Host::start(url, 0, LEASE, &[single()]);
        let later = host.now().after(Duration::from_secs(3_600));
        host.create("single", TaskIntent { run_at: Some(later), ..TaskIntent::default() });
        let worker = host.worker(1);
        let Prospect::Standstill { next_due: Some(due), retrying: false, parked: false } = prospect(&worker) else {
            panic!("{:?}", prospect(&worker));
        };
        assert!(due <= Duration::from_secs(3_600) && due > Duration::from_secs(3_500), "{due:?}");
        host.create("single", TaskIntent::default());
        assert_eq!(prospect(&worker), Prospect::Step);
        worker.report(worker.take().expect("a step").number, fail("busy", false, None));
        assert!(matches!(prospect(&worker), Prospect::Standstill { next_due: Some(_), retrying: true, .. }));
        host.end();
    }

    fn a_worker_that_dies_has_crashed_and_works_on(url: &str) {
        let host = Host::start(url, 0, LEASE, &[single()]);
        let task = host.create("single", TaskIntent::default());
        let worker = host.worker(1);
        assert_eq!(prospect(&worker), Prospect::Step);
        let lost = worker.take().expect("a step");
        block(worker.die()).expect("dead");
        assert!(!worker.report(lost.number, done(json!("too late"))));
        assert_eq!(prospect(&worker), Prospect::Step);
        worker.report(worker.take().expect("the step again").number, done(json!("in time")));
        assert_eq!(prospect(&worker), NOTHING);
        let step = host.steps(task).remove(0);
        assert_eq!((step.state, step.crashes, step.attempts), (StepState::Complete, 1, 1));
        host.end();
    }
}

//! Leases: what happens to the steps of a process that stopped without a word, and to what it
//! reports when it wakes again. The other process's clock runs an hour ahead: no test waits.

mod support;

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection, PgConnection};
use support::host::*;
use support::lab::*;
use support::postgres::execute;
use tasker_core::domain::json::Json;
use tasker_core::domain::state::StepState;
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::transactions::verdict::{CRASH_BUDGET, Outcome};

/// Another process, whose clock is `clock` microseconds ahead.
fn host(url: &str, clock: i64, template: serde_json::Value) -> Host {
    Host::start(url, clock, LEASE, &[template])
}

fn result(text: &str) -> Outcome {
    Outcome::Succeeded(Json::parse(text).expect("JSON"))
}

on_each_database! {
    fn a_silent_workers_step_runs_again_and_its_late_result_is_refused(url: &str) {
        let silent = host(url, 0, single());
        let task = silent.create("single", TaskIntent::default());
        let zombie = silent.worker(2);
        let held = take(&zombie);
        assert_eq!(silent.steps(task)[0].state, StepState::InProgress);

        let other = host(url, HOUR, single());
        let worker = other.worker(2);
        let again = take(&worker);
        assert_eq!(again.assignment.row.key, held.assignment.row.key);
        assert_eq!(again.assignment.attempt(), 1, "a crash is no attempt");
        assert!(again.assignment.row.token > held.assignment.row.token, "the token grew");

        zombie.report(held.number, result(r#""zombie""#));
        eventually("the late report is dropped", || zombie.stats().late == 1);
        worker.report(again.number, result(r#""alive""#));
        eventually("the step is complete", || other.steps(task)[0].state == StepState::Complete);
        let step = other.steps(task).remove(0);
        assert_eq!(step.result.as_ref().expect("a result").as_str(), r#""alive""#);
        // The zombie may have claimed it once more before the other did, by its clock of an hour ago.
        assert!(step.attempts == 1 && step.crashes >= 1, "{step:?}");
        other.end();
        silent.end();
    }

    fn a_zombie_starts_over_under_a_new_session(url: &str) {
        let silent = host(url, 0, single());
        silent.create("single", TaskIntent::default());
        let zombie = silent.worker(2);
        let held = take(&zombie);
        let other = host(url, HOUR, single());
        let again = take(&other.worker(2));
        zombie.report(held.number, result("1"));
        other.end();
        drop(again);
        let fresh = take(&zombie);
        assert_eq!(fresh.assignment.row.key, held.assignment.row.key, "given back by the one that ended");
        zombie.report(fresh.number, result("2"));
        eventually("it is complete", || silent.steps(fresh.assignment.row.key.task)[0].state == StepState::Complete);
        silent.end();
    }

    fn a_step_that_kills_its_workers_ends_in_error(url: &str) {
        let first = host(url, 0, single());
        let task = first.create("single", TaskIntent::default());
        let mut hosts = vec![first];
        let mut workers = Vec::new();
        for crash in 0..CRASH_BUDGET {
            workers.push(hosts.last().expect("a host").worker(2));
            // Whoever was shut out starts over, so any of them may get it.
            eventually("a step is claimed", || workers.iter().any(|worker| worker.take().is_some()));
            hosts.push(host(url, HOUR * i64::from(crash + 1), single()));
        }
        let last = hosts.last().expect("a host");
        let _sweeper = last.worker(2);
        eventually("the task ends", || last.task(task).state.is_ended());
        let step = last.steps(task).remove(0);
        assert_eq!((step.state, step.attempts, step.crashes), (StepState::Error, 0, CRASH_BUDGET));
        assert!(last.task(task).error.expect("an error").as_str().contains("WorkerCrashed"));
        for host in hosts {
            host.end();
        }
    }

    fn what_was_recorded_does_not_run_again(url: &str) {
        let chain = json!({ "name": "chain", "steps": [{ "name": "a" }, { "name": "b", "depends_on": "a" }] });
        let silent = host(url, 0, chain.clone());
        let task = silent.create("chain", TaskIntent::default());
        let worker = silent.worker(2);
        let a = take(&worker);
        worker.report(a.number, result(r#"{"from":"a"}"#));
        let b = take(&worker);
        assert_eq!(b.assignment.row.key.index, 1);

        let other = host(url, HOUR, chain);
        let worker = other.worker(2);
        let again = take(&worker);
        assert_eq!(again.assignment.row.key.index, 1, "only the lost step runs again");
        assert_eq!(again.assignment.parents[0].1.as_ref().expect("a result").as_str(), r#"{"from":"a"}"#);
        worker.report(again.number, result("true"));
        eventually("the task ends", || other.task(task).state.is_ended());
        other.end();
        silent.end();
    }

    fn a_timer_that_fell_due_while_nobody_looked_runs_at_once(url: &str) {
        let slow = json!({ "name": "single", "steps": [{ "name": "only", "backoff": { "base": 600, "cap": 600 } }] });
        let first = host(url, 0, slow.clone());
        let task = first.create("single", TaskIntent::default());
        let worker = first.worker(2);
        let held = take(&worker);
        worker.report(held.number, fail("busy", false, None));
        eventually("it waits", || first.steps(task)[0].state == StepState::WaitingForRetry);
        block(worker.stop(Duration::from_secs(1)));
        let later = host(url, HOUR, slow);
        let worker = later.worker(2);
        let again = take(&worker);
        assert_eq!(again.assignment.attempt(), 2);
        worker.report(again.number, result("1"));
        eventually("the task ends", || later.task(task).state.is_ended());
        later.end();
        first.end();
    }
}

on_postgres! {
    fn who_waits_for_a_lock_to_return_a_dead_process_s_steps_keeps_its_own_lease(url: &str) {
        const LEASE: Duration = Duration::from_millis(1_500);
        let silent = host(url, 0, single());
        let task = silent.create("single", TaskIntent::default());
        let zombie = silent.worker(1);
        take(&zombie);
        let mut somebody = block(PgConnection::connect(url)).expect("a connection");
        block(execute(&mut somebody, "BEGIN; LOCK TABLE tasker_workflow_steps IN SHARE MODE".into()));
        let other = Host::start(url, HOUR, LEASE, &[single()]);
        let worker = other.worker(1);
        // In milliseconds, by the clock that runs ahead: of the other's session.
        let mut end = || -> i64 {
            let sql = "SELECT (extract(epoch FROM max(expires_at)) * 1000)::bigint FROM tasker_sessions";
            block(sqlx::query_scalar(sql).fetch_one(&mut somebody)).expect("a session")
        };
        let first = end();
        eventually("its lease outlives what it had when it began", || end() > first + 2 * LEASE.as_millis() as i64);
        block(execute(&mut somebody, "ROLLBACK".into()));
        let again = take(&worker);
        assert_eq!(again.assignment.row.key.task, task);
        other.end();
        silent.end();
    }
}

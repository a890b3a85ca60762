//! Leases: what happens to the steps of a process that stopped without a word, and to what it
//! reports when it wakes again. The other process's clock runs an hour ahead: no test waits.

mod support;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use serde_json::json;
use support::lab::*;
use tasker_core::domain::id::TaskId;
use tasker_core::domain::json::Json;
use tasker_core::domain::state::StepState;
use tasker_core::domain::template::Template;
use tasker_core::engine::catalog::Registry;
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::transactions::look::{Steps, Tasks};
use tasker_core::engine::transactions::verdict::{CRASH_BUDGET, Outcome};
use tasker_core::engine::worker::{Ticket, Worker, WorkerOptions};
use tasker_core::engine::{Engine, EngineOptions};
use tasker_core::ffi::shared::process::Process;
use tasker_core::storage::rows::{StepRow, TaskRow};
use tasker_core::storage::url::{DatabaseUrl, StoreOptions};
use tasker_core::storage::{AnyStore, Store};

const HOUR: i64 = 3_600_000_000;

/// An engine of its own, as another process would have.
struct Host {
    engine: Arc<Engine>,
    registry: Arc<Registry>,
}

fn block<T>(work: impl Future<Output = T>) -> T {
    let work = async { tokio::time::timeout(LIMIT, work).await.expect("in time") };
    Process::current().expect("a runtime").runtime().block_on(work)
}

impl Host {
    fn start(url: &str, clock: i64, template: serde_json::Value) -> Self {
        let url = DatabaseUrl::parse(url).expect("a URL");
        let options = StoreOptions { clock_offset: Arc::new(AtomicI64::new(clock)), ..StoreOptions::default() };
        let engine = block(async {
            Engine::new(AnyStore::open(&url, &options).await.expect("a store"), EngineOptions::default())
        });
        let registry = Arc::new(Registry::default());
        let input = serde_json::from_value(template).expect("a template");
        block(engine.register(&registry, Template::build(input).expect("a valid template"))).expect("registered");
        Self { engine, registry }
    }

    fn create(&self, name: &str) -> TaskId {
        block(async {
            let stored = self.engine.template(&self.registry, "default", name, None).await.expect("a template");
            let plan = TaskIntent::default().plan(&stored, "context").expect("a plan");
            self.engine.create(vec![plan]).await.expect("a task").ids[0]
        })
    }

    fn worker(&self) -> Arc<Worker> {
        let options = WorkerOptions { threads: 2, queues: None, wake: Arc::new(|| {}) };
        block(Worker::start(self.engine.clone(), self.registry.clone(), options)).expect("a worker")
    }

    fn steps(&self, task: TaskId) -> Vec<StepRow> {
        block(self.engine.store().read(Steps { task })).expect("steps")
    }

    fn task(&self, id: TaskId) -> TaskRow {
        let look = Tasks { ids: vec![id], catalog: self.engine.catalog().clone() };
        block(self.engine.store().read(look)).expect("tasks").remove(0).0
    }

    fn end(self) {
        block(self.engine.close());
    }
}

fn take(worker: &Worker) -> Ticket {
    let mut ticket = None;
    eventually("a step is claimed", || {
        ticket = worker.take();
        ticket.is_some()
    });
    ticket.expect("a ticket")
}

fn result(text: &str) -> Outcome {
    Outcome::Succeeded(Json::parse(text).expect("JSON"))
}

fn single() -> serde_json::Value {
    json!({ "name": "single", "steps": [{ "name": "only" }] })
}

on_each_database! {
    fn a_silent_workers_step_runs_again_and_its_late_result_is_refused(url: &str) {
        let silent = Host::start(url, 0, single());
        let task = silent.create("single");
        let zombie = silent.worker();
        let held = take(&zombie);
        assert_eq!(silent.steps(task)[0].state, StepState::InProgress);

        let other = Host::start(url, HOUR, single());
        let worker = other.worker();
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
        let silent = Host::start(url, 0, single());
        silent.create("single");
        let zombie = silent.worker();
        let held = take(&zombie);
        let other = Host::start(url, HOUR, single());
        let again = take(&other.worker());
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
        let first = Host::start(url, 0, single());
        let task = first.create("single");
        let mut hosts = vec![first];
        let mut workers = Vec::new();
        for crash in 0..CRASH_BUDGET {
            workers.push(hosts.last().expect("a host").worker());
            // Whoever was shut out starts over, so any of them may get it.
            eventually("a step is claimed", || workers.iter().any(|worker| worker.take().is_some()));
            hosts.push(Host::start(url, HOUR * i64::from(crash + 1), single()));
        }
        let last = hosts.last().expect("a host");
        let _sweeper = last.worker();
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
        let silent = Host::start(url, 0, chain.clone());
        let task = silent.create("chain");
        let worker = silent.worker();
        let a = take(&worker);
        worker.report(a.number, result(r#"{"from":"a"}"#));
        let b = take(&worker);
        assert_eq!(b.assignment.row.key.index, 1);

        let other = Host::start(url, HOUR, chain);
        let worker = other.worker();
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
        let first = Host::start(url, 0, slow.clone());
        let task = first.create("single");
        let worker = first.worker();
        let held = take(&worker);
        worker.report(held.number, fail("busy", false, None));
        eventually("it waits", || first.steps(task)[0].state == StepState::WaitingForRetry);
        block(worker.stop(Duration::from_secs(1)));
        let later = Host::start(url, HOUR, slow);
        let worker = later.worker();
        let again = take(&worker);
        assert_eq!(again.assignment.attempt(), 2);
        worker.report(again.number, result("1"));
        eventually("the task ends", || later.task(task).state.is_ended());
        later.end();
        first.end();
    }
}

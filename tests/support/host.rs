//! Engines of their own, each with its session and its clock, as other processes would have.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use serde_json::{Value, json};
use tasker_core::domain::id::TaskId;
use tasker_core::domain::state::TaskState;
use tasker_core::domain::template::Template;
use tasker_core::domain::time::Timestamp;
use tasker_core::engine::catalog::Registry;
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::transactions::look::{Clock, Steps, Tasks};
use tasker_core::engine::worker::{Ticket, Worker, WorkerOptions};
use tasker_core::engine::{Engine, EngineOptions};
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::process::Process;
use tasker_core::storage::rows::{StepRow, TaskRow};
use tasker_core::storage::url::{DatabaseUrl, StoreOptions};
use tasker_core::storage::{AnyStore, Store};

use super::lab::{LIMIT, eventually};

pub const HOUR: i64 = 3_600_000_000;

/// An engine of its own, as another process would have.
pub struct Host {
    pub engine: Arc<Engine>,
    pub registry: Arc<Registry>,
}

pub fn block<T>(work: impl Future<Output = T>) -> T {
    let work = async { tokio::time::timeout(LIMIT, work).await.expect("in time") };
    Process::current().expect("a runtime").runtime().block_on(work)
}

impl Host {
    pub fn start(url: &str, clock: i64, lease: Duration, templates: &[Value]) -> Self {
        let url = DatabaseUrl::parse(url).expect("a URL");
        let options = StoreOptions { clock_offset: Arc::new(AtomicI64::new(clock)), ..StoreOptions::default() };
        let engine = block(async {
            let store = AnyStore::open(&url, &options).await.expect("a store");
            Engine::new(store, EngineOptions { lease, ..EngineOptions::default() })
        });
        let registry = Arc::new(Registry::default());
        for template in templates {
            let input = serde_json::from_value(template.clone()).expect("a template");
            block(engine.register(&registry, Template::build(input).expect("a valid template"))).expect("registered");
        }
        Self { engine, registry }
    }

    pub fn create(&self, name: &str, intent: TaskIntent) -> TaskId {
        block(async {
            let stored = self.engine.template(&self.registry, "default", name, None).await.expect("a template");
            let plan = intent.plan(&stored, "context", Limits::default().of_context()).expect("a plan");
            self.engine.create(vec![plan]).await.expect("a task").ids[0]
        })
    }

    pub fn worker(&self, threads: usize) -> Arc<Worker> {
        self.worker_with(threads, || {})
    }

    pub fn worker_with(&self, threads: usize, wake: impl Fn() + Send + Sync + 'static) -> Arc<Worker> {
        let options = WorkerOptions { threads, queues: None, wake: Arc::new(wake), interrupt: Arc::new(|| {}) };
        block(Worker::start(self.engine.clone(), self.registry.clone(), options)).expect("a worker")
    }

    pub fn task(&self, id: TaskId) -> TaskRow {
        let look = Tasks { ids: vec![id], catalog: self.engine.catalog().clone() };
        block(self.engine.store().read(look)).expect("tasks").remove(0).0
    }

    pub fn state(&self, id: TaskId) -> TaskState {
        self.task(id).state
    }

    pub fn steps(&self, task: TaskId) -> Vec<StepRow> {
        block(self.engine.store().read(Steps { task })).expect("steps")
    }

    pub fn now(&self) -> Timestamp {
        block(self.engine.store().read(Clock {})).expect("the time")
    }

    pub fn end(self) {
        block(self.engine.close());
    }
}

pub const LEASE: Duration = Duration::from_secs(15);

pub fn single() -> Value {
    json!({ "name": "single", "steps": [{ "name": "only" }] })
}

pub fn take(worker: &Worker) -> Ticket {
    let mut ticket = None;
    eventually("a step is claimed", || {
        ticket = worker.take();
        ticket.is_some()
    });
    ticket.expect("a ticket")
}

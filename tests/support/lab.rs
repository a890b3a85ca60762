//! A handle, a template and handlers written as closures: what a host language does, in Rust.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tasker_core::domain::json::Json;
use tasker_core::domain::template::TemplateInput;
use tasker_core::engine::EngineOptions;
use tasker_core::engine::error::EngineError;
use tasker_core::engine::transactions::intake::Assignment;
use tasker_core::engine::transactions::verdict::{Failure, Outcome};
use tasker_core::engine::worker::{Phase, Worker, WorkerOptions};
use tasker_core::ffi::shared::call::Call;
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::orchestration_system::Place;
use tasker_core::ffi::shared::types::{CreateTaskInput, CreateTasksInput, HandleOptions, StepView, TaskView};
use tasker_core::storage::url::{DatabaseUrl, StoreOptions};

/// How long any wait of a test may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Waits for a call as a host's thread would.
pub fn wait<T: Send + 'static>(call: Call<T>) -> Result<T, EngineError> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(done) = call.take() {
            return done;
        }
        assert!(Instant::now() < deadline, "a call did not end within {LIMIT:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Waits for a condition.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The place of a database, with a short lease.
pub fn place(url: &str) -> Place {
    let engine = EngineOptions { lease: Duration::from_secs(2), ..EngineOptions::default() };
    Place { url: DatabaseUrl::parse(url).expect("a URL"), store: StoreOptions::default(), engine }
}

pub fn open(url: &str) -> Arc<OrchestrationHandle> {
    wait(OrchestrationHandle::open(place(url), HandleOptions::default()).expect("a runtime")).expect("an open handle")
}

/// A handle whose workers never look at the database unasked: what they do, they were told to.
pub fn open_unpolled(url: &str) -> Arc<OrchestrationHandle> {
    let mut place = place(url);
    place.engine.poll = Duration::from_secs(86_400);
    wait(OrchestrationHandle::open(place, HandleOptions::default()).expect("a runtime")).expect("an open handle")
}

pub fn template(json: serde_json::Value) -> TemplateInput {
    serde_json::from_value(json).expect("a template")
}

pub fn register(handle: &Arc<OrchestrationHandle>, json: serde_json::Value) {
    wait(handle.register(template(json))).expect("a registered template");
}

pub fn create(handle: &Arc<OrchestrationHandle>, json: serde_json::Value) -> Result<TaskView, EngineError> {
    let input: CreateTaskInput = serde_json::from_value(json).expect("an input");
    wait(handle.create_task(input))
}

pub fn create_many(
    handle: &Arc<OrchestrationHandle>,
    json: serde_json::Value,
) -> Result<Vec<tasker_core::domain::id::TaskId>, EngineError> {
    let input: CreateTasksInput = serde_json::from_value(json).expect("an input");
    wait(handle.create_tasks(input))
}

pub fn steps(handle: &Arc<OrchestrationHandle>, task: &TaskView) -> HashMap<String, StepView> {
    let steps = wait(handle.steps(task.row.id)).expect("steps");
    steps.into_iter().map(|step| (step.name().into_owned(), step)).collect()
}

pub fn reload(handle: &Arc<OrchestrationHandle>, task: &TaskView) -> TaskView {
    wait(handle.task(&task.row.id.to_string())).expect("a task")
}

/// What a handler does with a step.
pub type Handler = Arc<dyn Fn(&Assignment) -> Outcome + Send + Sync>;

pub fn done(value: serde_json::Value) -> Outcome {
    Outcome::Succeeded(Json::of(&value).expect("JSON"))
}

pub fn fail(message: &str, permanent: bool, retry_after: Option<Duration>) -> Outcome {
    let error = Json::of(&serde_json::json!({ "class": "Test", "message": message })).expect("JSON");
    Outcome::Failed(Failure { error, permanent, retry_after })
}

/// A worker with threads of its own, all of which run `handler`.
pub struct Crew {
    pub worker: Arc<Worker>,
    threads: Vec<JoinHandle<()>>,
    /// (task, step, attempt) as they ran.
    pub journal: Arc<Mutex<Vec<(String, String, u16)>>>,
    quit: Arc<AtomicBool>,
}

impl Crew {
    pub fn start(
        handle: &Arc<OrchestrationHandle>,
        threads: usize,
        queues: Option<Vec<String>>,
        handler: Handler,
    ) -> Self {
        let options = WorkerOptions { threads, queues, wake: Arc::new(|| {}), interrupt: Arc::new(|| {}) };
        let worker = wait(handle.worker(options)).expect("a worker").keep();
        handle.adopt(&worker);
        let journal: Arc<Mutex<Vec<_>>> = Arc::default();
        let quit = Arc::new(AtomicBool::new(false));
        let threads = (0..threads)
            .map(|_| {
                let (worker, handler, journal, quit) = (worker.clone(), handler.clone(), journal.clone(), quit.clone());
                std::thread::spawn(move || run(&worker, &handler, &journal, &quit))
            })
            .collect();
        Self { worker, threads, journal, quit }
    }

    /// Runs until nothing is left to do; false after `limit`.
    pub fn until_idle(&self, runtime: &tokio::runtime::Handle) -> bool {
        runtime.block_on(self.worker.until_idle(Some(LIMIT))).expect("an idle worker")
    }

    pub fn stop(self, runtime: &tokio::runtime::Handle) {
        runtime.block_on(self.worker.stop(LIMIT));
        self.quit.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a thread that ends");
        }
    }

    pub fn order(&self) -> Vec<String> {
        self.journal.lock().expect("a journal").iter().map(|(_, step, _)| step.clone()).collect()
    }
}

fn run(worker: &Worker, handler: &Handler, journal: &Mutex<Vec<(String, String, u16)>>, quit: &AtomicBool) {
    while !quit.load(Ordering::Relaxed) && worker.phase() != Phase::Stopped {
        let Some(ticket) = worker.take() else {
            std::thread::sleep(Duration::from_micros(100));
            continue;
        };
        let assignment = &ticket.assignment;
        let step = assignment.step().map(|step| step.name.clone()).unwrap_or_default();
        journal.lock().expect("a journal").push((assignment.row.key.task.to_string(), step, assignment.attempt()));
        worker.report(ticket.number, handler(assignment));
    }
}

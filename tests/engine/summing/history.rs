//! A generated history: tasks of every kind, run and moved by hand as a seed says, at moments that the seed says, too.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use serde_json::{Value, json};
use tasker_core::domain::id::{StepIndex, TaskId};
use tasker_core::domain::json::Json;
use tasker_core::domain::operation::{StepOperation, TaskOperation};
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::engine::transactions::intake::Assignment;
use tasker_core::engine::transactions::operate::Note;
use tasker_core::engine::transactions::verdict::Outcome;
use tasker_core::engine::transactions::work::Work;
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::types::HandleOptions;
use tasker_core::storage::url::DatabaseUrl;

use crate::helpers::*;
use crate::support::behind::behind_the_back;
use crate::support::host::block;
use crate::support::lab::*;

/// What the clock says when a test begins, in microseconds: 2024-02-29T12:00:00Z.
pub const NOON: i64 = 1_709_208_000_000_000;
pub const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3_600 * SECOND;
const TASKS: usize = 90;

pub struct Task {
    pub id: TaskId,
    pub namespace: String,
    pub name: String,
    pub version: String,
    pub state: TaskState,
    pub created: i64,
    pub run_at: Option<i64>,
    pub started: Option<i64>,
    pub finished: Option<i64>,
    pub steps: Vec<Step>,
}

pub struct Step {
    pub index: StepIndex,
    /// With `[]` in place of an item's number.
    pub kind: String,
    pub name: String,
    pub parents: Vec<String>,
    pub state: StepState,
    pub attempts: u16,
    pub started: Option<i64>,
    pub finished: Option<i64>,
}

/// The templates, one of them in two versions and one of the same name in another namespace.
pub fn templates() -> Vec<Value> {
    let diamond = |namespace: &str, version: &str, last: &str| {
        json!({ "name": "diamond", "namespace": namespace, "version": version, "defaults": { "retry_limit": 3 }, "steps": [
            { "name": "bottom", "depends_on": ["left", "right"] }, { "name": "top" },
            { "name": "left", "depends_on": "top" }, { "name": "right", "depends_on": "top" }, { "name": last } ]})
    };
    vec![
        diamond("shop", "1.0.0", "apart"),
        diamond("shop", "2.0.0", "aside"),
        diamond("default", "1.0.0", "alone"),
        json!({ "name": "lists", "steps": [
            { "name": "join", "depends_on": ["made", "top"], "retryable": false }, { "name": "top" },
            { "name": "made", "depends_on": "top", "each": true, "on_failure": "skip" }]}),
        json!({ "name": "choice", "namespace": "shop", "steps": [
            { "name": "way", "branches": ["a", "b"] }, { "name": "a", "depends_on": "way" },
            { "name": "b", "depends_on": "way", "on_failure": "skip", "retryable": false },
            { "name": "end", "depends_on": ["a", "b"] }]}),
    ]
}

/// What makes a clock say [`NOON`] now.
pub fn noon() -> Arc<AtomicI64> {
    let real = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros() as i64;
    Arc::new(AtomicI64::new(NOON - real))
}

/// An empty database of which the clock says [`NOON`], with the templates. Nothing is swept for a day.
pub fn open_at_noon(url: &str) -> Handle {
    let mut place = place(url);
    place.store.clock_offset = noon();
    place.engine.lease = Duration::from_secs(86_400);
    let opened = OrchestrationHandle::open(place, HandleOptions::default()).expect("a runtime");
    let handle = wait(opened).expect("an open handle");
    templates().into_iter().for_each(|template| register(&handle, template));
    handle
}

/// Creates tasks, has them run and moved by hand, then sets the moments.
pub fn generate(handle: &Handle, url: &str, rng: &mut Rng) -> Vec<Task> {
    let templates = templates();
    let made: Vec<usize> = (0..TASKS).map(|_| rng.usize(..templates.len())).collect();
    let create_one = |template: &usize| {
        let of = &templates[*template];
        let (namespace, version) = (of["namespace"].as_str(), of["version"].as_str());
        let input = json!({ "name": of["name"], "namespace": namespace, "version": version });
        create(handle, input).expect("a task").row.id
    };
    let ids: Vec<TaskId> = made.iter().map(create_one).collect();
    ids.iter().for_each(|id| by_hand(handle, *id, rng));
    let numbers: HashMap<TaskId, u64> = ids.iter().copied().zip(0..).collect();
    let seed = rng.u64(..);
    let numbers = Arc::new(numbers);
    let run_all = || {
        let numbers = numbers.clone();
        run(handle, Arc::new(move |step| outcome(step, seed ^ (numbers[&step.row.key.task] << 32))));
    };
    run_all();
    ids.iter().for_each(|id| by_hand(handle, *id, rng));
    run_all();
    let mut tasks: Vec<Task> = ids.iter().map(|id| seen(handle, *id, &templates)).collect();
    tasks.iter_mut().for_each(|task| set_moments(task, rng));
    write_moments(url, &tasks);
    tasks
}

/// What somebody does to a task, or nothing; it may be refused.
fn by_hand(handle: &Handle, id: TaskId, rng: &mut Rng) {
    let task_operation = |operation| drop(wait(handle.operate(id, Ok((operation, Note::default())))));
    match rng.u32(..16) {
        0 => task_operation(TaskOperation::Cancel),
        1 => task_operation(TaskOperation::Pause),
        2 => task_operation(TaskOperation::Resolve),
        3 => task_operation(TaskOperation::Retry),
        number @ 4..8 => {
            let mut steps = wait(handle.steps(id)).expect("steps");
            let step = steps.swap_remove(rng.usize(..steps.len()));
            let result = StepOperation::Resolve(Json::from_trusted("1"));
            let operation = if number < 6 { StepOperation::Skip } else { result };
            drop(wait(handle.operate_on_step(&step, Ok((operation, Note::default())))));
        }
        _ => {}
    }
}

/// What becomes of an attempt: the same whenever and wherever it runs.
fn outcome(held: &Assignment, seed: u64) -> Outcome {
    if let Some(outcome) = held.without_handler() {
        return outcome;
    }
    let attempt = u64::from(held.row.key.index) << 8 | u64::from(held.attempt());
    let mut rng = Rng::with_seed(seed ^ attempt);
    let branches = held.task.template().branches.of(held.row.key.index);
    match rng.u32(..10) {
        0 => fail("permanent", true, None),
        1..4 => fail("again", false, Some(Duration::ZERO)),
        _ if matches!(held.work, Work::List) => Outcome::Expanded(vec![Json::from_trusted("1"); rng.usize(..4)]),
        _ if !branches.is_empty() => {
            Outcome::Decided(Json::from_trusted("1"), vec![*rng.choice(branches).expect("one")])
        }
        _ => done(json!(1)),
    }
}

/// A task as its snapshots show it, and what each of its steps needs, by the template as it was written.
fn seen(handle: &Handle, id: TaskId, templates: &[Value]) -> Task {
    let view = wait(handle.task(&id.to_string())).expect("a task");
    let (namespace, name, version) = {
        let template = view.template();
        (template.namespace.clone(), template.name.clone(), template.version.clone())
    };
    let written = |of: &&Value| {
        of["name"] == name.as_str()
            && of["namespace"].as_str().unwrap_or("default") == namespace
            && of["version"].as_str().unwrap_or("1.0.0") == version
    };
    let written = templates.iter().find(written).expect("its template")["steps"].as_array().expect("steps");
    let views = wait(handle.steps(id)).expect("steps");
    let names: Vec<String> = views.iter().map(|step| step.name().into_owned()).collect();
    let step = |view: &tasker_core::ffi::shared::types::StepView| {
        let name = view.name().into_owned();
        let home = name.split('[').next().expect("a name");
        let definition = written.iter().find(|step| step["name"] == home).expect("its definition");
        let mut parents: Vec<String> = match &definition["depends_on"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(all) => all.iter().map(|name| name.as_str().expect("a name").to_owned()).collect(),
            _ => Vec::new(),
        };
        let items = names.iter().filter(|item| home == name && item.starts_with(&format!("{home}[")));
        parents.extend(items.cloned());
        let kind = if home == name { name.clone() } else { format!("{home}[]") };
        let moment = |stored: Option<tasker_core::domain::time::Timestamp>| stored.map(|moment| moment.0);
        let (started, finished) = (moment(view.row.started_at), moment(view.row.finished_at));
        let (index, state, attempts) = (view.row.index, view.row.state, view.row.attempts);
        Step { index, kind, name, parents, state, attempts, started, finished }
    };
    let steps = views.iter().map(step).collect();
    let (started, finished) = (view.row.started_at.map(|at| at.0), view.row.finished_at.map(|at| at.0));
    let (state, created) = (view.row.state, view.row.created_at.0);
    Task { id, namespace, name, version, state, created, run_at: None, started, finished, steps }
}

/// Other moments for those that there are: whole seconds and odd ones, several at once, some in the wrong order.
fn set_moments(task: &mut Task, rng: &mut Rng) {
    let span = |rng: &mut Rng, most: i64| match rng.u32(..4) {
        0 => rng.i64(0..4.min(most)) * SECOND,
        1 => rng.i64(0..most) * SECOND,
        _ => rng.i64(0..most * SECOND),
    };
    let before = if rng.bool() { 7_200 } else { 7 * 86_400 };
    task.created = NOON - HOUR / 2 - span(rng, before);
    task.run_at = (rng.u32(..4) == 0).then(|| task.created + span(rng, 1_200) - 600 * SECOND);
    let from = task.run_at.map_or(task.created, |run_at| run_at.max(task.created));
    task.started = task.started.map(|_| from + span(rng, 300));
    task.finished = task.finished.map(|_| (task.started.unwrap_or(task.created) + span(rng, 1_500)).min(NOON));
    for step in &mut task.steps {
        step.started = step.started.map(|_| from + span(rng, 600));
        step.finished = step.finished.map(|_| step.started.unwrap_or(from) + span(rng, 900));
    }
}

fn write_moments(url: &str, tasks: &[Task]) {
    let sqlite = matches!(DatabaseUrl::parse(url).expect("a URL"), DatabaseUrl::Sqlite(_));
    let moment = |moment: Option<i64>| match moment {
        None => "NULL".to_owned(),
        Some(at) if sqlite => at.to_string(),
        Some(at) => format!("timestamptz 'epoch' + interval '{at} microseconds'"),
    };
    let mut sql = String::new();
    for task in tasks {
        let hex = task.id.to_string().replace('-', "");
        let id = if sqlite { format!("X'{hex}'") } else { format!("'{hex}'") };
        let (created, run_at) = (moment(Some(task.created)), moment(task.run_at));
        let (started, finished) = (moment(task.started), moment(task.finished));
        sql += &format!(
            "UPDATE tasker_tasks SET created_at = {created}, run_at = {run_at}, started_at = {started},
             finished_at = {finished} WHERE id = {id};"
        );
        for step in &task.steps {
            let (index, started, finished) = (step.index, moment(step.started), moment(step.finished));
            sql += &format!(
                "UPDATE tasker_workflow_steps SET started_at = {started}, finished_at = {finished}
                 WHERE task_id = {id} AND idx = {index};"
            );
        }
    }
    block(behind_the_back(url, &sql));
}

//! Databases of earlier versions, with tasks in every state: they are migrated, what is in them runs to its end, and the
//! schema is that of a new database. `fixtures/` is written by `bin/upgrades`, with programs of those versions.

#[path = "../support/mod.rs"]
mod support;

mod fixtures;
mod schema;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tasker_core::domain::id::StepIndex;
use tasker_core::domain::operation::{Operation, TaskOperation};
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::engine::transactions::look::{History, ListTasks};
use tasker_core::engine::transactions::operate::Note;
use tasker_core::engine::worker::{Phase, Worker};
use tasker_core::storage::Store;
use tasker_core::storage::rows::{HistoryRow, TaskFilter, TaskRow};

use fixtures::{load, versions};
use support::behind::rows_behind_the_back;
use support::host::{HOUR, Host, LEASE, block};
use support::lab::{done, eventually};

/// Beyond every timer and lease of the fixtures.
const LATER: i64 = 24 * 40 * HOUR;

/// The templates of the tasks in the fixtures.
fn templates() -> Vec<Value> {
    serde_json::from_str(include_str!("../../upgrades/templates.json")).expect("templates")
}

fn tasks(host: &Host, filter: TaskFilter) -> BTreeMap<String, TaskRow> {
    let look = ListTasks { filter, before: None, limit: 100, catalog: host.engine.catalog().clone() };
    let rows = block(host.engine.store().read(look)).expect("tasks");
    rows.into_iter().map(|(row, ..)| (row.key.clone().expect("a key"), row)).collect()
}

fn all(host: &Host) -> BTreeMap<String, TaskRow> {
    tasks(host, TaskFilter::default())
}

fn history(host: &Host, task: &TaskRow, steps: usize) -> Vec<HistoryRow> {
    let look = History { task: task.id, created_at: task.created_at, steps };
    block(host.engine.store().read(look)).expect("a history")
}

/// Has a thread do whatever the worker takes.
fn run(worker: &Arc<Worker>) {
    let worker = worker.clone();
    std::thread::spawn(move || {
        while worker.phase() != Phase::Stopped {
            match worker.take() {
                Some(ticket) => {
                    worker.report(ticket.number, done(json!("afterwards")));
                }
                None => std::thread::sleep(Duration::from_micros(200)),
            }
        }
    });
}

/// Each history leads from nothing to the present state, and tells nothing twice.
fn check_history(host: &Host, task: &TaskRow) {
    let steps = host.steps(task.id);
    let mut at: BTreeMap<Option<StepIndex>, (i32, String)> = BTreeMap::new();
    for row in history(host, task, steps.len()) {
        let before = at.insert(row.index, (row.seq, row.to.clone()));
        let (seq, state) = before.map_or((-1, None), |(seq, state)| (seq, Some(state)));
        assert_eq!(state, row.from, "{:?}: {row:?}", task.key);
        assert!(seq < row.seq && row.at >= task.created_at, "{:?}: {row:?}", task.key);
    }
    assert_eq!(at[&None].1, task.state.as_str());
    for step in steps {
        assert_eq!(at[&Some(step.index)].1, step.state.as_str(), "{:?}: {step:?}", task.key);
    }
}

/// Nothing waits, and no counter says otherwise. (A step that was cancelled waited for whatever it waited for.)
fn check_rest(url: &str) {
    let left = "SELECT 'ready' FROM tasker_ready UNION ALL SELECT 'timer' FROM tasker_timers
        UNION ALL SELECT 'parked' FROM tasker_parked UNION ALL SELECT 'receipt' FROM tasker_receipts
        UNION ALL SELECT 'live' FROM tasker_tasks WHERE live <> 0 OR failed <> 0 OR finished_at IS NULL
        UNION ALL SELECT 'waiting' FROM tasker_workflow_steps WHERE waiting <> 0 AND state <> 'cancelled'";
    let left = block(rows_behind_the_back(url, left));
    assert!(left.is_empty(), "{left:?}");
}

/// What the fixture's program left behind is there as it was.
fn check_as_it_was(host: &Host) {
    let found = all(host);
    let state =
        |key: &str| (found[key].state, host.steps(found[key].id).iter().map(|step| step.state).collect::<Vec<_>>());
    let (complete, pending) = (StepState::Complete, StepState::Pending);
    let half = |charge| vec![complete, complete, charge, pending];
    assert_eq!(state("complete"), (TaskState::Complete, vec![complete; 4]));
    assert_eq!(state("error"), (TaskState::Error, half(StepState::Error)));
    assert_eq!(state("waiting"), (TaskState::InProgress, half(StepState::WaitingForRetry)));
    assert_eq!(state("skipped"), (TaskState::Complete, vec![StepState::Skipped, complete]));
    assert_eq!(state("crashed"), (TaskState::InProgress, half(StepState::WaitingForRetry)));
    assert_eq!(host.steps(found["crashed"].id)[2].crashes, 1);
    assert_eq!(state("held").0, TaskState::InProgress);
    assert_eq!(state("held").1[2], StepState::InProgress);
    assert_eq!(state("pending"), (TaskState::Pending, vec![pending; 4]));
    assert_eq!(state("later"), (TaskState::Pending, vec![pending; 4]));
    assert_eq!((found["error"].priority, found["pending"].priority), (Some(3), Some(-2)));
    let result = host.steps(found["complete"].id).remove(1).result.expect("a result");
    assert_eq!(result.as_str(), r#"{"reserved":[1,2.5,null,"é"]}"#);
    let with_tag = TaskFilter { tag: Some("error".into()), ..TaskFilter::default() };
    let failed = TaskFilter { states: vec![TaskState::Error], ..TaskFilter::default() };
    assert!([with_tag, failed].into_iter().all(|filter| tasks(host, filter).into_keys().eq(["error".to_owned()])));
    found.values().for_each(|task| check_history(host, task));
}

fn operate(host: &Host, task: &TaskRow, operation: TaskOperation) {
    let operated = block(host.engine.operate(task.id, Operation::Task(operation), Note::default()));
    assert!(operated.expect("it is allowed").expect("there is such a task"));
}

fn goes_on(url: &str, version: usize) {
    load(url, version);
    let host = Host::start(url, LATER, LEASE, &templates());
    check_as_it_was(&host);
    for task in all(&host).values().filter(|task| task.state == TaskState::Paused) {
        operate(&host, task, TaskOperation::Resume);
    }
    let worker = host.worker(2);
    run(&worker);
    eventually("every task ends", || all(&host).values().all(|task| task.state.is_ended()));
    let ended = all(&host);
    operate(&host, &ended["error"], TaskOperation::Retry);
    eventually("what failed is done", || host.state(ended["error"].id) == TaskState::Complete);
    block(worker.stop(Duration::from_secs(9)));
    for (key, task) in all(&host) {
        let by_hand = matches!(key.as_str(), "cancelled" | "resolved");
        assert!(by_hand || task.state == TaskState::Complete, "{key}: {}", task.state);
        check_history(&host, &task);
    }
    let first = |key: &str| host.steps(ended[key].id).remove(0).result.map(|result| result.as_str().to_owned());
    assert_eq!(first("held").as_deref(), Some(r#"{"valid":"hangs"}"#), "what was recorded before stays");
    assert_eq!(first("pending").as_deref(), Some(r#""afterwards""#));
    check_rest(url);
    host.end();
}

on_each_database! {
    fn a_database_of_version_1_goes_on(url: &str) {
        goes_on(url, 1);
    }

    fn a_database_of_version_2_goes_on(url: &str) {
        goes_on(url, 2);
    }

    fn a_database_of_version_3_goes_on(url: &str) {
        goes_on(url, 3);
    }

    fn a_database_of_version_4_goes_on(url: &str) {
        goes_on(url, 4);
    }
}

#[test]
fn every_earlier_version_has_its_fixtures_and_its_test() {
    let tests = include_str!("main.rs");
    for version in 1..versions() {
        let test = format!("fn a_database_of_version_{version}_goes_on");
        assert!(tests.contains(&test), "version {version}: bin/upgrades fixtures makes its databases");
    }
}

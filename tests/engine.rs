//! The engine through its handle, on every database.

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use support::lab::*;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::ffi::shared::process::Process;

fn runtime() -> &'static tokio::runtime::Handle {
    Process::current().expect("a runtime").runtime()
}

fn diamond() -> serde_json::Value {
    json!({ "name": "diamond", "steps": [
        { "name": "top" },
        { "name": "left", "depends_on": "top" },
        { "name": "right", "depends_on": ["top"] },
        { "name": "bottom", "depends_on": ["left", "right"] },
    ]})
}

#[test]
fn a_diamond_runs_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}/a.sqlite3", folder.path().display());
    let handle = open(&url);
    register(&handle, diamond());
    let task = create(&handle, json!({ "name": "diamond", "context": { "n": 1 } })).expect("a task");
    assert_eq!(task.row.state, TaskState::Pending);
    let crew = Crew::start(
        &handle,
        2,
        None,
        Arc::new(|step| {
            let inputs: Vec<_> = step.parents.iter().map(|(_, result)| result.clone()).collect();
            done(json!({ "step": step.row.key.index, "inputs": inputs }))
        }),
    );
    assert!(crew.until_idle(runtime()));
    let order = crew.order();
    assert_eq!((order[0].as_str(), order[3].as_str(), order.len()), ("top", "bottom", 4));
    let task = reload(&handle, &task);
    assert_eq!(task.row.state, TaskState::Complete);
    let steps = steps(&handle, &task);
    assert!(steps.values().all(|step| step.row.state == StepState::Complete));
    assert_eq!(
        steps["bottom"].row.result.as_ref().expect("a result").as_str(),
        r#"{"inputs":[{"inputs":[{"inputs":[],"step":0}],"step":1},{"inputs":[{"inputs":[],"step":0}],"step":2}],"step":3}"#
    );
    for line in wait(handle.history(task.row.id)).expect("history") {
        println!(
            "{:?} {:?} {} {:?}->{} {}",
            line.row.at, line.step, line.row.seq, line.row.from, line.row.to, line.row.attempt
        );
    }
    crew.stop(runtime());
    wait(handle.close()).expect("closed");
}

#[test]
fn many_diamonds_are_fast() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = std::env::var("SPEED_URL").unwrap_or_else(|_| format!("sqlite:{}/a.sqlite3", folder.path().display()));
    let handle = open(&url);
    register(&handle, diamond());
    let contexts: Vec<_> = (0..5000).map(|n| json!({ "n": n })).collect();
    let began = std::time::Instant::now();
    create_many(&handle, json!({ "name": "diamond", "contexts": contexts })).expect("tasks");
    println!("created in {:?}", began.elapsed());
    let began = std::time::Instant::now();
    let crew = Crew::start(&handle, 5, None, Arc::new(|_| done(json!({ "ok": true }))));
    assert!(crew.until_idle(runtime()));
    let took = began.elapsed();
    println!("20000 steps in {took:?}: {:.0}/s", 20_000.0 / took.as_secs_f64());
    assert_eq!(crew.order().len(), 20_000);
    println!("{:?}", crew.worker.stats());
    crew.stop(runtime());
    wait(handle.close()).expect("closed");
}

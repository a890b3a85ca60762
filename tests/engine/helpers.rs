//! What the modules of this suite share.

use std::sync::Arc;

use serde_json::{Value, json};
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::process::Process;
use tasker_core::ffi::shared::types::{StepView, TaskView};

use crate::support::lab::*;

pub type Handle = Arc<OrchestrationHandle>;

pub fn runtime() -> &'static tokio::runtime::Handle {
    Process::current().expect("a runtime").runtime()
}

pub fn diamond() -> Value {
    json!({ "name": "diamond", "steps": [
        { "name": "top" },
        { "name": "left", "depends_on": "top" },
        { "name": "right", "depends_on": ["top"] },
        { "name": "bottom", "depends_on": ["left", "right"] },
    ]})
}

/// A template with one step, with these options.
pub fn single(options: Value) -> Value {
    let mut step = json!({ "name": "only" });
    step.as_object_mut().expect("an object").extend(options.as_object().expect("an object").clone());
    json!({ "name": "single", "steps": [step] })
}

/// Runs everything there is with `handler`, and returns the steps that ran, in order.
pub fn run(handle: &Handle, handler: Handler) -> Vec<String> {
    let crew = Crew::start(handle, 2, None, handler);
    assert!(crew.until_idle(runtime()), "not idle in time");
    let order = crew.order();
    crew.stop(runtime());
    order
}

pub fn close(handle: &Handle) {
    wait(handle.close()).expect("closed");
}

pub fn one(handle: &Handle, task: &TaskView) -> StepView {
    steps(handle, task).remove("only").expect("the step")
}

/// Runs with another worker until it has run `n` steps; returns how many it ran.
pub fn run_others(handle: &Handle, n: usize) -> usize {
    let crew = Crew::start(handle, 1, None, Arc::new(|_| done(json!(2))));
    eventually("the rest runs", || crew.order().len() >= n);
    let ran = crew.order().len();
    crew.stop(runtime());
    ran
}

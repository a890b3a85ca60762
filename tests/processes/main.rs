//! What two processes do at the same instant, on each database.
//!
//! * [`actor`]: a process that does what it is told. [`diamonds`]: parents that end at once. [`races`]: an end against a
//!   cancellation, a recovery against a retry. [`migrating`]: processes that start at once. [`clocks`]: a process whose
//!   host's clock jumps.

#[path = "../support/mod.rs"]
mod support;

#[path = "../upgrades/fixtures.rs"]
mod fixtures;

mod actor;
mod clocks;
mod diamonds;
mod migrating;
mod races;

use serde_json::{Value, json};

use support::behind::rows_behind_the_back;
use support::host::block;

/// What the processes work on. `right` and `slow` are queues of the second one.
fn templates() -> [Value; 4] {
    [
        json!({ "name": "diamond", "steps": [
            { "name": "bottom", "depends_on": ["left", "right"] },
            { "name": "left", "depends_on": "top" }, { "name": "right", "depends_on": "top", "queue": "right" },
            { "name": "top" }] }),
        json!({ "name": "chain", "steps": [{ "name": "end", "depends_on": "begin" }, { "name": "begin" }] }),
        json!({ "name": "single", "steps": [{ "name": "only" }] }),
        json!({ "name": "pair", "steps": [{ "name": "lost" }, { "name": "fails" },
            { "name": "both", "depends_on": ["lost", "fails"] }] }),
    ]
}

/// A number from the environment, to have a test run for longer.
fn asked(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The random numbers of a test, which says by which seed it can be run again.
fn random() -> fastrand::Rng {
    let seed = asked("TASKER_SEED", fastrand::usize(..)) as u64;
    println!("TASKER_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Nothing is queued or held, and every counter says so.
fn check_rest(url: &str) {
    let left = "SELECT 'ready' FROM tasker_ready UNION ALL SELECT 'timer' FROM tasker_timers
        UNION ALL SELECT 'task' FROM tasker_tasks WHERE live <> 0 OR finished_at IS NULL
        UNION ALL SELECT 'step' FROM tasker_workflow_steps WHERE finished_at IS NULL
        UNION ALL SELECT 'waiting' FROM tasker_workflow_steps AS s JOIN tasker_tasks AS t ON t.id = s.task_id
            WHERE t.state = 'complete' AND s.waiting <> 0";
    let left = block(rows_behind_the_back(url, left));
    assert!(left.is_empty(), "{left:?}");
}

//! What is said of many tasks, against a plain computation over a generated history. Its moments and the clock are
//! fixed. `TASKER_SEED=7` repeats a run with that seed; the seed of a failed run stands in its output.

mod counting;
mod history;
mod plain;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};
use tasker_core::domain::state::StepState;
use tasker_core::domain::time::Timestamp;
use tasker_core::ffi::shared::types::{Analytics, Moment, StepAnalytics, TemplateAnalytics};

use crate::helpers::*;
use crate::on_each_database;
use crate::support::lab::*;
use history::{HOUR, NOON, SECOND, Step, Task, generate, open_at_noon, templates};
use plain::{Spans, check_outcomes, check_spans, micros, steps_in};

/// A generator with a seed of its own for each run, unless one is asked for.
fn seeded() -> Rng {
    let seed = std::env::var("TASKER_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("TASKER_SEED={seed}");
    Rng::with_seed(seed)
}

/// Windows that begin when a task ended, a microsecond after, where none did, and by default.
fn windows(tasks: &[Task], rng: &mut Rng) -> Vec<Option<i64>> {
    let mut ends: Vec<i64> = tasks.iter().filter_map(|task| task.finished).collect();
    rng.shuffle(&mut ends);
    let exact = ends.iter().take(5).flat_map(|&end| [Some(end), Some(end + 1)]);
    exact.chain([None, Some(0), Some(NOON - HOUR), Some(NOON + 600 * SECOND)]).collect()
}

/// The tasks of a window, in the order in which they ended.
fn wanted<'t>(tasks: &'t [Task], since: i64, namespace: Option<&str>, name: Option<&str>) -> Vec<&'t Task> {
    tasks.iter().filter(|task| task.is_of(since, namespace, name)).collect()
}

fn question(since: Option<i64>, namespace: Option<&str>, name: Option<&str>) -> Value {
    let since = since.map(|since| serde_json::to_value(Moment(Timestamp(since))).expect("a moment"));
    json!({ "since": since, "namespace": namespace, "name": name })
}

fn check(said: &Analytics, tasks: &[&Task]) {
    let window = (said.until.0.0 - said.since.0.0).max(0);
    check_outcomes(&said.outcomes, tasks, window);
    let key = |task: &&Task| (task.namespace.clone(), task.name.clone(), task.version.clone());
    let keys: BTreeSet<_> = tasks.iter().map(key).collect();
    let said_of: Vec<_> =
        said.templates.iter().map(|of| (of.namespace.clone(), of.name.clone(), of.version.clone())).collect();
    assert_eq!(said_of, keys.iter().cloned().collect::<Vec<_>>());
    for of in &said.templates {
        let template = (of.namespace.clone(), of.name.clone(), of.version.clone());
        let tasks: Vec<&Task> = tasks.iter().copied().filter(|task| key(task) == template).collect();
        check_outcomes(&of.outcomes, &tasks, window);
        check_steps(of, &tasks);
    }
}

fn check_steps(said: &TemplateAnalytics, tasks: &[&Task]) {
    let written = templates().into_iter().find(|of| {
        of["name"] == said.name.as_str()
            && of["namespace"].as_str().unwrap_or("default") == said.namespace
            && of["version"].as_str().unwrap_or("1.0.0") == said.version
    });
    let written = written.expect("its template");
    let names = written["steps"].as_array().expect("steps").iter().map(|step| step["name"].as_str().expect("a name"));
    let kinds = names.flat_map(|name| [name.to_owned(), format!("{name}[]")]);
    let runs_of = |kind: &String| -> Vec<(&Step, Spans)> {
        tasks.iter().flat_map(|task| task.ran()).filter(|(step, _)| step.kind == *kind).collect()
    };
    let ran: Vec<(String, Vec<_>)> =
        kinds.map(|kind| (kind.clone(), runs_of(&kind))).filter(|(_, runs)| !runs.is_empty()).collect();
    assert_eq!(
        said.by_step.iter().map(|of| &of.name).collect::<Vec<_>>(),
        ran.iter().map(|(kind, _)| kind).collect::<Vec<_>>()
    );
    for (StepAnalytics { completed, failed, attempts, running, waiting, .. }, (_, runs)) in
        said.by_step.iter().zip(&ran)
    {
        let found = (steps_in(runs, StepState::Complete), steps_in(runs, StepState::Error));
        assert_eq!((*completed, *failed), found);
        assert_eq!(*attempts, runs.iter().map(|(step, _)| u64::from(step.attempts)).sum::<u64>());
        check_spans(running, waiting, &runs.iter().map(|(_, spans)| *spans).collect::<Vec<_>>());
    }
}

fn check_slowest(handle: &Handle, asked: &Value, limit: usize, tasks: &[&Task]) {
    let mut asked = asked.clone();
    asked["limit"] = json!(limit);
    let input = || serde_json::from_value(asked.clone()).expect("a window");
    let mut slow: Vec<(&Task, Spans)> = tasks.iter().filter_map(|task| Some((*task, task.spans()?))).collect();
    slow.sort_by_key(|(task, spans)| (Reverse(spans.0), task.id));
    let expected = slow.iter().take(limit).map(|(task, (running, waiting))| {
        let moments = (task.created, task.started, task.finished.expect("an end"));
        (task.id.to_string(), task.version.clone(), task.state.as_str(), *running, *waiting, moments)
    });
    let found = wait(handle.slowest_tasks(input())).expect("tasks").into_iter().map(|task| {
        let moments = (task.created_at.0.0, task.started_at.map(|at| at.0.0), task.finished_at.0.0);
        let spans = (micros(task.running_seconds), micros(task.waiting_seconds));
        (task.task_id, task.version, task.status, spans.0, spans.1, moments)
    });
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());

    let mut slow: Vec<_> =
        tasks.iter().flat_map(|task| task.ran().map(|(step, spans)| (task.id, step, spans))).collect();
    slow.sort_by_key(|(id, step, spans)| (Reverse(spans.0), *id, step.index));
    let expected = slow.iter().take(limit).map(|(id, step, (running, waiting))| {
        let of = (id.to_string(), step.name.clone(), step.state.as_str(), step.attempts);
        (of, *running, *waiting, step.started, step.finished)
    });
    let found = wait(handle.slowest_steps(input())).expect("steps").into_iter().map(|step| {
        let moments = (step.started_at.map(|at| at.0.0), step.finished_at.map(|at| at.0.0));
        let spans = (micros(step.running_seconds), micros(step.waiting_seconds));
        ((step.task_id, step.step_name, step.status, step.attempts), spans.0, spans.1, moments.0, moments.1)
    });
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

on_each_database! {
    fn what_ended_is_summed_up_as_by_a_plain_computation(url: &str) {
        let mut rng = seeded();
        let handle = open_at_noon(url);
        let tasks = generate(&handle, url, &mut rng);
        let ended: Vec<&Task> = tasks.iter().filter(|task| task.finished.is_some()).collect();
        assert!(ended.len() > 40 && ended.len() < tasks.len(), "{} of {}", ended.len(), tasks.len());
        assert!(ended.iter().any(|task| task.started.is_none()), "one of which nothing was ever claimed");
        for since in windows(&tasks, &mut rng) {
            for (namespace, name) in [
                (None, None), (Some("shop"), None), (None, Some("diamond")), (Some("shop"), Some("diamond")),
                (Some("default"), Some("lists")), (Some("nobody's"), None), (Some("default"), Some("choice")),
            ] {
                let asked = question(since, namespace, name);
                let input = serde_json::from_value(asked.clone()).expect("a window");
                let said = wait(handle.analytics(input)).expect("analytics");
                assert!((NOON..NOON + 300 * SECOND).contains(&said.until.0.0), "the clock is fixed: {:?}", said.until);
                let begin = since.unwrap_or(said.until.0.0 - HOUR);
                assert_eq!(said.since.0.0, begin);
                check(&said, &wanted(&tasks, begin, namespace, name));
                if since.is_some() {
                    check_slowest(&handle, &asked, 1 + rng.usize(..12), &wanted(&tasks, begin, namespace, name));
                }
            }
        }
        check_slowest(&handle, &question(Some(0), None, None), 1_000, &ended);
        close(&handle);
    }
}

//! Failures: attempts, delays, timeouts, what they mean to the rest.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_core::domain::json::Json;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::engine::transactions::verdict::Outcome;

use crate::helpers::*;
use crate::on_each_database;
use crate::support::lab::*;

on_each_database! {
    fn a_failure_is_tried_again_up_to_the_limit(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({ "retry_limit": 3, "backoff": "none" })));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        let order = run(&handle, Arc::new(|_| fail("no luck", false, None)));
        assert_eq!(order.len(), 3);
        let (task, step) = (reload(&handle, &task), one(&handle, &task));
        assert_eq!((task.row.state, step.row.state, step.row.attempts), (TaskState::Error, StepState::Error, 3));
        let error = task.row.error.expect("an error").tree().expect("JSON");
        assert_eq!((&error["step"], &error["message"]), (&json!("only"), &json!("no luck")));
        close(&handle);
    }

    fn a_step_that_is_not_retryable_runs_once(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({ "retryable": false })));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        assert_eq!(run(&handle, Arc::new(|_| fail("no luck", false, None))).len(), 1);
        assert_eq!(reload(&handle, &task).row.state, TaskState::Error);
        close(&handle);
    }

    fn a_breach_of_an_output_schema_fails_for_good_and_the_host_hears_of_it(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({ "retry_limit": 3, "output": { "type": "integer" } })));
        let bad = create(&handle, json!({ "name": "single" })).expect("a task");
        let crew = Crew::start(&handle, 1, None, Arc::new(|_| done(json!("three"))));
        assert!(crew.until_idle(runtime()), "not idle in time");
        let breaches = crew.worker.breaches();
        assert_eq!(breaches.len(), 1);
        assert_eq!(breaches[0].ticket.assignment.row.key.task, bad.row.id);
        assert_eq!(breaches[0].faults.all()[0].path, "result");
        assert!(!crew.worker.heartbeat(breaches[0].ticket.number), "no thread has it any more");
        assert!(crew.worker.breaches().is_empty(), "each is told once");
        assert_eq!((one(&handle, &bad).row.attempts, crew.worker.stats().failed), (1, 1));
        crew.stop(runtime());
        close(&handle);
    }

    fn a_permanent_failure_is_not_tried_again_and_its_branch_stays(url: &str) {
        let handle = open(url);
        register(&handle, diamond());
        let task = create(&handle, json!({ "name": "diamond" })).expect("a task");
        let order = run(&handle, Arc::new(|step| {
            if step.row.key.index == 1 { fail("declined", true, None) } else { done(json!(1)) }
        }));
        assert_eq!(order.len(), 3, "{order:?}");
        assert_eq!(reload(&handle, &task).row.state, TaskState::Error);
        let steps = steps(&handle, &task);
        assert_eq!(steps["left"].row.state, StepState::Error);
        assert_eq!(steps["right"].row.state, StepState::Complete);
        assert_eq!(steps["bottom"].row.state, StepState::Pending);
        close(&handle);
    }

    fn an_optional_step_is_skipped_when_it_fails(url: &str) {
        let handle = open(url);
        let steps_json = json!([
            { "name": "mail", "on_failure": "skip", "retryable": false },
            { "name": "end", "depends_on": "mail" },
        ]);
        register(&handle, json!({ "name": "optional", "steps": steps_json }));
        let task = create(&handle, json!({ "name": "optional" })).expect("a task");
        run(&handle, Arc::new(|step| match step.row.key.index {
            0 => fail("no mail", false, None),
            _ => done(json!({ "mail": step.parents[0].1 })),
        }));
        assert_eq!(reload(&handle, &task).row.state, TaskState::Complete);
        let steps = steps(&handle, &task);
        assert_eq!(steps["mail"].row.state, StepState::Skipped);
        assert!(steps["mail"].row.error.as_ref().expect("an error").as_str().contains("no mail"));
        assert_eq!(steps["end"].row.result.as_ref().expect("a result").as_str(), r#"{"mail":null}"#);
        let states = wait(handle.history(task.row.id)).expect("history").into_iter();
        let states: Vec<_> = states.filter(|line| line.step.as_deref() == Some("mail")).map(|line| line.row.to).collect();
        assert_eq!(states, ["pending", "in_progress", "error", "skipped"]);
        close(&handle);
    }

    fn retry_after_wins_over_the_backoff(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({ "backoff": { "kind": "linear", "base": 3600, "cap": 3600, "jitter": 0 } })));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        let order = run(&handle, Arc::new(|step| match step.attempt() {
            1 => fail("busy", false, Some(Duration::from_millis(30))),
            _ => done(json!(true)),
        }));
        assert_eq!(order.len(), 2);
        assert_eq!(reload(&handle, &task).row.state, TaskState::Complete);
        close(&handle);
    }

    fn a_waiting_retry_shows_when_it_is_due(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({ "backoff": { "kind": "exponential", "base": 100, "cap": 150, "jitter": 0 } })));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        let crew = Crew::start(&handle, 1, None, Arc::new(|_| fail("busy", false, None)));
        eventually("a retry is scheduled", || one(&handle, &task).row.state == StepState::WaitingForRetry);
        let step = one(&handle, &task);
        let delay = step.row.next_retry_at.expect("a time").since(step.row.started_at.expect("a time"));
        assert!((Duration::from_secs(100)..Duration::from_secs(110)).contains(&delay), "{delay:?}");
        crew.stop(runtime());
        close(&handle);
    }

    fn a_step_past_its_timeout_is_tried_again_and_its_late_result_refused(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({ "timeout": 0.5, "backoff": "none" })));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        let (release, gate) = std::sync::mpsc::channel();
        let gate = std::sync::Mutex::new(gate);
        let crew = Crew::start(&handle, 2, None, Arc::new(move |step| {
            if step.attempt() == 1 {
                gate.lock().expect("a gate").recv_timeout(LIMIT).expect("released");
            }
            done(json!(step.attempt()))
        }));
        eventually("the task ends", || reload(&handle, &task).row.state.is_ended());
        release.send(()).expect("somebody waits");
        eventually("the late thread is back", || crew.worker.stats().late == 1);
        let step = one(&handle, &task);
        assert_eq!((step.row.attempts, step.row.result.expect("a result").as_str()), (2, "2"));
        crew.stop(runtime());
        close(&handle);
    }

    fn a_result_that_cannot_be_stored_fails_alone(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({ "backoff": "none" })));
        let contexts: Vec<_> = (0..20).map(|n| json!({ "n": n })).collect();
        let ids = create_many(&handle, json!({ "name": "single", "contexts": contexts })).expect("tasks");
        // PostgreSQL's parser has a limit to its depth; SQLite stores any text.
        let too_deep = Json::from_trusted(format!("{}{}", "[".repeat(50_000), "]".repeat(50_000)));
        run(&handle, Arc::new(move |step| match step.task.head.context.as_str() {
            r#"{"n":7}"# => Outcome::Succeeded(too_deep.clone()),
            _ => done(json!("fine")),
        }));
        for (n, id) in ids.iter().enumerate() {
            let task = wait(handle.task(&id.to_string())).expect("a task");
            match (n, task.row.state, &task.row.error) {
                (7, TaskState::Error, Some(error)) => assert!(error.as_str().contains("cannot be stored"), "{error:?}"),
                (7, state, _) => assert!(url.starts_with("sqlite") && state == TaskState::Complete, "{state}"),
                (_, state, _) => assert_eq!(state, TaskState::Complete),
            }
        }
        close(&handle);
    }
}

//! The engine through its handle, on every database: what a host language's users would notice.

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use support::lab::*;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::engine::error::EngineError;
use tasker_core::engine::worker::Phase;
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::process::Process;
use tasker_core::ffi::shared::types::{ListTasksInput, StepView, TaskView};

type Handle = Arc<OrchestrationHandle>;

fn runtime() -> &'static tokio::runtime::Handle {
    Process::current().expect("a runtime").runtime()
}

fn diamond() -> Value {
    json!({ "name": "diamond", "steps": [
        { "name": "top" },
        { "name": "left", "depends_on": "top" },
        { "name": "right", "depends_on": ["top"] },
        { "name": "bottom", "depends_on": ["left", "right"] },
    ]})
}

/// A template with one step, with these options.
fn single(options: Value) -> Value {
    let mut step = json!({ "name": "only" });
    step.as_object_mut().expect("an object").extend(options.as_object().expect("an object").clone());
    json!({ "name": "single", "steps": [step] })
}

/// Runs everything there is with `handler`, and returns the steps that ran, in order.
fn run(handle: &Handle, handler: Handler) -> Vec<String> {
    let crew = Crew::start(handle, 2, None, handler);
    assert!(crew.until_idle(runtime()), "not idle in time");
    let order = crew.order();
    crew.stop(runtime());
    order
}

fn close(handle: &Handle) {
    wait(handle.close()).expect("closed");
}

fn one(handle: &Handle, task: &TaskView) -> StepView {
    steps(handle, task).remove("only").expect("the step")
}

on_each_database! {
    fn a_diamond_runs_in_order(url: &str) {
        let handle = open(url);
        register(&handle, diamond());
        let task = create(&handle, json!({ "name": "diamond", "context": { "n": 1 } })).expect("a task");
        assert_eq!((task.row.state, task.row.context.as_str()), (TaskState::Pending, r#"{"n":1}"#));
        let order = run(&handle, Arc::new(|step| {
            let inputs: Vec<_> = step.parents.iter().map(|(_, result)| result.clone()).collect();
            done(json!({ "step": step.row.key.index, "inputs": inputs }))
        }));
        assert_eq!((order[0].as_str(), order[3].as_str(), order.len()), ("top", "bottom", 4));
        let task = reload(&handle, &task);
        assert_eq!(task.row.state, TaskState::Complete);
        assert!(task.row.started_at >= Some(task.row.created_at) && task.row.finished_at >= task.row.started_at);
        let bottom = steps(&handle, &task).remove("bottom").expect("the last step");
        let top = r#"{"inputs":[],"step":0}"#;
        let expected = format!(r#"{{"inputs":[{{"inputs":[{top}],"step":1}},{{"inputs":[{top}],"step":2}}],"step":3}}"#);
        assert_eq!(bottom.row.result.expect("a result").as_str(), expected);
        close(&handle);
    }

    fn history_replays_into_the_state(url: &str) {
        let handle = open(url);
        register(&handle, diamond());
        let task = create(&handle, json!({ "name": "diamond" })).expect("a task");
        let failures = AtomicUsize::new(0);
        run(&handle, Arc::new(move |step| {
            let retry = step.row.key.index == 1 && failures.fetch_add(1, Ordering::Relaxed) == 0;
            if retry { fail("once", false, Some(Duration::ZERO)) } else { done(json!(null)) }
        }));
        let mut state: HashMap<Option<String>, String> = HashMap::new();
        for line in wait(handle.history(task.row.id)).expect("history") {
            assert_eq!(line.row.from.as_ref(), state.get(&line.step), "{line:?}");
            state.insert(line.step, line.row.to);
        }
        assert_eq!(state.len(), 5);
        assert!(state.values().all(|last| last == "complete"), "{state:?}");
        close(&handle);
    }

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
        register(&handle, single(json!({ "timeout": 0.05, "backoff": "none" })));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        let crew = Crew::start(&handle, 2, None, Arc::new(|step| {
            if step.attempt() == 1 {
                std::thread::sleep(Duration::from_millis(300));
            }
            done(json!(step.attempt()))
        }));
        eventually("the task ends", || reload(&handle, &task).row.state.is_ended());
        eventually("the late thread is back", || crew.worker.stats().late == 1);
        let step = one(&handle, &task);
        assert_eq!((step.row.attempts, step.row.result.expect("a result").as_str()), (2, "2"));
        crew.stop(runtime());
        close(&handle);
    }

    fn a_key_makes_one_task(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let first = create(&handle, json!({ "name": "single", "key": "a" })).expect("a task");
        match create(&handle, json!({ "name": "single", "key": "a" })) {
            Err(EngineError::Duplicate { existing, key }) => assert_eq!((existing, key.as_str()), (first.row.id, "a")),
            other => panic!("{other:?}"),
        }
        let again = create(&handle, json!({ "name": "single", "key": "a", "on_duplicate": "return" })).expect("a task");
        assert_eq!(again.row.id, first.row.id);
        let contexts = json!([{}, {}]);
        let refused = create_many(&handle, json!({ "name": "single", "contexts": contexts, "keys": ["b", "a"] }));
        assert!(matches!(refused, Err(EngineError::Duplicate { .. })), "{refused:?}");
        assert_eq!(wait(handle.count(ListTasksInput::default())).expect("a count"), 1, "all or none");
        close(&handle);
    }

    fn the_same_key_at_once_makes_one_task(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let threads: Vec<_> = (0..16).map(|_| {
            let handle = handle.clone();
            std::thread::spawn(move || create(&handle, json!({ "name": "single", "key": "k", "on_duplicate": "return" })))
        }).collect();
        let mut ids: Vec<_> = threads.into_iter().map(|t| t.join().expect("a thread").expect("a task").row.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1);
        close(&handle);
    }

    fn a_new_task_is_what_was_stored(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let input = json!({ "name": "single", "context": { "a": [1, null] }, "key": "k", "priority": 3, "queue": "q",
            "tags": ["x", "y"], "initiator": "me", "reason": "why", "run_at": "2999-01-01T00:00:00.000001Z" });
        let task = create(&handle, input).expect("a task");
        assert_eq!(format!("{:?}", task.row), format!("{:?}", reload(&handle, &task).row));
        let crew = Crew::start(&handle, 1, None, Arc::new(|_| done(json!(null))));
        assert!(crew.until_idle(runtime()));
        let taken = create(&handle, json!({ "name": "single" })).expect("a task");
        assert_eq!(taken.row.state, TaskState::InProgress, "an idle worker took it with the commit that made it");
        assert_eq!(taken.row.started_at, Some(taken.row.created_at));
        assert!(crew.until_idle(runtime()));
        assert_eq!(reload(&handle, &taken).row.started_at, taken.row.started_at);
        crew.stop(runtime());
        close(&handle);
    }

    fn a_task_waits_for_its_time(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let later = create(&handle, json!({ "name": "single", "run_at": "2999-01-01T00:00:00Z" })).expect("a task");
        let soon = chrono::Utc::now() + chrono::TimeDelta::milliseconds(200);
        let soon = create(&handle, json!({ "name": "single", "run_at": soon.to_rfc3339() })).expect("a task");
        let crew = Crew::start(&handle, 1, None, Arc::new(|_| done(json!(null))));
        eventually("the sooner task ends", || reload(&handle, &soon).row.state.is_ended());
        let soon = reload(&handle, &soon);
        assert!(soon.row.started_at >= soon.row.run_at);
        assert!(crew.until_idle(runtime()), "a later run_at does not count as work");
        assert_eq!(reload(&handle, &later).row.state, TaskState::Pending);
        crew.stop(runtime());
        close(&handle);
    }

    fn higher_priority_goes_first_then_older_tasks(url: &str) {
        let handle = open(url);
        register(&handle, json!({ "name": "single", "steps": [{ "name": "only" }] }));
        let ids: Vec<_> = [0, 5, -5, 5]
            .map(|priority| create(&handle, json!({ "name": "single", "priority": priority })).expect("a task").row.id.to_string())
            .into();
        let crew = Crew::start(&handle, 1, None, Arc::new(|_| done(json!(null))));
        assert!(crew.until_idle(runtime()));
        let order: Vec<_> = crew.journal.lock().expect("a journal").iter().map(|(task, _, _)| task.clone()).collect();
        assert_eq!(order, [1, 3, 0, 2].map(|i: usize| ids[i].clone()));
        crew.stop(runtime());
        close(&handle);
    }

    fn a_worker_takes_its_queues_only(url: &str) {
        let handle = open(url);
        let steps_json = json!([{ "name": "a", "queue": "slow" }, { "name": "b" }]);
        register(&handle, json!({ "name": "two", "steps": steps_json }));
        let task = create(&handle, json!({ "name": "two", "queue": "mine" })).expect("a task");
        let slow = Crew::start(&handle, 1, Some(vec!["slow".into()]), Arc::new(|_| done(json!(null))));
        assert!(slow.until_idle(runtime()));
        assert_eq!(slow.order(), ["a"]);
        let mine = Crew::start(&handle, 1, Some(vec!["mine".into()]), Arc::new(|_| done(json!(null))));
        eventually("the task ends", || reload(&handle, &task).row.state == TaskState::Complete);
        assert_eq!(mine.order(), ["b"]);
        slow.stop(runtime());
        mine.stop(runtime());
        close(&handle);
    }

    fn a_running_worker_learns_of_new_templates_and_queues_at_once(url: &str) {
        let handle = open_unpolled(url);
        register(&handle, single(json!({})));
        let crew = Crew::start(&handle, 1, None, Arc::new(|_| done(json!(null))));
        assert!(crew.until_idle(runtime()));
        register(&handle, diamond());
        let one = create(&handle, json!({ "name": "diamond" })).expect("a task");
        let two = create(&handle, json!({ "name": "single", "queue": "never seen before" })).expect("a task");
        for task in [one, two] {
            wait(handle.wait(task.row.id, None)).expect("it ends");
        }
        crew.stop(runtime());
        close(&handle);
    }

    fn a_stopped_worker_gives_back_what_it_has_not_begun(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let contexts: Vec<_> = (0..10).map(|n| json!({ "n": n })).collect();
        create_many(&handle, json!({ "name": "single", "contexts": contexts })).expect("tasks");
        let gate = Arc::new(std::sync::Barrier::new(2));
        let inside = gate.clone();
        let first = Crew::start(&handle, 1, None, Arc::new(move |_| {
            inside.wait();
            inside.wait();
            done(json!(1))
        }));
        gate.wait();
        let worker = first.worker.clone();
        let stopping = std::thread::spawn(move || runtime().block_on(worker.stop(LIMIT)));
        eventually("it drains", || first.worker.phase() == Phase::Draining);
        let order = run_others(&handle, 9);
        assert_eq!(order, 9);
        gate.wait();
        stopping.join().expect("stopped");
        first.stop(runtime());
        let left: ListTasksInput = serde_json::from_value(json!({ "status": ["pending", "in_progress"] })).expect("input");
        assert_eq!(wait(handle.count(left)).expect("a count"), 0);
        close(&handle);
    }

    fn a_worker_stopped_by_force_gives_back_what_is_running(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        let gate = Arc::new(std::sync::Barrier::new(2));
        let inside = gate.clone();
        let stuck = Crew::start(&handle, 1, None, Arc::new(move |_| {
            inside.wait();
            inside.wait();
            done(json!("late"))
        }));
        gate.wait();
        runtime().block_on(stuck.worker.stop(Duration::ZERO));
        assert_eq!(run(&handle, Arc::new(|_| done(json!("in time")))).len(), 1);
        gate.wait();
        stuck.stop(runtime());
        let step = one(&handle, &task);
        assert_eq!((step.row.attempts, step.row.crashes), (1, 0), "what was given back is no attempt");
        assert_eq!(step.row.result.expect("a result").as_str(), r#""in time""#);
        close(&handle);
    }

    fn waiting_for_a_task_ends_with_it(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        let refused = wait(handle.wait(task.row.id, Some(Duration::from_millis(20))));
        assert!(matches!(refused, Err(EngineError::Timeout(_))), "{refused:?}");
        let other = open(url);
        let waiting = other.wait(task.row.id, None);
        run(&handle, Arc::new(|_| done(json!(null))));
        assert_eq!(wait(waiting).expect("the task").row.state, TaskState::Complete);
        close(&handle);
        close(&other);
    }

    fn closing_a_handle_ends_its_waits(url: &str) {
        let (handle, other) = (open(url), open(url));
        register(&other, single(json!({})));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        let (mine, others) = (handle.wait(task.row.id, None), other.wait(task.row.id, None));
        close(&handle);
        let ended = wait(mine);
        assert!(matches!(ended, Err(EngineError::HandleClosed)), "{ended:?}");
        assert!(!others.is_done(), "the other handle is open");
        run(&other, Arc::new(|_| done(json!(null))));
        wait(others).expect("the task");
        close(&other);
    }

    fn tasks_are_listed_newest_first_in_pages(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let contexts: Vec<_> = (0..25).map(|n| json!({ "n": n })).collect();
        let mut ids = create_many(&handle, json!({ "name": "single", "contexts": contexts })).expect("tasks");
        ids.reverse();
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = json!({ "name": "single", "status": "pending", "limit": 10, "before": before });
            let page = wait(handle.tasks(serde_json::from_value(page).expect("input"))).expect("a page");
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(|task| task.row.id));
            before = seen.last().map(ToString::to_string);
        }
        assert_eq!(seen, ids);
        close(&handle);
    }

    fn a_registered_template_stays_what_it_is(url: &str) {
        let handle = open(url);
        register(&handle, diamond());
        register(&handle, diamond());
        let mut changed = diamond();
        changed["steps"][3]["depends_on"] = json!("left");
        wait(handle.register(template(changed.clone()))).expect("no task uses it yet");
        register(&handle, diamond());
        create(&handle, json!({ "name": "diamond" })).expect("a task");
        match wait(handle.register(template(changed.clone()))) {
            Err(EngineError::Validation(faults)) => assert!(faults.to_string().contains("new version"), "{faults}"),
            other => panic!("{other:?}"),
        }
        changed["version"] = json!("1.10.0");
        register(&handle, changed.clone());
        changed["version"] = json!("1.9.0");
        register(&handle, changed);
        let newest = create(&handle, json!({ "name": "diamond" })).expect("a task");
        assert_eq!(newest.row.version, "1.10.0");
        let mut settings = diamond();
        settings["defaults"] = json!({ "retry_limit": 7 });
        register(&handle, settings);
        close(&handle);
    }

    fn a_task_of_another_process_is_created_by_name(url: &str) {
        let handle = open(url);
        register(&handle, diamond());
        close(&handle);
        let handle = open(url);
        let task = create(&handle, json!({ "name": "diamond" })).expect("the database knows it");
        assert_eq!(task.row.version, "1.0.0");
        for (input, words) in [
            (json!({ "name": "diamnd" }), "did you mean \"diamond\""),
            (json!({ "name": "diamond", "version": "3.0.0" }), "there are: 1.0.0"),
            (json!({ "name": "diamond", "namespace": "gems" }), "namespace: \"default\""),
        ] {
            match create(&handle, input) {
                Err(EngineError::NotFound(message)) => assert!(message.contains(words), "{message}"),
                other => panic!("{other:?}"),
            }
        }
        close(&handle);
    }

    fn bad_input_changes_nothing(url: &str) {
        let handle = open(url);
        let schema = json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "integer" }, "n": { "type": "array", "items": { "type": "string" } } } });
        register(&handle, json!({ "name": "strict", "input": schema, "steps": [{ "name": "a" }] }));
        match create(&handle, json!({ "name": "strict", "context": { "n": ["a", 1] } })) {
            Err(EngineError::Validation(faults)) => {
                let paths: Vec<_> = faults.all().iter().map(|fault| fault.path.as_str()).collect();
                assert!(paths.contains(&"context.n[1]") && paths.contains(&"context"), "{faults}");
            }
            other => panic!("{other:?}"),
        }
        let refused = create(&handle, json!({ "name": "strict", "context": [1] }));
        assert!(matches!(refused, Err(EngineError::Validation(_))), "{refused:?}");
        assert_eq!(wait(handle.count(ListTasksInput::default())).expect("a count"), 0);
        close(&handle);
    }

    fn a_wide_fan_joins_once(url: &str) {
        let handle = open(url);
        let names: Vec<String> = (0..300).map(|n| format!("part{n}")).collect();
        let mut list: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        list.push(json!({ "name": "join", "depends_on": names }));
        register(&handle, json!({ "name": "fan", "steps": list }));
        let task = create(&handle, json!({ "name": "fan" })).expect("a task");
        let order = run(&handle, Arc::new(|step| done(json!(step.parents.iter().flat_map(|p| &p.1).count()))));
        assert_eq!((order.len(), order.last().map(String::as_str)), (301, Some("join")));
        assert_eq!(steps(&handle, &task)["join"].row.result.as_ref().expect("a result").as_str(), "300");
        close(&handle);
    }

    fn every_step_runs_once_with_two_workers(url: &str) {
        let (a, b) = (open(url), open(url));
        register(&a, diamond());
        register(&b, diamond());
        let contexts: Vec<_> = (0..200).map(|n| json!({ "n": n })).collect();
        create_many(&a, json!({ "name": "diamond", "contexts": contexts })).expect("tasks");
        let one = Crew::start(&a, 2, None, Arc::new(|_| done(json!(null))));
        let two = Crew::start(&b, 2, None, Arc::new(|_| done(json!(null))));
        assert!(one.until_idle(runtime()) && two.until_idle(runtime()));
        let mut ran: Vec<_> = one.journal.lock().expect("a journal").clone();
        ran.extend(two.journal.lock().expect("a journal").clone());
        assert_eq!(ran.len(), 800);
        ran.sort();
        ran.dedup();
        assert_eq!(ran.len(), 800);
        one.stop(runtime());
        two.stop(runtime());
        close(&a);
        close(&b);
    }

    fn a_chain_and_its_retries_need_no_polls(url: &str) {
        let handle = open_unpolled(url);
        let list: Vec<Value> = (0..20)
            .map(|n| json!({ "name": format!("s{n}"), "depends_on": if n == 0 { vec![] } else { vec![format!("s{}", n - 1)] } }))
            .collect();
        register(&handle, json!({ "name": "chain", "steps": list }));
        let crew = Crew::start(&handle, 1, None, Arc::new(|step| match step.attempt() {
            1 if step.row.key.index == 7 => fail("once", false, Some(Duration::from_millis(20))),
            _ => done(json!(null)),
        }));
        assert!(crew.until_idle(runtime()));
        let task = create(&handle, json!({ "name": "chain" })).expect("a task");
        wait(handle.wait(task.row.id, None)).expect("ended");
        assert_eq!(crew.order().len(), 21);
        crew.stop(runtime());
        close(&handle);
    }

    fn handles_share_a_pool_and_the_last_one_closes_it(url: &str) {
        let first = open(url);
        let second = wait(OrchestrationHandle::open(place(url), Some(Duration::from_secs(60))).expect("a runtime")).expect("open");
        let refreshed = second.refresh().expect("a new handle");
        assert_ne!(refreshed.id(), second.id());
        close(&first);
        close(&first);
        let refused = create(&first, json!({ "name": "x" }));
        assert!(matches!(refused, Err(EngineError::HandleClosed)), "{refused:?}");
        register(&second, diamond());
        close(&second);
        create(&refreshed, json!({ "name": "diamond" })).expect("the pool is still open");
        close(&refreshed);
    }

    fn an_expired_handle_says_so(url: &str) {
        let handle = wait(OrchestrationHandle::open(place(url), Some(Duration::from_millis(20))).expect("a runtime")).expect("open");
        eventually("it expires", || handle.is_expired());
        match create(&handle, json!({ "name": "x" })) {
            Err(EngineError::HandleExpired(message)) => assert!(message.contains("refresh"), "{message}"),
            other => panic!("{other:?}"),
        }
        let fresh = handle.refresh().expect("a new handle");
        assert!(!fresh.is_expired());
        close(&handle);
        close(&fresh);
    }
}

/// Runs with another worker until it has run `n` steps; returns how many it ran.
fn run_others(handle: &Handle, n: usize) -> usize {
    let crew = Crew::start(handle, 1, None, Arc::new(|_| done(json!(2))));
    eventually("the rest runs", || crew.order().len() >= n);
    let ran = crew.order().len();
    crew.stop(runtime());
    ran
}

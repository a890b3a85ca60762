//! Creating, finding and listing tasks.

use std::sync::Arc;

use serde_json::json;
use tasker_core::domain::state::TaskState;
use tasker_core::engine::error::EngineError;
use tasker_core::ffi::shared::types::ListTasksInput;

use crate::helpers::*;
use crate::on_each_database;
use crate::support::lab::*;

on_each_database! {
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
        // It may be about to look for work: then it isn't idle.
        let taken = (0..100).find_map(|_| {
            assert!(crew.until_idle(runtime()));
            let task = create(&handle, json!({ "name": "single" })).expect("a task");
            (task.row.state == TaskState::InProgress).then_some(task)
        });
        let taken = taken.expect("an idle worker takes a task with the commit that makes it");
        assert!(taken.row.started_at >= Some(taken.row.created_at), "{:?}", taken.row);
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
}

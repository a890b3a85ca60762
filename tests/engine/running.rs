//! Steps in their order: graphs, priorities, histories.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tasker_core::domain::state::TaskState;

use crate::helpers::*;
use crate::on_each_database;
use crate::support::lab::*;

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
}

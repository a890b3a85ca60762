//! Templates and input: what is stored, what is refused.

use serde_json::json;
use tasker_core::engine::error::EngineError;
use tasker_core::ffi::shared::types::{FindTemplateInput, ListTasksInput};

use crate::helpers::*;
use crate::on_each_database;
use crate::support::lab::*;

fn named(name: &str) -> FindTemplateInput {
    serde_json::from_value(json!({ "name": name })).expect("an input")
}

on_each_database! {
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
        assert_eq!(newest.template().version, "1.10.0");
        let mut settings = diamond();
        settings["defaults"] = json!({ "retry_limit": 7 });
        register(&handle, settings);
        close(&handle);
    }

    fn a_comparison_says_what_a_registration_would_and_stores_nothing(url: &str) {
        let handle = open(url);
        wait(handle.compare(template(diamond()))).expect("nobody knows it");
        assert!(create(&handle, json!({ "name": "diamond" })).is_err(), "it was stored");
        register(&handle, diamond());
        let mut changed = diamond();
        changed["steps"][3]["depends_on"] = json!("left");
        wait(handle.compare(template(changed.clone()))).expect("no task uses it yet");
        create(&handle, json!({ "name": "diamond" })).expect("a task");
        wait(handle.compare(template(diamond()))).expect("it is the same");
        let said = wait(handle.compare(template(changed.clone()))).unwrap_err().to_string();
        assert!(said.contains("new version") && said.contains("does not depend on \"right\""), "{said}");
        assert_eq!(said, wait(handle.register(template(changed))).unwrap_err().to_string());
        let stored = wait(handle.find_template(named("diamond"))).unwrap();
        assert_eq!(stored.template.version, "1.0.0");
        let missing = wait(handle.find_template(named("diamnd"))).unwrap_err();
        assert!(missing.to_string().contains("did you mean \"diamond\""), "{missing}");
        close(&handle);
    }

    fn a_task_of_another_process_is_created_by_name(url: &str) {
        let handle = open(url);
        register(&handle, diamond());
        close(&handle);
        let handle = open(url);
        let task = create(&handle, json!({ "name": "diamond" })).expect("the database knows it");
        assert_eq!(task.template().version, "1.0.0");
        for (input, words) in [
            (json!({ "name": "diamnd" }), "did you mean \"diamond\""),
            (json!({ "name": "diamond", "version": "3.0.0" }), "there are: 1.0.0"),
            (json!({ "name": "diamond", "namespace": "gems" }), "in the namespace \"default\""),
        ] {
            match create(&handle, input) {
                Err(EngineError::NotFound { message, .. }) => assert!(message.contains(words), "{message}"),
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
}

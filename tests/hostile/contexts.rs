//! What is asked for: tasks, lists, options; and what is made of contexts.

use proptest::prelude::*;
use serde_json::{Value, json};
use tasker_core::domain::canonical::canonical;
use tasker_core::domain::fault::MOST_FAULTS;
use tasker_core::domain::json::{Json, Tree};
use tasker_core::domain::search::{sought, terms};
use tasker_core::ffi::shared::json_text::read_json;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::reading::Input;
use tasker_core::ffi::shared::types::{CreateTaskInput, CreateTasksInput, ListTasksInput, OpenInput, WorkerInput};

use crate::bounds::try_many;
use crate::json::{broken_text, spoiled, text, value};

fn task() -> Value {
    json!({
        "name": "flow", "namespace": "orders", "version": "1.0.0", "context": { "n": [1, { "m": null }] }, "key": "k",
        "on_duplicate": "return", "priority": 3, "queue": "q", "run_at": "2026-01-31T12:00:00Z", "tags": ["a"],
        "initiator": "me", "reason": "why"
    })
}

/// Reads `text` as an input of that kind: a value, or some faults.
fn read<T: Input>(text: &str) {
    if let Err(faults) = read_json::<T>(text, &Limits::default()).and_then(|input| input.check()) {
        assert!((1..=MOST_FAULTS).contains(&faults.all().len()), "{faults}");
    }
}

#[test]
fn an_input_is_read_or_has_faults() {
    let kinds = prop_oneof![
        spoiled(task()).prop_map(|input| (0, input)),
        spoiled(json!({ "name": "flow", "contexts": [{}, { "a": 1 }], "keys": ["a", null] }))
            .prop_map(|input| (1, input)),
        spoiled(
            json!({ "status": ["error"], "limit": 10, "context": { "n": 1 }, "created_after": "2026-01-31T12:00:00Z" })
        )
        .prop_map(|input| (2, input)),
        spoiled(json!({ "url": "sqlite::memory:", "ttl": 1, "max_depth": 100 })).prop_map(|input| (3, input)),
        spoiled(json!({ "threads": 1_000, "queues": ["a"] })).prop_map(|input| (4, input)),
    ];
    try_many(
        "inputs",
        &kinds,
        |(_, input)| input.to_string().len(),
        |(kind, input)| match (kind, input.to_string()) {
            (0, text) => read::<CreateTaskInput>(&text),
            (1, text) => read::<CreateTasksInput>(&text),
            (2, text) => read::<ListTasksInput>(&text),
            (3, text) => read::<OpenInput>(&text),
            (_, text) => read::<WorkerInput>(&text),
        },
    );
}

#[test]
fn text_that_may_be_json_is_read_or_refused() {
    try_many("texts", &broken_text(spoiled(task())), String::len, |text| {
        read::<CreateTaskInput>(&text);
        // Text may be nested deeper than a tree: limits refuse that.
        match (Json::parse(&text), serde_json::from_str::<Tree>(&text)) {
            (Ok(json), tree) => assert_eq!(json.tree().is_ok(), tree.is_ok(), "{text:?}"),
            (Err(_), tree) => assert!(tree.is_err(), "{text:?}"),
        }
    });
}

#[test]
fn a_context_has_one_canonical_form_and_terms_or_faults() {
    let paths = prop::collection::vec(prop_oneof![text(), Just("a".to_owned()), Just("a.a".to_owned())], 0..4);
    let size = |(value, _): &(Value, Vec<String>)| value.to_string().len();
    try_many("contexts", &(value(), paths), size, |(value, paths)| {
        let form = canonical(&value);
        if let Ok(Tree(again)) = serde_json::from_str(&form) {
            assert_eq!(canonical(&again), form);
        }
        drop(terms(&paths, &value, "context"));
        if let Value::Object(pairs) = &value {
            drop(sought(pairs, "context"));
        }
    });
}

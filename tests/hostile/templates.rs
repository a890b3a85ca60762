//! Templates, and the schemas in them.

use proptest::prelude::*;
use serde_json::{Value, json};
use tasker_core::domain::fault::{Faults, MOST_FAULTS};
use tasker_core::domain::json::Json;
use tasker_core::domain::schema::{Bounds, Schema};
use tasker_core::domain::template::{Template, TemplateInput};
use tasker_core::ffi::shared::json_text::read_json;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::reading::Input;

use crate::bounds::try_many;
use crate::json::{broken_text, spoiled, text, value};

fn template() -> Value {
    json!({
        "name": "flow", "namespace": "orders", "version": "1.2.3-rc.1", "description": "what it is for",
        "input": { "type": "object", "required": ["n"], "properties": { "n": { "type": "integer", "default": 1 } } },
        "identity": "context", "search": ["n", "a.b"],
        "defaults": { "retry_limit": 2, "backoff": "linear", "limit": { "key": "context.n", "running": 2 } },
        "steps": [
            { "name": "a", "backoff": { "kind": "none", "base": 1.0 }, "config": { "n": [1] }, "branches": ["b", "c"] },
            { "name": "b", "depends_on": "a", "timeout": 3, "interrupt": true, "output": { "type": "array" } },
            { "name": "c", "depends_on": ["a"], "queue": "q", "priority": 1, "retryable": false, "on_failure": "skip" },
            { "name": "d", "depends_on": "b", "each": "b.items", "limit": { "running": 3 } }
        ]
    })
}

fn build(text: &str) -> Result<Template, Faults> {
    let input: TemplateInput = read_json(text, &Limits::default())?;
    input.check()?;
    Template::build(input)
}

#[test]
fn a_template_is_built_or_has_faults() {
    try_many(
        "templates",
        &spoiled(template()),
        |tree| tree.to_string().len(),
        |tree| match build(&tree.to_string()) {
            Ok(template) => {
                let normal = serde_json::to_string(template.normal()).expect("a template is JSON");
                let again = build(&normal).expect("what was built is built again");
                assert_eq!(serde_json::to_string(again.normal()).expect("JSON"), normal);
            }
            Err(faults) => assert!((1..=MOST_FAULTS).contains(&faults.all().len()) || !faults.all().is_empty()),
        },
    );
}

#[test]
fn text_that_may_be_a_template_is_read_or_refused() {
    try_many("texts", &broken_text(spoiled(template())), String::len, |text| drop(build(&text)));
}

/// A schema of words that schemas have, with anything under them.
fn schema() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "type",
        "properties",
        "required",
        "items",
        "prefixItems",
        "additionalProperties",
        "patternProperties",
        "pattern",
        "enum",
        "const",
        "minimum",
        "maximum",
        "multipleOf",
        "minLength",
        "maxItems",
        "uniqueItems",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "$ref",
        "$defs",
        "$id",
        "$anchor",
        "$dynamicRef",
        "$schema",
        "default",
        "format",
        "propertyNames",
        "dependentSchemas",
        "unevaluatedProperties",
        "contains",
        "minContains",
        "a",
        "n",
    ]);
    let leaf = prop_oneof![
        value(),
        prop::sample::select(vec![
            json!({ "$ref": "#" }),
            json!({ "$ref": "#/$defs/a" }),
            json!("object"),
            json!("integer"),
            json!("string"),
            json!(["a"]),
            json!(true),
            json!(false),
            json!({ "default": 1 }),
            json!("^(a+)+$"),
            json!("date-time"),
            json!("https://json-schema.org/draft/2020-12/schema"),
            json!("http://json-schema.org/draft-04/schema#"),
        ]),
    ];
    leaf.prop_recursive(4, 30, 4, move |inner| {
        prop::collection::vec((words.clone(), inner), 0..5)
            .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(word, inner)| (word.to_owned(), inner)).collect()))
    })
}

#[test]
fn a_schema_is_compiled_or_refused_and_lets_a_value_pass_or_does_not() {
    let good = json!({ "a": [1, { "n": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaab" }], "n": { "a": 1.5 } });
    let values = prop_oneof![value(), spoiled(good)];
    let size = |(schema, value): &(Value, Value)| schema.to_string().len() + value.to_string().len();
    try_many("schemas", &(schema(), values), size, |(schema, value)| {
        let Ok(schema) = Schema::compile(&Json::of(&schema).expect("JSON"), "input") else { return };
        let Ok(value) = Json::parse(&value.to_string()) else { return };
        match schema.admit(value.clone(), "context", Bounds { depth: 64, bytes: 1 << 20 }) {
            Ok(admitted) => {
                let json = admitted.json.as_str();
                assert!(json == value.as_str() || json.len() <= 1 << 20);
            }
            Err(faults) => assert!(faults.all().iter().all(|fault| fault.message.len() < 5_000), "{faults}"),
        }
    });
}

#[test]
fn names_are_taken_or_refused_wherever_they_stand() {
    try_many(
        "names",
        &(text(), text()),
        |(one, other)| one.len() + other.len(),
        |(one, other)| {
            let tree = json!({ "name": one, "namespace": other, "queue": one, "steps": [
            { "name": one, "queue": other }, { "name": other, "depends_on": one, "each": format!("{one}.{other}") }] });
            drop(build(&tree.to_string()));
        },
    );
}

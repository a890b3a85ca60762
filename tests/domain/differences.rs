//! What differs between a template and one that tasks use, fault by fault.

use serde_json::{Value, json};
use tasker_core::domain::fault::Fault;
use tasker_core::domain::json::Json;
use tasker_core::domain::template::Template;

fn template(input: Value, steps: Value) -> Template {
    let mut whole = json!({ "name": "t", "steps": steps });
    if !input.is_null() {
        whole["input"] = input;
    }
    Template::build(serde_json::from_value(whole).unwrap()).unwrap()
}

/// The differences, without the version's own fault: (path, message).
fn told(used: &Template, ours: &Template) -> Vec<(String, String)> {
    let conflict = ours.conflict(&Json::of(&used.fixed()).unwrap());
    assert_eq!(conflict.all()[0].path, "version");
    let pair = |fault: &Fault| (fault.path.clone(), fault.message.clone());
    conflict.all()[1..].iter().map(pair).collect()
}

fn steps_differ(used: Value, ours: Value, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(path, message)| (path.to_string(), message.to_string())).collect();
    assert_eq!(told(&template(Value::Null, used), &template(Value::Null, ours)), expected);
}

fn chain(names: &[&str]) -> Value {
    let step = |(place, name): (usize, &&str)| match place {
        0 => json!({ "name": name }),
        _ => json!({ "name": name, "depends_on": names[place - 1] }),
    };
    names.iter().enumerate().map(step).collect()
}

#[test]
fn steps_that_came_and_went() {
    let two = json!([{ "name": "a" }, { "name": "b" }]);
    steps_differ(two.clone(), json!([{ "name": "a" }]), &[("steps", "the step \"b\" is missing")]);
    let three = json!([{ "name": "a" }, { "name": "b" }, { "name": "c", "depends_on": "b" }]);
    steps_differ(two, three, &[("steps[2]", "the step \"c\" is new")]);
    steps_differ(
        chain(&["a", "b", "c"]),
        json!([{ "name": "a" }, { "name": "c" }]),
        &[("steps", "the step \"b\" is missing")],
    );
    steps_differ(
        chain(&["a", "c"]),
        chain(&["a", "b", "c"]),
        &[
            ("steps[1]", "the step \"b\" is new"),
            ("steps[2].depends_on", "the step \"c\" does not depend on \"a\" any more"),
            ("steps[2].depends_on", "the step \"c\" depends on \"b\" now"),
        ],
    );
}

#[test]
fn a_renamed_step_is_told_once() {
    let message = "the step \"pay\" has taken the place of \"charge\"";
    steps_differ(chain(&["a", "charge", "c"]), chain(&["a", "pay", "c"]), &[("steps[1].name", message)]);
}

#[test]
fn edges_that_came_and_went() {
    let diamond = |bottom: Value| {
        json!([{ "name": "top" }, { "name": "left", "depends_on": "top" }, { "name": "right", "depends_on": "top" },
               { "name": "bottom", "depends_on": bottom }])
    };
    steps_differ(
        diamond(json!(["left", "right"])),
        diamond(json!(["right", "top"])),
        &[
            ("steps[3].depends_on", "the step \"bottom\" does not depend on \"left\" any more"),
            ("steps[3].depends_on", "the step \"bottom\" depends on \"top\" now"),
        ],
    );
}

#[test]
fn another_order_is_told_as_that() {
    let used = json!([{ "name": "a" }, { "name": "b" }]);
    let ours = json!([{ "name": "b" }, { "name": "a" }]);
    steps_differ(used, ours, &[("steps", "the steps stand in another order, which a version fixes too")]);
}

#[test]
fn schemas_are_compared_down_to_the_value() {
    let with = |input: Value, output: Option<Value>| {
        let mut step = json!({ "name": "a" });
        if let Some(output) = output {
            step["output"] = output;
        }
        template(input, json!([step]))
    };
    let used = with(json!({ "required": ["id"], "properties": { "id": { "type": "integer" }, "b": {} } }), None);
    let ours = with(
        json!({ "required": ["id", "n"], "properties": { "id": { "type": "string" }, "c": { "default": null } } }),
        Some(json!({ "type": "object" })),
    );
    let pairs = [
        ("input.properties.b", "is nothing, and was {}"),
        ("input.properties.id.type", "is \"string\", and was \"integer\""),
        ("input.properties.c", "is {\"default\":null}, and was nothing"),
        ("input.required", "is [\"id\",\"n\"], and was [\"id\"]"),
        ("steps[0].output", "is {\"type\":\"object\"}, and was nothing"),
    ];
    assert_eq!(told(&used, &ours), pairs.map(|(path, message)| (path.to_owned(), message.to_owned())));
    let pairs = [("input", "is nothing, and was {}")];
    let none = with(Value::Null, None);
    assert_eq!(told(&with(json!({}), None), &none), pairs.map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert_eq!(told(&none, &none), []);
}

#[test]
fn there_are_at_most_twenty() {
    let names: Vec<String> = (0..50).map(|n| format!("s{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let one = template(Value::Null, chain(&["only"]));
    let many = template(Value::Null, chain(&names));
    assert_eq!(told(&one, &many).len(), 19);
}

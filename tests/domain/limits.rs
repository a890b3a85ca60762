//! Limits: what their keys may be, and which attempts count together.

use serde_json::{Value, json};
use tasker_core::domain::json::Json;
use tasker_core::domain::limit::LimitKey;
use tasker_core::domain::template::Template;

fn build(limit: Value) -> Result<Template, Vec<String>> {
    let template = json!({ "name": "t", "namespace": "shop", "steps": [{ "name": "charge", "limit": limit }] });
    let built = Template::build(serde_json::from_value(template).expect("a template"));
    built.map_err(|faults| faults.all().iter().map(|fault| fault.path.clone()).collect())
}

fn key(limit: Value, context: Value) -> String {
    let template = build(limit).expect("a limit");
    let (LimitKey(key), running) = template.limit_of(0, &Json::of(&context).expect("JSON"), None).expect("a key");
    assert_eq!(running, 3);
    key
}

#[test]
fn a_key_is_the_value_at_a_path_of_the_context() {
    let limit = json!({ "key": "context.customer.id", "running": 3 });
    assert_eq!(key(limit.clone(), json!({ "customer": { "id": 7 }, "other": 1 })), "shop/t/charge 7");
    assert_eq!(key(limit.clone(), json!({ "customer": { "id": 7.0 } })), "shop/t/charge 7");
    assert_eq!(key(limit.clone(), json!({ "customer": { "id": "7" } })), "shop/t/charge \"7\"");
    assert_eq!(
        key(limit.clone(), json!({ "customer": { "id": { "b": 1, "a": [2] } } })),
        "shop/t/charge {\"a\":[2],\"b\":1}"
    );
    for nothing in
        [json!({}), json!({ "customer": null }), json!({ "customer": { "id": null } }), json!({ "customer": 5 })]
    {
        assert_eq!(key(limit.clone(), nothing), "shop/t/charge null");
    }
    let long = |last: &str| key(limit.clone(), json!({ "customer": { "id": "x".repeat(5_000) + last } }));
    assert!(long("a").len() < 100 && long("a") == long("a") && long("a") != long("b"));
    assert_eq!(key(json!({ "running": 3 }), json!({ "customer": 1 })), "shop/t/charge");
}

#[test]
fn what_is_no_limit_is_told() {
    for (limit, path) in [
        (json!({ "running": 0 }), "steps[0].limit.running"),
        (json!({ "running": 10_001 }), "steps[0].limit.running"),
        (json!({ "running": 1, "key": "customer_id" }), "steps[0].limit.key"),
        (json!({ "running": 1, "key": "context." }), "steps[0].limit.key"),
        (json!({ "running": 1, "key": "context.a..b" }), "steps[0].limit.key"),
        (json!({ "running": 1, "key": "" }), "steps[0].limit.key"),
    ] {
        assert_eq!(build(limit.clone()).err(), Some(vec![path.to_owned()]), "{limit}");
    }
}

#[test]
fn a_step_has_the_limit_of_the_template_unless_it_has_its_own() {
    let template = json!({ "name": "t", "defaults": { "limit": { "key": "context.a", "running": 2 } }, "steps": [
        { "name": "plain" }, { "name": "own", "limit": { "running": 5 } }, { "name": "again" },
        { "name": "list", "depends_on": "plain", "each": true },
    ]});
    let template = Template::build(serde_json::from_value(template).expect("a template")).expect("a valid template");
    let context = Json::of(&json!({ "a": 1 })).expect("JSON");
    let limit = |index| template.limit_of(index, &context, None).map(|(key, running)| (key.0, running));
    // Each counts on its own.
    assert_eq!(limit(0), Some(("default/t/plain 1".into(), 2)));
    assert_eq!(limit(1), Some(("default/t/own".into(), 5)));
    assert_eq!(limit(2), Some(("default/t/again 1".into(), 2)));
    // Its items have it.
    assert_eq!(limit(3), None);
    let item = template.groups.item_index(3, 0).expect("an index");
    assert_eq!(limit(item), Some(("default/t/list 1".into(), 2)));

    let bad =
        json!({ "name": "t", "defaults": { "limit": { "running": 0 } }, "steps": [{ "name": "a" }, { "name": "b" }] });
    let faults = Template::build(serde_json::from_value(bad).expect("a template")).expect_err("a fault");
    assert_eq!(faults.all().iter().map(|fault| fault.path.as_str()).collect::<Vec<_>>(), ["defaults.limit.running"]);
}

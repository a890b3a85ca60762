//! Lists: where they come from, what the steps of their items are called, and where these stand.

use serde_json::{Value, json};
use tasker_core::domain::fan_out::{Each, MAX_ITEMS, items};
use tasker_core::domain::fault::Fault;
use tasker_core::domain::json::Json;
use tasker_core::domain::template::{Template, TemplateInput};

fn build(steps: Value) -> Result<Template, Vec<Fault>> {
    let input: TemplateInput = serde_json::from_value(json!({ "name": "t", "steps": steps })).unwrap();
    Template::build(input).map_err(|faults| faults.all().to_vec())
}

fn shipment() -> Template {
    build(json!([{ "name": "parcel", "depends_on": "split", "each": "split.parcels", "queue": "slow" }, { "name": "split" },
        { "name": "odd.name", "depends_on": "split" },
        { "name": "other", "depends_on": ["odd.name", "split"], "each": "odd.name.0.list" },
        { "name": "made", "each": true }, { "name": "send", "depends_on": ["parcel", "other", "made"] }]))
    .unwrap()
}

#[test]
fn an_items_step_is_known_by_its_index() {
    let template = shipment();
    let max = MAX_ITEMS as u32;
    for (name, index) in [("parcel[0]", 6), ("parcel[9999]", max + 5), ("other[0]", max + 6), ("made[7]", 2 * max + 13)]
    {
        assert_eq!(template.item_named(name), Some(index), "{name}");
        assert_eq!(template.name_of(index).unwrap(), name);
    }
    assert_eq!(
        (template.groups.item(6 + max), template.groups.item(5), template.groups.item(6 + 3 * max)),
        (Some((&3, 0)), None, None)
    );
    assert_eq!((template.home(8), template.home(2)), (0, 2));
    assert_eq!((template.parents(8), template.children(8), template.children(0)), (&[1][..], &[0][..], &[5][..]));
    assert_eq!((template.queue_of(8, None), template.step(8).unwrap().name.as_str()), ("slow", "parcel"));
    for unknown in [
        "parcel[10000]",
        "parcel[01]",
        "parcel[-1]",
        "parcel[+1]",
        "parcel[]",
        "parcel",
        "split[0]",
        "nobody[0]",
        "[0]",
    ] {
        assert_eq!(template.item_named(unknown), None, "{unknown}");
    }
    assert!(template.name_of(6 + 3 * max).is_none());
}

#[test]
fn a_path_begins_with_the_longest_name_of_a_parent() {
    let template = shipment();
    let path = |step| match template.groups.each(step) {
        Some(Each::Path { parent, keys, .. }) => (*parent, keys.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(path(0), (1, vec!["parcels".to_owned()]));
    assert_eq!(path(3), (2, vec!["0".to_owned(), "list".to_owned()]));
    assert_eq!((template.groups.each(4), template.groups.each(1)), (Some(&Each::Host), None));
}

#[test]
fn every_fault_has_its_path() {
    let fault = |steps: Value| {
        let faults = build(steps).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].to_string()
    };
    assert_eq!(
        fault(json!([{ "name": "split" }, { "name": "parcel", "depends_on": "split", "each": "splitt.list" }])),
        "steps[1].each: the step does not depend on \"splitt\" (did you mean \"split\"?)"
    );
    assert!(
        fault(json!([{ "name": "a", "each": "a" }])).starts_with("steps[0].each: the step does not depend on \"a\"")
    );
    assert!(
        fault(json!([{ "name": "a", "each": true, "branches": "b" }, { "name": "b", "depends_on": "a" }]))
            .starts_with("steps[0].branches")
    );
    assert!(
        fault(json!([{ "name": "a", "each": true }, { "name": "a[3]" }]))
            .starts_with("steps[1].name: \"a[3]\" is what an item")
    );
    assert!(build(json!([{ "name": "a", "each": true }, { "name": "a[03]" }, { "name": "b[1]" }])).is_ok());
    let refused = |each: Value| {
        serde_json::from_value::<TemplateInput>(json!({ "name": "t", "steps": [{ "name": "a", "each": each }] }))
    };
    assert!(refused(json!(false)).is_err() && refused(json!(7)).is_err() && refused(json!([])).is_err());
}

#[test]
fn a_version_fixes_where_a_list_comes_from() {
    let fixed = |each: Value| {
        let mut step = json!({ "name": "b", "depends_on": "a" });
        step["each"] = each;
        Json::of(&build(json!([{ "name": "a" }, step])).unwrap().fixed()).unwrap()
    };
    assert_ne!(fixed(json!(true)), fixed(json!("a")));
    assert_ne!(fixed(json!("a.x")), fixed(json!("a")));
    assert_ne!(fixed(json!(true)), fixed(Value::Null));
    assert_eq!(
        fixed(Value::Null).as_str(),
        r#"{"input":null,"steps":[{"name":"a","depends_on":[]},{"name":"b","depends_on":["a"]}]}"#
    );
}

#[test]
fn items_stand_as_they_were_written() {
    let list = |text: &str, keys: &[&str]| {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        items(&Json::parse(text).unwrap(), &keys)
            .map(|items| items.iter().map(|item| item.as_str().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(list("[]", &[]).unwrap(), [""; 0]);
    assert_eq!(
        list(" [1e20, -0.0 , \"\\u0000\", {\"b\": 1, \"a\": 2}]", &[]).unwrap(),
        ["1e20", "-0.0", "\"\\u0000\"", "{\"b\": 1, \"a\": 2}"]
    );
    assert_eq!(list("{\"a\\u0062\": [[0], [1, 2]]}", &["ab", "1"]).unwrap(), ["1", "2"]);
    let fault = |text, keys: &[&str]| list(text, keys).unwrap_err();
    assert_eq!(fault("{\"a\": {\"b\": 1}}", &["a", "c"]).to_string(), "each: there is no \"c\" in \"a\" of the result");
    assert_eq!(fault("{\"a\": 1}", &["a", "c"]).got.unwrap(), "1");
    assert_eq!(fault("[1]", &["x"]).message, "there is no \"x\" in the result");
    for no_list in ["null", "{}", "7", "\"[]\""] {
        assert_eq!(fault(no_list, &[]).message, "the list is no Array");
    }
    let many = |count: usize| format!("[{}]", vec!["0"; count].join(","));
    assert_eq!(list(&many(MAX_ITEMS), &[]).unwrap().len(), MAX_ITEMS);
    assert_eq!(fault(&many(MAX_ITEMS + 1), &[]).message, "a list has at most 10000 items; this one has 10001");
}

//! Templates: defaults, every fault's path, and a normal form that is one.

use proptest::prelude::*;
use serde_json::{Value, json};
use tasker_core::domain::json::Json;
use tasker_core::domain::template::{Template, TemplateInput};

fn build(value: Value) -> Result<Template, Vec<String>> {
    let input: TemplateInput = serde_json::from_value(value).map_err(|error| vec![error.to_string()])?;
    Template::build(input).map_err(|faults| faults.all().iter().map(|fault| fault.path.clone()).collect())
}

#[test]
fn what_is_left_out_has_its_default() {
    let template = build(json!({ "name": "t", "steps": [{ "name": "a" }] })).unwrap();
    assert_eq!((template.namespace.as_str(), template.version.as_str()), ("default", "1.0.0"));
    let policy = template.steps[0].policy;
    assert!(policy.retryable);
    assert_eq!((policy.retry_limit, policy.timeout.as_secs()), (3, 300));
    assert_eq!((policy.backoff.base, policy.backoff.cap, policy.backoff.jitter), (1.0, 60.0, 0.1));
    assert_eq!((template.queue_of(0, None), template.priority_of(0, None)), ("default", 0));
    assert_eq!(template.steps[0].config.as_str(), "{}");
}

#[test]
fn a_step_that_is_never_tried_again_has_one_attempt() {
    let template = build(json!({ "name": "t", "defaults": { "retry_limit": 4, "retryable": false },
        "steps": [{ "name": "a", "retry_limit": 5 }, { "name": "b" }, { "name": "c", "retryable": true }] }))
    .unwrap();
    assert_eq!(template.steps.iter().map(|step| step.policy.retry_limit).collect::<Vec<_>>(), [1, 1, 4]);
    let kept = Json::of(template.normal()).unwrap().tree().unwrap();
    assert_eq!(kept["steps"][0]["retry_limit"], 5, "what was written stays, so that the same template is the same");
}

#[test]
fn a_step_wins_over_its_task_and_a_task_over_its_template() {
    let template = build(json!({ "name": "t", "defaults": { "queue": "of template", "priority": 1 },
        "steps": [{ "name": "a" }, { "name": "b", "queue": "own", "priority": -5 }] }))
    .unwrap();
    assert_eq!((template.queue_of(0, None), template.priority_of(0, None)), ("of template", 1));
    assert_eq!((template.queue_of(0, Some("of task")), template.priority_of(0, Some(7))), ("of task", 7));
    assert_eq!((template.queue_of(1, Some("of task")), template.priority_of(1, Some(7))), ("own", -5));
}

#[test]
fn every_fault_has_its_path() {
    let step = |extra: Value| {
        let mut step = json!({ "name": "a" });
        step.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "name": "t", "steps": [{ "name": "first" }, step] })
    };
    let branched = |extra: Value| {
        let mut step = json!({ "name": "first", "branches": ["a"] });
        step.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "name": "t", "steps": [step, { "name": "a", "depends_on": "first" }] })
    };
    for (input, path) in [
        (json!({ "name": "", "steps": [{ "name": "a" }] }), "name"),
        (json!({ "name": "a/b", "steps": [{ "name": "a" }] }), "name"),
        (json!({ "name": "t", "namespace": " x", "steps": [{ "name": "a" }] }), "namespace"),
        (json!({ "name": "t", "version": "1.0", "steps": [{ "name": "a" }] }), "version"),
        (json!({ "name": "t", "input": { "type": "nothing" }, "steps": [{ "name": "a" }] }), "input"),
        (json!({ "name": "t", "input": 7, "steps": [{ "name": "a" }] }), "input"),
        (json!({ "name": "t", "steps": [] }), "steps"),
        (json!({ "name": "t", "defaults": { "queue": "" }, "steps": [{ "name": "a" }] }), "defaults.queue"),
        (json!({ "name": "t", "defaults": { "priority": 40_000 }, "steps": [{ "name": "a" }] }), "defaults.priority"),
        (json!({ "name": "t", "steps": [{ "name": "x".repeat(129) }] }), "steps[0].name"),
        (step(json!({ "retry_limit": 0 })), "steps[1].retry_limit"),
        (step(json!({ "retry_limit": 10_001 })), "steps[1].retry_limit"),
        (step(json!({ "retryable": false, "retry_limit": 0 })), "steps[1].retry_limit"),
        (step(json!({ "timeout": 0 })), "steps[1].timeout"),
        (step(json!({ "timeout": -1.5 })), "steps[1].timeout"),
        (step(json!({ "queue": "a\nb" })), "steps[1].queue"),
        (step(json!({ "priority": -32_768 })), "steps[1].priority"),
        (step(json!({ "backoff": { "base": -1 } })), "steps[1].backoff.base"),
        (step(json!({ "backoff": { "cap": 1e12 } })), "steps[1].backoff.cap"),
        (step(json!({ "backoff": { "jitter": 1.1 } })), "steps[1].backoff.jitter"),
        (step(json!({ "config": [1] })), "steps[1].config"),
        (step(json!({ "output": { "type": "nothing" } })), "steps[1].output"),
        (step(json!({ "output": [] })), "steps[1].output"),
        (step(json!({ "depends_on": "a" })), "steps[1].depends_on"),
        (step(json!({ "depends_on": ["nobody"] })), "steps[1].depends_on"),
        (step(json!({ "name": "first" })), "steps[1].name"),
        (step(json!({ "branches": "first" })), "steps[1].branches"),
        (step(json!({ "branches": ["nobody"] })), "steps[1].branches"),
        (branched(json!({ "on_failure": "skip" })), "steps[0].on_failure"),
        (branched(json!({ "branches": ["a", "a"] })), "steps[0].branches"),
    ] {
        assert_eq!(build(input.clone()).unwrap_err(), [path], "{input}");
    }
}

#[test]
fn what_is_wrong_with_the_defaults_is_said_once_where_a_step_goes_by_them() {
    let of = |defaults: Value, steps: Value| build(json!({ "name": "t", "defaults": defaults, "steps": steps }));
    let two = json!([{ "name": "a" }, { "name": "b" }]);
    for (defaults, paths) in [
        (json!({ "retry_limit": 0 }), vec!["defaults.retry_limit"]),
        (json!({ "timeout": 0, "config": 7 }), vec!["defaults.timeout", "defaults.config"]),
        (json!({ "backoff": { "base": -1, "cap": -1 } }), vec!["defaults.backoff.base", "defaults.backoff.cap"]),
        (json!({ "limit": { "running": 0 } }), vec!["defaults.limit.running"]),
    ] {
        assert_eq!(of(defaults.clone(), two.clone()).unwrap_err(), paths, "{defaults}");
    }
    let mixed = json!([{ "name": "a" }, { "name": "b", "retry_limit": 0 }, { "name": "c" }]);
    let found = of(json!({ "retry_limit": 0 }), mixed).unwrap_err();
    assert_eq!(found, ["defaults.retry_limit", "steps[1].retry_limit"]);
    // Templates like these are stored.
    of(json!({ "retry_limit": 0 }), json!([{ "name": "a", "retry_limit": 1 }])).unwrap();
    of(json!({ "retry_limit": 0, "retryable": false }), two).unwrap();
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let refused = build(json!({ "name": "t", "steps": [{ "name": "a", "depend_on": [] }] })).unwrap_err();
    assert!(refused[0].contains("depend_on") && refused[0].contains("depends_on"), "{refused:?}");
}

#[test]
fn config_is_merged_key_by_key() {
    let template = build(json!({ "name": "t", "defaults": { "config": { "a": 1, "b": { "x": 1 } } },
        "steps": [{ "name": "a", "config": { "b": { "y": 2 }, "c": 3 } }] }))
    .unwrap();
    assert_eq!(template.steps[0].config.tree().unwrap(), json!({ "a": 1, "b": { "y": 2 }, "c": 3 }));
}

fn step(index: usize) -> impl Strategy<Value = Value> {
    let parents = proptest::sample::subsequence((0..index).collect::<Vec<_>>(), 0..=index.min(3));
    let option = |name: &'static str, values: Vec<Value>| {
        proptest::option::of(proptest::sample::select(values)).prop_map(move |value| (name, value))
    };
    (
        parents,
        option("retry_limit", vec![json!(1), json!(7)]),
        option("timeout", vec![json!(0.5), json!(30), json!(86_400)]),
        option(
            "backoff",
            vec![json!("none"), json!("linear"), json!({ "kind": "exponential", "base": 0.1, "jitter": 0 })],
        ),
        option("queue", vec![json!("slow"), json!("é 😀")]),
        option("priority", vec![json!(-3), json!(32_767)]),
        option("config", vec![json!({}), json!({ "n": 1e20, "s": "\u{0}" })]),
        option("on_failure", vec![json!("skip"), json!("fail")]),
        option("interrupt", vec![json!(true), json!(false)]),
        option("limit", vec![json!({ "running": 3 }), json!({ "key": "context.a.b", "running": 1 })]),
        option("output", vec![json!({}), json!({ "type": "object", "properties": { "n": { "default": 1.0 } } })]),
    )
        .prop_map(move |(parents, a, b, c, d, e, f, g, h, i, j)| {
            let mut step = json!({ "name": format!("s{index}") });
            let names: Vec<String> = parents.iter().map(|parent| format!("s{parent}")).collect();
            step["depends_on"] = if names.len() == 1 { json!(names[0]) } else { json!(names) };
            for (name, value) in [a, b, c, d, e, f, g, h, i, j] {
                if let Some(value) = value {
                    step[name] = value;
                }
            }
            step
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_normal_form_builds_the_same_template(
        steps in (1..8_usize).prop_flat_map(|count| (0..count).map(step).collect::<Vec<_>>()),
    ) {
        let mut steps = steps;
        let children: Vec<(String, String)> = steps.iter().flat_map(|step| {
            let needs = step["depends_on"].as_array().cloned().unwrap_or_else(|| vec![step["depends_on"].clone()]);
            needs.into_iter().map(|parent| (parent.as_str().unwrap().to_owned(), step["name"].as_str().unwrap().to_owned())).collect::<Vec<_>>()
        }).collect();
        for step in steps.iter_mut().filter(|step| step["on_failure"] != json!("skip")) {
            let of: Vec<&String> = children.iter().filter(|(parent, _)| step["name"] == json!(parent)).map(|(_, child)| child).collect();
            if of.len() > 1 {
                step["branches"] = json!(of[1..]);
            }
        }
        for (n, step) in steps.iter_mut().enumerate().filter(|(_, step)| step.get("branches").is_none()) {
            let parent = step["depends_on"].as_str().or_else(|| step["depends_on"][0].as_str()).map(str::to_owned);
            match parent {
                Some(parent) if n % 3 == 0 => step["each"] = json!(parent),
                Some(parent) if n % 3 == 1 => step["each"] = json!(format!("{parent}.list.0")),
                None if n % 2 == 1 => step["each"] = json!(true),
                _ => {}
            }
        }
        let first = build(json!({ "name": "t", "defaults": { "retry_limit": 2 }, "steps": steps })).unwrap();
        let text = Json::of(first.normal()).unwrap();
        let second = Template::build(serde_json::from_str(text.as_str()).unwrap()).unwrap();
        prop_assert_eq!(&Json::of(second.normal()).unwrap(), &text);
        prop_assert_eq!(&first.graph, &second.graph);
        prop_assert_eq!(&first.branches, &second.branches);
        prop_assert_eq!(&first.groups, &second.groups);
        prop_assert_eq!(Json::of(&first.fixed()).unwrap(), Json::of(&second.fixed()).unwrap());
        for (one, two) in first.steps.iter().zip(&second.steps) {
            prop_assert_eq!(one.policy, two.policy);
            prop_assert_eq!((&one.queue, one.priority, &one.config), (&two.queue, two.priority, &two.config));
            prop_assert_eq!(&one.limit, &two.limit);
        }
    }
}

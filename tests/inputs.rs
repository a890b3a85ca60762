//! Typed inputs as any host reads them, here from JSON text: whatever is in it, reading ends, tells every fault once
//! and at its place, and a good input is taken as it is. No database.

use fastrand::Rng;
use serde_json::{Value, json};
use tasker_core::domain::fault::Faults;
use tasker_core::domain::fault::MOST_FAULTS;
use tasker_core::domain::template::TemplateInput;
use tasker_core::ffi::shared::json_text::read_json;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::reading::Input;
use tasker_core::ffi::shared::types::{CreateTaskInput, CreateTasksInput, ListTasksInput, OpenInput, WorkerInput};

fn faults<T: Input>(input: &Value) -> Vec<(String, String)> {
    let read: Result<T, Faults> = read_json(&input.to_string(), &Limits::default());
    let Err(found) = read.and_then(|input| input.check()) else { return Vec::new() };
    found.all().iter().map(|fault| (fault.path.clone(), fault.message.clone())).collect()
}

fn paths<T: Input>(input: Value) -> Vec<String> {
    faults::<T>(&input).into_iter().map(|(path, _)| path).collect()
}

fn task() -> Value {
    json!({
        "name": "flow", "namespace": "orders", "version": "1.0.0", "context": { "n": [1, { "m": null }] }, "key": "k",
        "on_duplicate": "return", "priority": 3, "queue": "q", "run_at": "2026-01-31T12:00:00Z", "tags": ["a"],
        "initiator": "me", "reason": "why"
    })
}

fn template() -> Value {
    json!({
        "name": "flow", "input": { "type": "object" }, "defaults": { "retry_limit": 2, "backoff": "linear" },
        "steps": [
            { "name": "a", "backoff": { "kind": "none", "base": 1.0 }, "config": { "n": 1 } },
            { "name": "b", "depends_on": "a", "timeout": 3, "interrupt": true, "on_failure": "skip" },
            { "name": "c", "depends_on": ["a", "b"], "queue": "q", "priority": 1, "retryable": false }
        ]
    })
}

#[test]
fn good_inputs_have_no_faults() {
    assert_eq!(faults::<CreateTaskInput>(&task()), []);
    assert_eq!(faults::<TemplateInput>(&template()), []);
    assert_eq!(faults::<CreateTasksInput>(&json!({ "name": "flow", "contexts": [{}, {}], "keys": ["a", null] })), []);
    assert_eq!(faults::<ListTasksInput>(&json!({ "status": ["error"], "limit": 1_000 })), []);
    assert_eq!(faults::<OpenInput>(&json!({ "url": "sqlite::memory:", "ttl": 1, "max_depth": 100 })), []);
    assert_eq!(faults::<WorkerInput>(&json!({ "threads": 1_000, "queues": ["a"] })), []);
}

#[test]
fn every_field_is_told_once_in_the_order_of_the_struct() {
    let wrong = json!({
        "reason": "", "initiator": 1, "tags": ["", 1], "run_at": "soon", "queue": "/", "priority": 40_000,
        "on_duplicate": "retrun", "key": "", "context": 1, "version": "", "namespace": " ", "extra": 1
    });
    let expected = [
        "name",
        "namespace",
        "version",
        "context",
        "key",
        "on_duplicate",
        "priority",
        "queue",
        "run_at",
        "tags[0]",
        "tags[1]",
        "initiator",
        "reason",
        "extra",
    ];
    assert_eq!(paths::<CreateTaskInput>(wrong), expected);
}

#[test]
fn a_blank_breaks_no_rule_and_hides_none() {
    assert_eq!(paths::<WorkerInput>(json!({ "threads": "5", "queues": ["", "fine"] })), ["threads", "queues[0]"]);
    assert_eq!(paths::<WorkerInput>(json!({ "queues": [""] })), ["threads", "queues[0]"]);
    assert_eq!(paths::<CreateTasksInput>(json!({ "name": "flow", "contexts": 1, "keys": ["a"] })), ["contexts"]);
    let wrong = json!({ "name": 1, "contexts": [1], "keys": [] });
    assert_eq!(paths::<CreateTasksInput>(wrong), ["name", "contexts[0]", "keys"]);
}

/// Puts something wrong, or at least something else, somewhere into `value`.
fn spoil(value: &mut Value, rng: &mut Rng) {
    let other = [json!(null), json!(-1), json!(1.5), json!(""), json!("\0"), json!([]), json!({}), json!([[1]])];
    match value {
        Value::Object(pairs) if !pairs.is_empty() && rng.u8(..8) > 0 => {
            let keys: Vec<String> = pairs.keys().cloned().collect();
            let key = &keys[rng.usize(..keys.len())];
            match rng.u8(..6) {
                0 => drop(pairs.remove(key)),
                1 => drop(pairs.insert(format!("{key}x"), json!(1))),
                _ => spoil(pairs.get_mut(key).expect("it was there"), rng),
            }
        }
        Value::Array(items) if !items.is_empty() && rng.u8(..8) > 0 => {
            let index = rng.usize(..items.len());
            spoil(&mut items[index], rng);
        }
        _ => *value = other[rng.usize(..other.len())].clone(),
    }
}

fn survives<T: Input>(good: &Value, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut input = good.clone();
    (0..rng.usize(1..12)).for_each(|_| spoil(&mut input, &mut rng));
    let found = faults::<T>(&input);
    assert!(found.len() <= MOST_FAULTS, "seed {seed}: {input}: {found:?}");
    let mut once = found.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), found.len(), "seed {seed}: told twice: {input}: {found:?}");
    assert_eq!(faults::<T>(&input), found, "seed {seed}: told differently: {input}");
}

#[test]
fn whatever_is_wrong_is_told_once() {
    let first: u64 =
        std::env::var("TASKER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("TASKER_SEED={first}");
    for seed in (0..2_000).map(|n| first.wrapping_add(n)) {
        survives::<CreateTaskInput>(&task(), seed);
        survives::<TemplateInput>(&template(), seed);
    }
}

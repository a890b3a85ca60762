//! One step without a database.

use serde_json::{Value, json};
use tasker_core::domain::fault::Faults;
use tasker_core::engine::worker::Ticket;
use tasker_core::ffi::testing::lone_step::LoneStepInput;

fn lone(input: Value) -> Result<Ticket, Faults> {
    let mut whole = json!({ "step": "join", "template": {
        "name": "flow", "input": { "type": "object", "required": ["id"] },
        "steps": [{ "name": "a" }, { "name": "b" }, { "name": "other" },
                  { "name": "join", "depends_on": ["b", "a"], "retry_limit": 4 }],
    }});
    whole.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
    serde_json::from_value::<LoneStepInput>(whole).unwrap().into_ticket()
}

fn fault(input: Value) -> (String, String) {
    let faults = lone(input).map(|_| ()).unwrap_err();
    let fault = &faults.all()[0];
    (fault.path.clone(), fault.message.clone())
}

#[test]
fn it_has_what_the_test_says_of_it() {
    let ticket = lone(json!({ "context": { "id": 7 }, "results": { "a": { "x": [1.0] } }, "attempt": 3 })).unwrap();
    let step = &ticket.assignment;
    assert_eq!((step.attempt(), step.task.head.context.as_str()), (3, r#"{"id":7}"#));
    assert_eq!(step.step().unwrap().name, "join");
    let parents: Vec<_> = step.parents.iter().map(|(i, json)| (*i, json.as_ref().map(|json| json.as_str()))).collect();
    assert_eq!(parents, [(1, None), (0, Some(r#"{"x":[1.0]}"#))], "in the order of depends_on; b was skipped");
}

#[test]
fn what_could_not_be_is_refused() {
    let context = json!({ "id": 7 });
    assert_eq!(fault(json!({ "context": context, "step": "jion" })).0, "step");
    let (path, message) = fault(json!({ "context": context, "results": { "other": 1 } }));
    assert_eq!(path, "results.other");
    assert_eq!(message, "the step \"join\" does not depend on \"other\" (there are: b, a)");
    for attempt in [0, -1, 5, 70_000] {
        assert_eq!(fault(json!({ "context": context, "attempt": attempt })).0, "attempt");
    }
    assert_eq!(fault(json!({ "context": {} })).0, "context", "as its template's input says");
}

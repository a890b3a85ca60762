//! Free JSON, schemas, names, hints and moments.

use std::time::Duration;

use tasker_core::domain::fault::{hint, nearest};
use tasker_core::domain::json::Json;
use tasker_core::domain::schema::Schema;
use tasker_core::domain::template::check_name;
use tasker_core::domain::time::{Timestamp, seconds};

#[test]
fn json_keeps_its_text() {
    for text in [r#"{"b":1.0, "a":1e20}"#, "-0.0", r#""\u0000""#, "[ ]", "null"] {
        assert_eq!(Json::parse(text).unwrap().as_str(), text);
        assert_eq!(Json::of(&Json::parse(text).unwrap()).unwrap().as_str(), text);
    }
    for text in ["", "{", "1 2", "nul", "'a'", "[1,]", "NaN"] {
        assert!(Json::parse(text).is_err(), "{text}");
    }
    assert!(Json::parse(" {}").unwrap().is_object() && !Json::parse("[{}]").unwrap().is_object());
}

#[test]
fn a_schema_names_what_breaks_it_by_path() {
    let source = Json::from_trusted(
        r#"{"type":"object","required":["id"],"properties":{
            "items":{"type":"array","items":{"properties":{"a/b":{"type":"integer"}}}}}}"#,
    );
    let schema = Schema::compile(&source, "input").unwrap();
    assert_eq!(schema.source(), &source);
    assert!(schema.check(&Json::from_trusted(r#"{"id":1}"#), "context").is_ok());
    let faults = schema.check(&Json::from_trusted(r#"{"items":[{}, {"a/b": "x"}]}"#), "context").unwrap_err();
    let mut paths: Vec<&str> = faults.all().iter().map(|fault| fault.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["context", "context.items[1].a/b"]);
}

#[test]
fn names_are_plain() {
    let refused = |name: &str| {
        let mut faults = Vec::new();
        check_name(name, "name", &mut faults);
        !faults.is_empty()
    };
    for name in ["a", "Ünïcode 😀", "a.b-c_d:e", &"é".repeat(128)] {
        assert!(!refused(name), "{name:?}");
    }
    for name in ["", " a", "a ", "a/b", "a\0", "a\nb", &"é".repeat(129)] {
        assert!(refused(name), "{name:?}");
    }
}

#[test]
fn the_nearest_name_is_hinted_at() {
    assert_eq!(nearest("Validat", ["ship", "validate"]), Some("validate"));
    assert_eq!(nearest("xyz", ["ship", "validate"]), None);
    assert_eq!(hint("xyz", ["ship", "pay"]), " (there are: ship, pay)");
    assert_eq!(hint("xyz", []), "");
}

#[test]
fn moments_do_not_overflow() {
    assert_eq!(Timestamp(i64::MAX).after(Duration::MAX), Timestamp(i64::MAX));
    assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
    assert_eq!(Timestamp(i64::MAX).since(Timestamp(i64::MIN)), Duration::from_micros(i64::MAX as u64));
    assert_eq!(seconds(1.5), Some(Duration::from_millis(1_500)));
    assert!([-1.0, f64::NAN, f64::INFINITY, 1e11].iter().all(|value| seconds(*value).is_none()));
}

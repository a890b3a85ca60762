//! Schemas: which defaults are filled in, and what is refused.

use serde_json::{Value, json};
use tasker_core::domain::json::Json;
use tasker_core::domain::schema::{Bounds, Schema};

const BOUNDS: Bounds = Bounds { depth: 16, bytes: 10_000 };

fn schema(source: Value) -> Schema {
    Schema::compile(&Json::of(&source).unwrap(), "input").unwrap()
}

fn filled(source: Value, given: Value) -> Value {
    let admitted = schema(source).admit(Json::of(&given).unwrap(), "context", BOUNDS).unwrap();
    assert_eq!(admitted.json.tree().unwrap(), admitted.tree);
    admitted.tree
}

fn refusal(source: Value, given: Value) -> String {
    schema(source).admit(Json::of(&given).unwrap(), "context", BOUNDS).unwrap_err().to_string()
}

#[test]
fn a_missing_key_has_its_default_and_a_given_one_its_value() {
    let source = json!({ "required": ["a"], "properties": {
        "a": { "type": ["integer", "null"], "default": 1 }, "b": { "default": { "x": [1, {}] } }, "c": {} } });
    assert_eq!(filled(source.clone(), json!({})), json!({ "a": 1, "b": { "x": [1, {}] } }));
    assert_eq!(filled(source.clone(), json!({ "a": 2, "b": false, "d": 3 })), json!({ "a": 2, "b": false, "d": 3 }));
    assert_eq!(filled(source, json!({ "a": null, "b": null })), json!({ "a": null, "b": null }));
}

#[test]
fn objects_further_down_are_filled_where_they_are() {
    let line = json!({ "properties": { "count": { "default": 1 } } });
    let source = json!({ "properties": {
        "address": { "properties": { "country": { "default": "DE" } } },
        "settings": { "default": {}, "properties": { "loud": { "default": false } } },
        "lines": { "items": line },
        "pair": { "prefixItems": [{}, line], "items": { "properties": { "more": { "default": true } } } },
        "by_name": { "properties": { "own": {} }, "additionalProperties": line },
        "by_pattern": { "patternProperties": { "^x": {} }, "additionalProperties": line },
    } });
    let given = json!({ "lines": [{}, { "count": 2 }, 7], "pair": [{}, {}, {}],
        "by_name": { "own": {}, "b": {} }, "by_pattern": { "x": {} } });
    let expected = json!({ "lines": [{ "count": 1 }, { "count": 2 }, 7], "settings": { "loud": false },
        "pair": [{}, { "count": 1 }, { "more": true }], "by_name": { "own": {}, "b": { "count": 1 } },
        "by_pattern": { "x": {} } });
    assert_eq!(filled(source, given), expected);
}

#[test]
fn references_and_all_of_count_and_the_first_default_wins() {
    let source = json!({
        "$ref": "#/$defs/base",
        "allOf": [{ "properties": { "a": { "default": "of all" }, "c": { "$ref": "#/$defs/c" } } },
                  { "$ref": "#/$defs/late" }],
        "properties": { "a": { "default": "own" }, "d": { "$ref": "#/$defs/c", "default": "own d" },
                        "e": { "allOf": [{}, { "default": "of all" }] } },
        "$defs": {
            "base": { "properties": { "a": { "default": "of base" }, "b": { "default": "of base" } } },
            "c": { "default": "of c" },
            "late": { "properties": { "b": { "default": "late" }, "f": { "default": "late" } } },
        },
    });
    let expected = json!({ "a": "own", "b": "of base", "c": "of c", "d": "own d", "e": "of all", "f": "late" });
    assert_eq!(filled(source, json!({})), expected);
}

#[test]
fn nothing_is_taken_from_what_may_not_hold() {
    let one = json!({ "properties": { "a": { "default": 1 } } });
    for keyword in ["anyOf", "oneOf"] {
        assert_eq!(filled(json!({ keyword: [one] }), json!({})), json!({}));
    }
    for keyword in ["if", "then", "else"] {
        assert_eq!(filled(json!({ keyword: one }), json!({})), json!({}));
    }
    assert_eq!(filled(json!({ "default": { "a": 1 } }), json!({})), json!({}));
}

#[test]
fn the_text_stays_as_it_is_where_nothing_is_missing() {
    let text = Json::parse(" { \"b\": 1.10, \"a\" : 1e2 }").unwrap();
    let source = json!({ "properties": { "a": { "default": 1 } } });
    let admitted = schema(source).admit(text.clone(), "context", BOUNDS).unwrap();
    assert_eq!(admitted.json.as_str(), text.as_str());
}

#[test]
fn a_schema_in_itself_fills_what_is_there_and_no_more() {
    let node = json!({ "$defs": { "node": { "allOf": [{ "$ref": "#/$defs/node" }], "properties": {
        "n": { "default": 0 }, "next": { "$ref": "#/$defs/node" } } } }, "$ref": "#/$defs/node" });
    let expected = json!({ "n": 0, "next": { "n": 5, "next": { "n": 0 } } });
    assert_eq!(filled(node, json!({ "next": { "n": 5, "next": {} } })), expected);
}

#[test]
fn defaults_without_end_are_refused() {
    let chain = json!({ "properties": { "next": { "$ref": "#", "default": {} } } });
    assert!(refusal(chain, json!({})).starts_with("context: the defaults of its schema nest it deeper than 16 levels"));
    let tree = json!({ "properties": { "a": { "$ref": "#", "default": {} }, "b": { "$ref": "#", "default": {} } } });
    let refused = refusal(tree, json!({}));
    assert!(refused.starts_with("context: the defaults of its schema"), "{refused}");
    let wide = json!({ "items": { "properties": { "a": { "default": "x".repeat(100) } } } });
    let refused = refusal(wide, json!(vec![json!({}); 200]));
    assert!(refused.starts_with("context: the defaults of its schema make it larger than 10000 bytes"), "{refused}");
}

#[test]
fn a_default_is_checked_like_what_was_given() {
    let source = json!({ "required": ["b"], "properties": { "a": { "type": "integer", "default": "x" },
        "list": { "items": { "type": "string" } } } });
    let refused = schema(source).admit(Json::parse(r#"{"list":["a",1]}"#).unwrap(), "context", BOUNDS).unwrap_err();
    let mut paths: Vec<_> = refused.all().iter().map(|fault| fault.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["context", "context.a", "context.list[1]"]);
}

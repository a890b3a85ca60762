//! When two contexts are the same, and what key that makes.

use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};
use tasker_core::domain::canonical::canonical;
use tasker_core::domain::identity::{Identity, sha256};

fn canonical_of(text: &str) -> String {
    canonical(&serde_json::from_str(text).unwrap())
}

#[test]
fn the_canonical_text_is_the_standards() {
    // The example of RFC 8785, section 3.2.2.
    let example = r#"{ "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false] }"#;
    let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
    assert_eq!(canonical_of(example), expected);
    // Section 3.2.3: keys by UTF-16 code units, so that a surrogate comes before U+FB33.
    let keys = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
    let sorted: Vec<Value> = serde_json::from_str::<Map<String, Value>>(&canonical_of(keys))
        .unwrap()
        .into_iter()
        .map(|pair| pair.1)
        .collect();
    assert_eq!(sorted.len(), 7);
    let order = ["\\r", "1", "\u{80}", "ö", "€", "😀", "\u{fb33}"];
    let text = canonical_of(keys);
    let places: Vec<usize> = order.iter().map(|key| text.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn numbers_have_one_form_each() {
    for (forms, expected) in [
        (vec!["1", "1.0", "1e0", "10e-1", "0.1e1"], "1"),
        (vec!["0", "-0", "0.0", "-0.0", "0e5"], "0"),
        (vec!["100000000000000000000.0", "1e20"], "100000000000000000000"),
        (vec!["1e21", "1000000000000000000000.0"], "1e+21"),
        (vec!["0.000001", "1e-6"], "0.000001"),
        (vec!["0.0000001", "1e-7"], "1e-7"),
        (vec!["9007199254740993"], "9007199254740993"),
        (vec!["1152921504606846976", "1152921504606846976.0", "1.152921504606847e18"], "1152921504606846976"),
        (vec!["18446744073709551615"], "18446744073709551615"),
        (vec!["-9223372036854775808", "-9.223372036854775808e18"], "-9223372036854775808"),
        (vec!["5e-324"], "5e-324"),
        (vec!["1.7976931348623157e308"], "1.7976931348623157e+308"),
        (vec!["-1.5", "-15e-1"], "-1.5"),
    ] {
        for form in forms {
            assert_eq!(canonical_of(form), expected, "{form}");
        }
    }
}

#[test]
fn a_key_is_of_template_and_context() {
    let key = |namespace, name, context: Value| Identity::Context.key(namespace, name, &context).unwrap();
    let one = key("shop", "order", json!({ "b": [1, { "y": 2, "x": 1 }], "a": 1.0 }));
    assert_eq!(one, sha256(r#"["shop","order",{"a":1,"b":[1,{"x":1,"y":2}]}]"#));
    assert_eq!(one, key("shop", "order", json!({ "a": 1, "b": [1.0, { "x": 1, "y": 2 }] })));
    for other in [
        key("store", "order", json!({ "a": 1, "b": [1, { "x": 1, "y": 2 }] })),
        key("shop", "orders", json!({ "a": 1, "b": [1, { "x": 1, "y": 2 }] })),
        key("shop", "order", json!({ "a": "1", "b": [1, { "x": 1, "y": 2 }] })),
        key("shop", "order", json!({ "a": 1, "b": [{ "x": 1, "y": 2 }, 1] })),
        key("shop", "order", json!({ "a": 1, "b": [1, { "x": 1, "y": 2 }], "c": null })),
    ] {
        assert_ne!(one, other);
    }
    assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(Identity::AlwaysUnique.key("shop", "order", &json!({})), None);
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |float| Number::from_f64(float).map(Value::Number)),
        any::<String>().prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_canonical_text_of_a_canonical_text_is_itself(value in value()) {
        let text = canonical(&value);
        prop_assert_eq!(canonical_of(&text), text);
    }
}

//! JSON by chance: values of every kind, and good inputs with something wrong in them.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

/// Text that is something else to somebody: to SQL, JSON, YAML, regular expressions, paths or terminals.
pub fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "",
        " ",
        "\0",
        "a\0b",
        "'",
        "\"",
        "\\",
        "`",
        ";",
        "--",
        "'; DROP TABLE tasker_tasks; --",
        "$1",
        "$$",
        "%s",
        "%",
        "_",
        "\n",
        "\r\n",
        "\t",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{202e}",
        "é",
        "e\u{301}",
        "𝄞",
        "🦀",
        "日本",
        "a.b",
        "a[0]",
        "[",
        "]",
        ".",
        "a/b",
        "../..",
        "~",
        "null",
        "true",
        "NaN",
        "1e400",
        "-0",
        "0x10",
        "#",
        "#/$defs/a",
        "(a+)+$",
        "(?=a)\\1",
        "[",
        "\\p{L}{1000}",
        "http://127.0.0.1:1/",
        "file:///etc/passwd",
        "context",
        "context.n",
        "constructor",
        "__proto__",
        "$tasker_core::Json",
        "$serde_json::private::Number",
        "$serde_json::private::RawValue",
    ])
    .prop_map(str::to_owned);
    prop_oneof![
        6 => known,
        3 => any::<String>(),
        1 => (any::<char>(), 1_usize..10_001).prop_map(|(c, times)| c.to_string().repeat(times)),
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    let numbers = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            json!(0),
            json!(-1),
            json!(1),
            json!(-0.0),
            json!(1e308),
            json!(5e-324),
            json!(1e19)
        ]),
    ];
    prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), numbers, text().prop_map(Value::from)]
}

/// A value of any kind, some of them nested deeper than any limit.
pub fn value() -> impl Strategy<Value = Value> {
    let flat = leaf().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    });
    let deep = (leaf(), 1_usize..120, any::<bool>()).prop_map(|(leaf, levels, array)| {
        (0..levels).fold(leaf, |inner, _| if array { json!([inner]) } else { json!({ "a": inner }) })
    });
    prop_oneof![12 => flat, 1 => deep]
}

/// What is done to one place of an input.
#[derive(Clone, Debug)]
enum Spoiling {
    Put(Value),
    Remove,
    Rename(String),
    Double,
}

/// `good` with something done to some of its places.
pub fn spoiled(good: Value) -> impl Strategy<Value = Value> {
    let doing = prop_oneof![
        6 => value().prop_map(Spoiling::Put),
        1 => Just(Spoiling::Remove),
        1 => text().prop_map(Spoiling::Rename),
        1 => Just(Spoiling::Double),
    ];
    prop::collection::vec((any::<Index>(), doing), 0..6).prop_map(move |changes| {
        let mut tree = good.clone();
        for (place, doing) in changes {
            let places = count(&tree);
            let mut left = place.index(places);
            spoil(&mut tree, &mut left, &doing);
        }
        tree
    })
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(pairs) => 1 + pairs.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// Does it at the place to which `left` counts down; whether that was in `value`.
fn spoil(value: &mut Value, left: &mut usize, doing: &Spoiling) -> bool {
    if *left == 0 {
        change(value, doing);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| spoil(item, left, doing)),
        Value::Object(pairs) => pairs.values_mut().any(|inner| spoil(inner, left, doing)),
        _ => false,
    }
}

fn change(value: &mut Value, doing: &Spoiling) {
    match (doing, value) {
        (Spoiling::Put(other), value) => *value = other.clone(),
        (Spoiling::Remove, Value::Object(pairs)) => {
            drop(pairs.keys().next().cloned().and_then(|key| pairs.remove(&key)))
        }
        (Spoiling::Remove, Value::Array(items)) => drop(items.pop()),
        (Spoiling::Rename(name), Value::Object(pairs)) => {
            if let Some(inner) = pairs.keys().next().cloned().and_then(|key| pairs.remove(&key)) {
                pairs.insert(name.clone(), inner);
            }
        }
        (Spoiling::Double, Value::Array(items)) => items.extend(items.clone()),
        (_, value) => *value = Value::Null,
    }
}

/// The text of a value with some of it cut out, doubled or replaced.
pub fn broken_text(value: impl Strategy<Value = Value>) -> impl Strategy<Value = String> {
    let cuts = prop::collection::vec((any::<Index>(), any::<Index>(), text()), 0..4);
    (value, cuts).prop_map(|(value, cuts)| {
        let mut text = value.to_string();
        for (from, to, other) in cuts {
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let (from, to) = (bounds[from.index(bounds.len())], bounds[to.index(bounds.len())]);
            let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 20).max(from.min(to)));
            let to = (to..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
            text.replace_range(from..to, &other);
        }
        text
    })
}

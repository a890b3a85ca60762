//! The one text of a JSON value, whatever the order of its keys and the form of its numbers. It is that
//! of RFC 8785 but for integers, which keep all their digits:
//!
//! * no spaces; keys in the order of their UTF-16 code units; strings escaped only where JSON asks for it
//!   (`\b \t \n \f \r \" \\`, other control characters as `\u001f`), and never normalised;
//! * a number that is whole and from −2⁶³ to 2⁶⁴ − 1 in plain digits, whether it was written 1, 1.0 or
//!   1e0, and −0 as 0; any other as the shortest digits that give the same IEEE 754 double, in the
//!   layout of ECMAScript: 0.1, 1e-7, 1e+21.

use std::fmt::Write;

use serde_json::{Number, Value};

/// The canonical text of `value`.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// Writing to a String never fails.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => {
            let _ = write!(text, "{value}");
        }
        Value::Number(number) => text.push_str(&digits(number)),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            text.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                let _ = write!(text, "{comma}{}:", Value::String(key.clone()));
                write(&map[key], text);
            }
            text.push('}');
        }
    }
}

fn digits(number: &Number) -> String {
    const FIRST: f64 = -9_223_372_036_854_775_808.0;
    const BEYOND: f64 = 18_446_744_073_709_551_616.0;
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else { return number.to_string() };
    if float.fract() == 0.0 && (FIRST..BEYOND).contains(&float) {
        return (float as i128).to_string();
    }
    if (1e-6..1e21).contains(&float.abs()) {
        return float.to_string();
    }
    let text = format!("{float:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

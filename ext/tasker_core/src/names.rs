//! What a value is called in a message. Nothing of Ruby's is called: a user may have overridden it, and an interrupt that
//! came meanwhile (Timeout, Thread#kill) would be raised there, and be lost.

use magnus::prelude::*;
use magnus::{Float, Integer, Ruby, Symbol, Value};

use crate::convert::text::text_of;
use crate::raw::class_name;

const MOST: usize = 60;

/// `a Time`, `an Array`, `nil`.
pub fn kind_of(value: Value) -> String {
    if value.is_nil() {
        return "nil".into();
    }
    match class_name(value) {
        name if name.starts_with('#') => "an object of an anonymous class".into(),
        name if name.starts_with(['A', 'E', 'I', 'O', 'U']) => format!("an {name}"),
        name => format!("a {name}"),
    }
}

/// The value itself where it is short and simple, else its kind.
pub fn shown(value: Value) -> String {
    if let Some(Ok(text)) = text_of(value) {
        let mut short: String = text.chars().take(MOST).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        return if Symbol::from_value(value).is_some() { format!(":{short}") } else { format!("{short:?}") };
    }
    if let Some(integer) = Integer::from_value(value) {
        return integer.to_i128().map_or_else(|_| "an Integer of more than 127 bits".into(), |n| n.to_string());
    }
    if let Some(float) = Float::from_value(value) {
        return format!("{:?}", float.to_f64());
    }
    match value {
        value if value.is_kind_of(Ruby::get_with(value).class_true_class()) => "true".into(),
        value if value.is_kind_of(Ruby::get_with(value).class_false_class()) => "false".into(),
        value => kind_of(value),
    }
}

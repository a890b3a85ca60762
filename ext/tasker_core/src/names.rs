//! What a value is called in a message. Nothing that a user may have overridden is called.

use magnus::block::Proc;
use magnus::prelude::*;
use magnus::value::Lazy;
use magnus::{Float, Integer, Ruby, Symbol, Value};

use crate::convert::text::text_of;

const MOST: usize = 60;

static NAME_OF_CLASS: Lazy<Proc> = Lazy::new(|ruby| {
    const SOURCE: &str = "->(value) { \
        Module.instance_method(:name).bind_call(Kernel.instance_method(:class).bind_call(value)) }";
    ruby.eval(SOURCE).expect("a lambda that takes one argument")
});

/// Has everything here looked up while nothing else runs.
pub fn init(ruby: &Ruby) {
    Lazy::force(&NAME_OF_CLASS, ruby);
}

/// `a Time`, `an Array`, `nil`.
pub fn kind_of(value: Value) -> String {
    if value.is_nil() {
        return "nil".into();
    }
    let ruby = Ruby::get_with(value);
    let name: Option<String> = ruby.get_inner(&NAME_OF_CLASS).call((value,)).unwrap_or(None);
    match name {
        None => "an object of an anonymous class".into(),
        Some(name) if name.starts_with(['A', 'E', 'I', 'O', 'U']) => format!("an {name}"),
        Some(name) => format!("a {name}"),
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

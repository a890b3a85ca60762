//! The slow twin of an adapter's reader: the same inputs from JSON text, through a tree.

use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::errors::InputError;
use super::limits::Limits;
use super::nested::{Fields, Items, List, Name, Object};
use super::path::Path;
use super::reading::{Input, read};
use crate::domain::fault::{Fault, Faults};
use crate::domain::json::{FREE_JSON, Json, Tree};

/// Reads an input from JSON text.
///
/// # Errors
/// The same faults as those of values that are no text, where text can have them.
pub fn read_json<T: Input>(text: &str, limits: &Limits) -> Result<T, Faults> {
    let Tree(tree) = serde_json::from_str(text).map_err(|error| Fault::new("", format!("is not JSON: {error}")))?;
    read(|repairs| T::deserialize(Node { value: &tree, path: Path::root(repairs), limits }))
}

/// A value of the tree at its place.
#[derive(Clone, Copy)]
struct Node<'t, 'p> {
    value: &'t Value,
    path: Path<'p>,
    limits: &'t Limits,
}

impl Node<'_, '_> {
    fn refused(&self, expected: &str) -> InputError {
        let got = match self.value {
            Value::Array(_) => "an array".into(),
            Value::Object(_) => "an object".into(),
            plain => plain.to_string().chars().take(60).collect::<String>(),
        };
        InputError::new(format!("expected {expected}, got {got}")).expecting(expected, got)
    }

    fn free_json(&self) -> Result<String, InputError> {
        if is_deeper(self.value, self.limits.depth) {
            return Err(self.limits.too_deep());
        }
        let text = Json::of(self.value).map_err(|error| InputError::new(error.to_string()))?;
        if text.as_str().len() > self.limits.context {
            return Err(Limits::too_large(self.limits.context));
        }
        Ok(text.as_str().to_owned())
    }
}

/// Whether there are more than `levels` arrays and objects inside one another.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let deeper = |inner: &Value| is_deeper(inner, levels.saturating_sub(1));
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(deeper),
        Value::Object(pairs) => levels == 0 || pairs.values().any(deeper),
        _ => false,
    }
}

impl<'de> Deserializer<'de> for Node<'_, '_> {
    type Error = InputError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(integer), _, _) => visitor.visit_i64(integer),
                (_, Some(integer), _) => visitor.visit_u64(integer),
                (_, _, float) => visitor.visit_f64(float.unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Array(items) => visitor.visit_seq(Items::new(Branch { limits: self.limits, items }, self.path)),
            Value::Object(pairs) => visitor.visit_map(Fields::new(Pairs::of(pairs, self.limits), self.path)),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        visitor.visit_i64(self.value.as_i64().ok_or_else(|| self.refused("an integer"))?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        if self.value.is_array() { self.deserialize_any(visitor) } else { Err(self.refused("an array")) }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, InputError> {
        match name {
            FREE_JSON => visitor.visit_string(self.free_json()?),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputError> {
        if self.value.is_object() {
            return self.deserialize_any(visitor);
        }
        Err(self.refused("an object"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputError> {
        match self.value.as_str() {
            Some(text) => visitor.visit_enum(IntoDeserializer::<InputError>::into_deserializer(text)),
            None => Err(self.refused("a string")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct map identifier ignored_any
    }
}

/// The items of an array.
struct Branch<'t> {
    items: &'t [Value],
    limits: &'t Limits,
}

impl List for Branch<'_> {
    fn count(&self) -> usize {
        self.items.len()
    }

    fn read<'de, S: DeserializeSeed<'de>>(
        &self,
        index: usize,
        seed: S,
        path: Path<'_>,
    ) -> Result<S::Value, InputError> {
        let value = self.items.get(index).unwrap_or(&Value::Null);
        seed.deserialize(Node { value, path, limits: self.limits })
    }
}

/// The pairs of an object.
struct Pairs<'t> {
    pairs: serde_json::map::Iter<'t>,
    value: &'t Value,
    limits: &'t Limits,
}

impl<'t> Pairs<'t> {
    fn of(pairs: &'t Map<String, Value>, limits: &'t Limits) -> Self {
        Self { pairs: pairs.iter(), value: &Value::Null, limits }
    }
}

impl Object for Pairs<'_> {
    fn next_name(&mut self) -> Option<Name> {
        let (name, value) = self.pairs.next()?;
        self.value = value;
        Some(Name::Own(name.clone()))
    }

    fn read<'de, S: DeserializeSeed<'de>>(&self, seed: S, path: Path<'_>) -> Result<S::Value, InputError> {
        seed.deserialize(Node { value: self.value, path, limits: self.limits })
    }
}

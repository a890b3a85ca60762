//! JSON text to Ruby objects, straight and in one pass: String keys, deeply frozen.

use std::fmt;

use magnus::prelude::*;
use magnus::{Ruby, Value};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use tasker_core::domain::json::Json;
use tasker_core::engine::error::EngineError;

use crate::errors::Failure;

/// The Ruby value of `json`.
///
/// # Errors
/// When the text is not JSON, which only a damaged database can cause.
pub fn to_ruby(ruby: &Ruby, json: &Json) -> Result<Value, Failure> {
    let mut text = serde_json::Deserializer::from_str(json.as_str());
    let value = Builder { ruby }.deserialize(&mut text);
    value.map_err(|error| EngineError::internal(format!("a stored value is not JSON: {error}")).into())
}

/// The Ruby value, or nil where there is none.
pub fn to_ruby_or_nil(ruby: &Ruby, json: Option<&Json>) -> Result<Value, Failure> {
    json.map_or_else(|| Ok(ruby.qnil().as_value()), |json| to_ruby(ruby, json))
}

#[derive(Clone, Copy)]
struct Builder<'a> {
    ruby: &'a Ruby,
}

impl<'de> DeserializeSeed<'de> for Builder<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Builder<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(self.ruby.qnil().as_value())
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(self.ruby.into_value(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(self.ruby.integer_from_i64(value).as_value())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(self.ruby.integer_from_u64(value).as_value())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(self.ruby.float_from_f64(value).as_value())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        let string = self.ruby.str_new(value);
        string.freeze();
        Ok(string.as_value())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let array = self.ruby.ary_new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item).map_err(A::Error::custom)?;
        }
        array.freeze();
        Ok(array.as_value())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let hash = self.ruby.hash_new();
        while let Some(key) = pairs.next_key_seed(Key { ruby: self.ruby })? {
            let value = pairs.next_value_seed(self)?;
            hash.aset(key, value).map_err(A::Error::custom)?;
        }
        hash.freeze();
        Ok(hash.as_value())
    }
}

/// A key: the same text is the same String object, however often it occurs.
struct Key<'a> {
    ruby: &'a Ruby,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Value, E> {
        Ok(self.ruby.str_new(key).to_interned_str().as_value())
    }
}

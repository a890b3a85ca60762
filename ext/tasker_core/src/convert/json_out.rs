//! JSON text to Ruby objects, straight and in one pass: String keys, deeply frozen.
//!
//! Values wait in arrays on the stack, where the garbage collector sees them, until Ruby takes many at once: each
//! call of Ruby's that may raise costs more than what it does.

use std::cell::RefCell;
use std::fmt;

use magnus::prelude::*;
use magnus::{Error, RArray, RHash, Ruby, Value};
use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use tasker_core::domain::json::Json;
use tasker_core::engine::error::EngineError;

use super::keys::Keys;
use crate::errors::Failure;

/// How many values wait for Ruby. More would cost stack on every level of nesting.
const CHUNK: usize = 32;

/// The Ruby value of `json`.
///
/// # Errors
/// When the text is not JSON, which only a damaged database can cause.
pub fn to_ruby(ruby: &Ruby, json: &Json) -> Result<Value, Failure> {
    let mut text = serde_json::Deserializer::from_str(json.as_str());
    let value = Builder { ruby, keys: &RefCell::new(Keys::new(ruby)) }.deserialize(&mut text);
    value.map_err(|error| EngineError::internal(format!("a stored value is not JSON: {error}")).into())
}

/// The Ruby value, or nil where there is none.
pub fn to_ruby_or_nil(ruby: &Ruby, json: Option<&Json>) -> Result<Value, Failure> {
    json.map_or_else(|| Ok(ruby.qnil().as_value()), |json| to_ruby(ruby, json))
}

/// The JSON text of a snapshot, as a String.
///
/// # Errors
/// When free JSON in it is not JSON, which only a damaged database can cause.
pub fn json_text<T: Serialize>(ruby: &Ruby, view: &T) -> Result<Value, Failure> {
    let text = serde_json::to_string(view);
    let text = text.map_err(|error| EngineError::internal(format!("a stored value is not JSON: {error}")))?;
    Ok(ruby.str_new(&text).as_value())
}

#[derive(Clone, Copy)]
struct Builder<'a> {
    ruby: &'a Ruby,
    keys: &'a RefCell<Keys>,
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
        let mut waiting = Waiting::new(self.ruby);
        while let Some(item) = items.next_element_seed(self)? {
            waiting.push([item]).map_err(A::Error::custom)?;
        }
        let array = waiting.array().map_err(A::Error::custom)?;
        array.freeze();
        Ok(array.as_value())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let mut waiting = Waiting::new(self.ruby);
        while let Some(key) = pairs.next_key_seed(Key(self))? {
            waiting.push([key, pairs.next_value_seed(self)?]).map_err(A::Error::custom)?;
        }
        let hash = waiting.hash().map_err(A::Error::custom)?;
        hash.freeze();
        Ok(hash.as_value())
    }
}

/// The values of one Array or Hash: a few on the stack, those before them in an Array of Ruby's.
struct Waiting<'a> {
    ruby: &'a Ruby,
    earlier: Option<RArray>,
    chunk: [Value; CHUNK],
    used: usize,
}

impl<'a> Waiting<'a> {
    fn new(ruby: &'a Ruby) -> Self {
        Self { ruby, earlier: None, chunk: [ruby.qnil().as_value(); CHUNK], used: 0 }
    }

    fn push<const N: usize>(&mut self, values: [Value; N]) -> Result<(), Error> {
        if self.used + N > CHUNK {
            self.earlier.get_or_insert_with(|| self.ruby.ary_new_capa(2 * CHUNK)).cat(&self.chunk[..self.used])?;
            self.used = 0;
        }
        self.chunk[self.used..self.used + N].copy_from_slice(&values);
        self.used += N;
        Ok(())
    }

    /// All of them.
    fn array(&self) -> Result<RArray, Error> {
        let chunk = &self.chunk[..self.used];
        match self.earlier {
            None => Ok(self.ruby.ary_new_from_values(chunk)),
            Some(earlier) => earlier.cat(chunk).map(|()| earlier),
        }
    }

    /// All of them, as keys and values in turn.
    fn hash(&self) -> Result<RHash, Error> {
        let hash = self.ruby.hash_new();
        match self.earlier {
            None => hash.bulk_insert(&self.chunk[..self.used])?,
            Some(_) => insert(self.ruby, hash, self.array()?)?,
        }
        Ok(hash)
    }
}

/// Inserts many keys and values. Ruby goes through all of a Hash at each insertion of several: only the first is one.
fn insert(ruby: &Ruby, hash: RHash, pairs: RArray) -> Result<(), Error> {
    const BLOCK: usize = 1_024;
    let mut block = [ruby.qnil().as_value(); BLOCK];
    let first = pairs.len().min(BLOCK);
    for (at, place) in block[..first].iter_mut().enumerate() {
        *place = pairs.entry(at as isize)?;
    }
    hash.bulk_insert(&block[..first])?;
    for at in (first..pairs.len()).step_by(2) {
        hash.aset::<Value, Value>(pairs.entry(at as isize)?, pairs.entry(at as isize + 1)?)?;
    }
    Ok(())
}

/// A key.
struct Key<'a>(Builder<'a>);

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

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Value, E> {
        self.0.keys.borrow_mut().get(self.0.ruby, key).map_err(E::custom)
    }
}

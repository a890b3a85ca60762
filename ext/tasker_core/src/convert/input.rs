//! Ruby Hashes to typed structs, through serde. The class of every value is checked: 3.9 is no
//! Integer and "false" is not false. Errors know the path to what is wrong.

use std::collections::HashSet;

use magnus::prelude::*;
use magnus::r_hash::ForEach;
use magnus::value::{Qfalse, Qtrue};
use magnus::{Float, Integer, RArray, RHash, Time, Value};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use tasker_core::domain::json::FREE_JSON;
use tasker_core::fault_point;
use tasker_core::ffi::shared::errors::{InputError, Segment};
use tasker_core::ffi::shared::types::MOMENT;

use super::json_in::{MAX_INPUT, to_json};
use super::text::text_of;
use crate::names::{kind_of, shown};

/// What can be read from a Hash of options.
pub trait FromRHash: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// The first fault that is met.
    fn from_rhash(hash: RHash) -> Result<Self, InputError>;
}

impl<T: DeserializeOwned> FromRHash for T {
    fn from_rhash(hash: RHash) -> Result<Self, InputError> {
        fault_point!(ConversionIn);
        T::deserialize(FromValue(hash.as_value()))
    }
}

/// One Ruby value. It lives on the stack only, where the garbage collector sees it.
struct FromValue(Value);

impl FromValue {
    fn refused(&self, expected: &str) -> InputError {
        let got = shown(self.0);
        InputError::new(format!("expected {expected}, got {got}")).expecting(expected, got)
    }

    fn text(&self) -> Result<String, InputError> {
        text_of(self.0).unwrap_or_else(|| Err(self.refused("a String")))
    }

    fn integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        let integer = Integer::from_value(self.0).ok_or_else(|| self.refused("an Integer"))?;
        match (integer.to_i64(), integer.to_u64()) {
            (Ok(number), _) => visitor.visit_i64(number),
            (_, Ok(number)) => visitor.visit_u64(number),
            _ => Err(self.refused("an Integer from -2**63 to 2**64 - 1")),
        }
    }

    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        let Some(float) = Float::from_value(self.0) else {
            let integer = Integer::from_value(self.0).and_then(|integer| integer.to_i64().ok());
            return visitor.visit_f64(integer.ok_or_else(|| self.refused("a number"))? as f64);
        };
        let number = float.to_f64();
        if number.is_finite() { visitor.visit_f64(number) } else { Err(self.refused("a finite number")) }
    }

    fn moment<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        const EXPECTED: &str = "a Time, or a String such as \"2026-01-31T12:00:00Z\"";
        if let Some(text) = text_of(self.0) {
            return visitor.visit_str(&text?).map_err(|_: InputError| self.refused(EXPECTED));
        }
        let time = Time::from_value(self.0).ok_or_else(|| self.refused(EXPECTED))?;
        let time = time.timespec().map_err(|error| InputError::new(error.to_string()))?;
        let microseconds = time.tv_sec.checked_mul(1_000_000).and_then(|us| us.checked_add(time.tv_nsec / 1_000));
        visitor.visit_i64(microseconds.ok_or_else(|| self.refused("a Time of this age of the world"))?)
    }

    fn array<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        let array = RArray::from_value(self.0).ok_or_else(|| self.refused("an Array"))?;
        visitor.visit_seq(Items { array, next: 0 })
    }

    fn hash<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        let hash = RHash::from_value(self.0).ok_or_else(|| self.refused("a Hash"))?;
        visitor.visit_map(Pairs::of(hash)?)
    }
}

impl<'de> Deserializer<'de> for FromValue {
    type Error = InputError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        match self.0 {
            value if value.is_nil() => visitor.visit_unit(),
            value if Qtrue::from_value(value).is_some() => visitor.visit_bool(true),
            value if Qfalse::from_value(value).is_some() => visitor.visit_bool(false),
            value if Integer::from_value(value).is_some() => self.integer(visitor),
            value if Float::from_value(value).is_some() => self.number(visitor),
            value if RArray::from_value(value).is_some() => self.array(visitor),
            value if RHash::from_value(value).is_some() => self.hash(visitor),
            _ => match text_of(self.0) {
                Some(text) => visitor.visit_string(text?),
                None => Err(self.refused(&format!("{}", &visitor as &dyn serde::de::Expected))),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        match self.0 {
            value if Qtrue::from_value(value).is_some() => visitor.visit_bool(true),
            value if Qfalse::from_value(value).is_some() => visitor.visit_bool(false),
            _ => Err(self.refused("true or false")),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        self.integer(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        self.integer(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        self.number(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        if self.0.is_nil() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, InputError> {
        match name {
            FREE_JSON => visitor.visit_string(to_json(self.0, MAX_INPUT)?.as_str().to_owned()),
            MOMENT => self.moment(visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        self.array(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        self.hash(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputError> {
        self.hash(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InputError> {
        visitor.visit_enum(IntoDeserializer::<InputError>::into_deserializer(self.text()?))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
        ignored_any
    }
}

/// The items of an Array.
struct Items {
    array: RArray,
    next: usize,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = InputError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, InputError> {
        if self.next >= self.array.len() {
            return Ok(None);
        }
        let index = self.next;
        self.next += 1;
        let item: Value = self.array.entry(index as isize).map_err(|error| InputError::new(error.to_string()))?;
        seed.deserialize(FromValue(item)).map(Some).map_err(|error| error.at(Segment::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.array.len() - self.next)
    }
}

/// The pairs of a Hash. Its values stand in an Array of Ruby's, where the garbage collector sees
/// them and may move what they name.
struct Pairs {
    names: std::vec::IntoIter<String>,
    name: String,
    values: RArray,
    next: isize,
}

impl Pairs {
    fn of(hash: RHash) -> Result<Self, InputError> {
        let values = magnus::Ruby::get_with(hash).ary_new_capa(hash.len());
        let mut names = Vec::with_capacity(hash.len());
        let mut wrong = None;
        let walked = hash.foreach(|key: Value, value: Value| {
            match name_of(key) {
                Ok(name) => names.push(name),
                Err(error) => wrong = Some(error),
            }
            values.push(value)?;
            Ok(if wrong.is_none() { ForEach::Continue } else { ForEach::Stop })
        });
        if let Some(error) = wrong {
            return Err(error);
        }
        walked.map_err(|error| InputError::new(error.to_string()))?;
        let mut met = HashSet::new();
        if let Some(double) = names.iter().find(|name| !met.insert(name.as_str())) {
            let error = InputError::new("is given twice, as a Symbol and as a String perhaps");
            return Err(error.at(Segment::Key(double.clone())));
        }
        Ok(Self { names: names.into_iter(), name: String::new(), values, next: 0 })
    }
}

fn name_of(key: Value) -> Result<String, InputError> {
    text_of(key).unwrap_or_else(|| {
        let message = format!("the key {} is neither a Symbol nor a String", shown(key));
        Err(InputError::new(message).expecting("a Symbol or a String", kind_of(key)))
    })
}

impl<'de> MapAccess<'de> for Pairs {
    type Error = InputError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, InputError> {
        let Some(name) = self.names.next() else { return Ok(None) };
        self.name = name;
        let key = IntoDeserializer::<InputError>::into_deserializer(self.name.as_str());
        seed.deserialize(key).map(Some).map_err(|error| error.at(Segment::Key(self.name.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, InputError> {
        let value: Value = self.values.entry(self.next).map_err(|error| InputError::new(error.to_string()))?;
        self.next += 1;
        seed.deserialize(FromValue(value)).map_err(|error| error.at(Segment::Key(self.name.clone())))
    }
}

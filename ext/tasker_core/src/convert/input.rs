//! Ruby Hashes to typed structs, through serde. The class of every value is checked: 3.9 is no
//! Integer and "false" is not false. Errors know the path to what is wrong.

use magnus::prelude::*;
use magnus::r_hash::ForEach;
use magnus::value::{Qfalse, Qtrue};
use magnus::{Error, Float, Integer, RArray, RHash, Ruby, Time, Value};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use tasker_core::domain::fault::Faults;
use tasker_core::domain::json::FREE_JSON;
use tasker_core::fault_point;
use tasker_core::ffi::shared::errors::InputError;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::nested::{Fields, Items, List, Name, Object};
use tasker_core::ffi::shared::path::{Path, Remedy, Segment};
use tasker_core::ffi::shared::reading::{Input, read};
use tasker_core::ffi::shared::types::MOMENT;

use super::json_in::to_json;
use super::text::text_of;
use crate::names::{kind_of, shown};

/// What can be read from a Hash of options.
pub trait FromRHash: Sized {
    /// Reads it. Free values in it keep to `limits`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    fn from_rhash(hash: RHash, limits: &Limits) -> Result<Self, Faults>;
}

impl<T: Input> FromRHash for T {
    fn from_rhash(hash: RHash, limits: &Limits) -> Result<Self, Faults> {
        fault_point!(ConversionIn);
        let value = hash.as_value();
        read(|repairs| T::deserialize(FromValue { value, path: Path::root(repairs), limits }))
    }
}

/// One Ruby value at its place. It lives on the stack only, where the garbage collector sees it.
struct FromValue<'a> {
    value: Value,
    path: Path<'a>,
    limits: &'a Limits,
}

impl FromValue<'_> {
    fn refused(&self, expected: &str) -> InputError {
        let got = shown(self.value);
        InputError::new(format!("expected {expected}, got {got}")).expecting(expected, got)
    }

    fn text(&self) -> Result<String, InputError> {
        text_of(self.value).unwrap_or_else(|| Err(self.refused("a String"))).map(String::from)
    }

    fn integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        let integer = Integer::from_value(self.value).ok_or_else(|| self.refused("an Integer"))?;
        match (integer.to_i64(), integer.to_u64()) {
            (Ok(number), _) => visitor.visit_i64(number),
            (_, Ok(number)) => visitor.visit_u64(number),
            _ => Err(self.refused("an Integer from -2**63 to 2**64 - 1")),
        }
    }

    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        let Some(float) = Float::from_value(self.value) else {
            let integer = Integer::from_value(self.value).and_then(|integer| integer.to_i64().ok());
            return visitor.visit_f64(integer.ok_or_else(|| self.refused("a number"))? as f64);
        };
        let number = float.to_f64();
        if number.is_finite() { visitor.visit_f64(number) } else { Err(self.refused("a finite number")) }
    }

    fn moment<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        const EXPECTED: &str = "a Time, or a String such as \"2026-01-31T12:00:00Z\"";
        if let Some(text) = text_of(self.value) {
            return visitor.visit_str(&text?).map_err(|_: InputError| self.refused(EXPECTED));
        }
        let time = Time::from_value(self.value).ok_or_else(|| self.refused(EXPECTED))?;
        let time = time.timespec().map_err(|error| InputError::new(error.to_string()))?;
        let microseconds = time.tv_sec.checked_mul(1_000_000).and_then(|us| us.checked_add(time.tv_nsec / 1_000));
        visitor.visit_i64(microseconds.ok_or_else(|| self.refused("a Time of this age of the world"))?)
    }

    fn array<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        let array = RArray::from_value(self.value).ok_or_else(|| self.refused("an Array"))?;
        visitor.visit_seq(Items::new(Array { array, limits: self.limits }, self.path))
    }

    fn hash<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        let hash = RHash::from_value(self.value).ok_or_else(|| self.refused("a Hash"))?;
        visitor.visit_map(Fields::new(Pairs::of(hash, &self.path, self.limits)?, self.path))
    }
}

impl<'de> Deserializer<'de> for FromValue<'_> {
    type Error = InputError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        match self.value {
            value if value.is_nil() => visitor.visit_unit(),
            value if Qtrue::from_value(value).is_some() => visitor.visit_bool(true),
            value if Qfalse::from_value(value).is_some() => visitor.visit_bool(false),
            value if Integer::from_value(value).is_some() => self.integer(visitor),
            value if Float::from_value(value).is_some() => self.number(visitor),
            value if RArray::from_value(value).is_some() => self.array(visitor),
            value if RHash::from_value(value).is_some() => self.hash(visitor),
            _ => match text_of(self.value) {
                Some(text) => visitor.visit_str(&text?),
                None => Err(self.refused(&format!("{}", &visitor as &dyn serde::de::Expected))),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InputError> {
        match self.value {
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
        if self.value.is_nil() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, InputError> {
        match name {
            FREE_JSON => visitor.visit_string(to_json(self.value, self.limits.context, self.limits)?),
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

/// The items of an Array, which is looked at again for each: it may change meanwhile.
struct Array<'l> {
    array: RArray,
    limits: &'l Limits,
}

impl List for Array<'_> {
    fn count(&self) -> usize {
        self.array.len()
    }

    fn read<'de, S: DeserializeSeed<'de>>(
        &self,
        index: usize,
        seed: S,
        path: Path<'_>,
    ) -> Result<S::Value, InputError> {
        let value: Value = self.array.entry(index as isize).map_err(|error| InputError::new(error.to_string()))?;
        seed.deserialize(FromValue { value, path, limits: self.limits })
    }
}

/// The pairs of a Hash as it was at one moment.
struct Pairs<'l> {
    names: std::vec::IntoIter<Name>,
    values: Values,
    next: usize,
    limits: &'l Limits,
}

/// Ruby values where the garbage collector sees them: on the stack as long as they are few, else in an Array of
/// Ruby's.
enum Values {
    Few([Value; FEW]),
    Many(RArray),
}

const FEW: usize = 16;

impl Values {
    fn new(ruby: &Ruby, count: usize) -> Self {
        if count <= FEW { Self::Few([ruby.qnil().as_value(); FEW]) } else { Self::Many(ruby.ary_new_capa(count)) }
    }

    fn put(&mut self, index: usize, value: Value) -> Result<(), Error> {
        match self {
            Self::Few(values) => values.get_mut(index).map(|place| *place = value).ok_or_else(|| changed(value)),
            Self::Many(values) => values.push(value),
        }
    }

    fn at(&self, index: usize) -> Result<Value, Error> {
        match self {
            Self::Few(values) => values.get(index).copied().ok_or_else(|| changed(values[0])),
            Self::Many(values) => values.entry(index as isize),
        }
    }
}

fn changed(near: Value) -> Error {
    Error::new(Ruby::get_with(near).exception_runtime_error(), "the Hash changed while it was read")
}

impl<'l> Pairs<'l> {
    fn of(hash: RHash, path: &Path<'_>, limits: &'l Limits) -> Result<Self, InputError> {
        let mut values = Values::new(&Ruby::get_with(hash), hash.len());
        let mut names = Vec::with_capacity(hash.len());
        let mut wrong = None;
        let walked = hash.foreach(|key: Value, value: Value| {
            match name_of(key) {
                Some(name) => {
                    values.put(names.len(), value)?;
                    names.push(name);
                }
                None if path.key(&shown(key)).needs(Remedy::LeaveOut) => {}
                None => wrong = Some(no_name(key)),
            }
            Ok(if wrong.is_none() { ForEach::Continue } else { ForEach::Stop })
        });
        match wrong {
            Some(error) => Err(error),
            None => {
                walked.map_err(|error| InputError::new(error.to_string()))?;
                Ok(Self { names: names.into_iter(), values, next: 0, limits })
            }
        }
    }
}

/// The text of a key, where it is one.
fn name_of(key: Value) -> Option<Name> {
    text_of(key)?.ok()
}

fn no_name(key: Value) -> InputError {
    let wrong = InputError::new(format!("the key {} is neither a Symbol nor a String in UTF-8", shown(key)));
    wrong.expecting("a Symbol or a String", kind_of(key)).remedied_by(Remedy::LeaveOut).at(Segment::Key(shown(key)))
}

impl Object for Pairs<'_> {
    fn next_name(&mut self) -> Option<Name> {
        self.next += 1;
        self.names.next()
    }

    fn read<'de, S: DeserializeSeed<'de>>(&self, seed: S, path: Path<'_>) -> Result<S::Value, InputError> {
        let value = self.values.at(self.next - 1).map_err(|error| InputError::new(error.to_string()))?;
        seed.deserialize(FromValue { value, path, limits: self.limits })
    }
}

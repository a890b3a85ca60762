//! Typed results to Ruby objects, through serde: a struct is a Hash with Symbol keys, a map one with String keys, a
//! moment a Time. All of it is deeply frozen; the classes of `lib/` give it names.
//!
//! The values of one Array or Hash stand in it as soon as they are made, where the garbage collector sees them.

use std::fmt::Display;

use magnus::prelude::*;
use magnus::{RArray, RHash, Ruby, Value};
use serde::Serialize;
use serde::ser::{
    Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, Serializer, StdError,
};
use tasker_core::domain::time::Timestamp;
use tasker_core::engine::error::EngineError;
use tasker_core::ffi::shared::types::MOMENT;

use super::output::time;
use crate::errors::Failure;

/// The Ruby object of a result.
///
/// # Errors
/// When it holds what no result holds, or Ruby can't make an object.
pub fn record<T: Serialize>(ruby: &Ruby, value: &T) -> Result<Value, Failure> {
    value.serialize(Writer { ruby, is_moment: false }).map_err(|error| error.0)
}

/// What serde wants of an error: text may become one.
struct Refused(Failure);

impl std::fmt::Debug for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a result cannot be converted")
    }
}

impl StdError for Refused {}

impl serde::ser::Error for Refused {
    fn custom<T: Display>(message: T) -> Self {
        Self(EngineError::internal(format!("a result cannot be converted: {message}")).into())
    }
}

impl From<magnus::Error> for Refused {
    fn from(error: magnus::Error) -> Self {
        Self(error.into())
    }
}

type Written = Result<Value, Refused>;

#[derive(Clone, Copy)]
struct Writer<'a> {
    ruby: &'a Ruby,
    /// Whether the next number is a moment in microseconds.
    is_moment: bool,
}

impl<'a> Writer<'a> {
    fn fields(self) -> Pairs<'a> {
        Pairs { writer: self, hash: self.ruby.hash_new(), key: self.ruby.qnil().as_value() }
    }

    fn items(self) -> Items<'a> {
        Items { writer: self, array: self.ruby.ary_new() }
    }

    fn text(self, text: &str) -> Value {
        let string = self.ruby.str_new(text);
        string.freeze();
        string.as_value()
    }
}

/// What results don't hold.
fn foreign<T>(what: &str) -> Result<T, Refused> {
    Err(Refused::custom(format!("it holds {what}")))
}

impl<'a> Serializer for Writer<'a> {
    type Ok = Value;
    type Error = Refused;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Impossible<Value, Refused>;
    type SerializeTupleVariant = Impossible<Value, Refused>;
    type SerializeMap = Pairs<'a>;
    type SerializeStruct = Pairs<'a>;
    type SerializeStructVariant = Impossible<Value, Refused>;

    /// A moment comes as a number then.
    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Written {
        Ok(self.ruby.into_value(value))
    }

    fn serialize_i8(self, value: i8) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Written {
        if self.is_moment {
            return Ok(time(self.ruby, Timestamp(value))?);
        }
        Ok(self.ruby.integer_from_i64(value).as_value())
    }

    fn serialize_u8(self, value: u8) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Written {
        Ok(self.ruby.integer_from_u64(value).as_value())
    }

    fn serialize_f32(self, value: f32) -> Written {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Written {
        Ok(self.ruby.float_from_f64(value).as_value())
    }

    fn serialize_char(self, value: char) -> Written {
        Ok(self.text(value.encode_utf8(&mut [0; 4])))
    }

    fn serialize_str(self, value: &str) -> Written {
        Ok(self.text(value))
    }

    fn serialize_bytes(self, _value: &[u8]) -> Written {
        foreign("bytes")
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        Ok(self.ruby.qnil().as_value())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Written {
        Ok(self.text(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Written {
        value.serialize(Self { is_moment: name == MOMENT, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Written {
        foreign(name)
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Items<'a>, Refused> {
        Ok(self.items())
    }

    fn serialize_tuple(self, _length: usize) -> Result<Items<'a>, Refused> {
        Ok(self.items())
    }

    fn serialize_tuple_struct(self, name: &'static str, _length: usize) -> Result<Self::SerializeTupleStruct, Refused> {
        foreign(name)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleVariant, Refused> {
        foreign(name)
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Pairs<'a>, Refused> {
        Ok(self.fields())
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Pairs<'a>, Refused> {
        Ok(self.fields())
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeStructVariant, Refused> {
        foreign(name)
    }
}

struct Items<'a> {
    writer: Writer<'a>,
    array: RArray,
}

impl SerializeSeq for Items<'_> {
    type Ok = Value;
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        Ok(self.array.push(value.serialize(self.writer)?)?)
    }

    fn end(self) -> Written {
        self.array.freeze();
        Ok(self.array.as_value())
    }
}

impl SerializeTuple for Items<'_> {
    type Ok = Value;
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Written {
        SerializeSeq::end(self)
    }
}

struct Pairs<'a> {
    writer: Writer<'a>,
    hash: RHash,
    /// The key of a map whose value comes next.
    key: Value,
}

impl SerializeMap for Pairs<'_> {
    type Ok = Value;
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.key = key.serialize(self.writer)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        Ok(self.hash.aset(self.key, value.serialize(self.writer)?)?)
    }

    fn end(self) -> Written {
        self.hash.freeze();
        Ok(self.hash.as_value())
    }
}

impl SerializeStruct for Pairs<'_> {
    type Ok = Value;
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refused> {
        let key = self.writer.ruby.to_symbol(name);
        Ok(self.hash.aset(key, value.serialize(self.writer)?)?)
    }

    fn end(self) -> Written {
        SerializeMap::end(self)
    }
}

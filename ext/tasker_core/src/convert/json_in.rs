//! Ruby values to JSON text, in one pass. Nothing is silently turned into something else, and no
//! method that a user may have defined is called.

use std::ops::Range;

use magnus::r_hash::ForEach;
use magnus::value::{Qfalse, Qtrue};
use magnus::{Float, Integer, RArray, RHash, RString, Symbol, Value};
use tasker_core::domain::json::Json;
use tasker_core::ffi::shared::errors::{InputError, Segment};

use super::text::text_of;
use crate::names::{kind_of, shown};

/// How deep Arrays and Hashes may be nested in one another.
pub const MAX_DEPTH: usize = 64;
/// The most bytes of JSON that a context, a config or a schema may have.
pub const MAX_INPUT: usize = 1 << 20;
/// The most bytes of JSON that a result may have.
pub const MAX_RESULT: usize = 16 << 20;

/// The JSON of `value`, of at most `limit` bytes.
///
/// # Errors
/// With the path to what has no JSON form.
pub fn to_json(value: Value, limit: usize) -> Result<Json, InputError> {
    let mut writer = Writer { out: Vec::with_capacity(128), keys: Vec::new(), depth: 0, limit };
    writer.value(value)?;
    String::from_utf8(writer.out).map(Json::from_trusted).map_err(|error| InputError::new(error.to_string()))
}

struct Writer {
    out: Vec<u8>,
    /// Where the keys of the Hashes that are being written stand in `out`.
    keys: Vec<Range<usize>>,
    depth: usize,
    limit: usize,
}

impl Writer {
    fn value(&mut self, value: Value) -> Result<(), InputError> {
        if let Some(string) = RString::from_value(value) {
            self.fits(string.len())?;
            self.text(value)?;
        } else if Symbol::from_value(value).is_some() {
            self.text(value)?;
        } else if let Some(integer) = Integer::from_value(value) {
            self.integer(integer)?;
        } else if let Some(hash) = RHash::from_value(value) {
            self.nested(|writer| writer.hash(hash))?;
        } else if let Some(array) = RArray::from_value(value) {
            self.nested(|writer| writer.array(array))?;
        } else if let Some(float) = Float::from_value(value) {
            self.float(float)?;
        } else if Qtrue::from_value(value).is_some() {
            self.out.extend_from_slice(b"true");
        } else if Qfalse::from_value(value).is_some() {
            self.out.extend_from_slice(b"false");
        } else if magnus::value::ReprValue::is_nil(value) {
            self.out.extend_from_slice(b"null");
        } else {
            return Err(no_json(value));
        }
        self.fits(0)
    }

    fn text(&mut self, value: Value) -> Result<(), InputError> {
        let text = text_of(value).ok_or_else(|| no_json(value))??;
        self.write(&text)
    }

    fn integer(&mut self, integer: Integer) -> Result<(), InputError> {
        if let Ok(number) = integer.to_i64() {
            return self.write(&number);
        }
        let number = integer.to_u64().map_err(|_| {
            InputError::new("an Integer is -2**63 to 2**64 - 1; give a larger one as a String")
                .expecting("-2**63 to 2**64 - 1", shown(magnus::value::ReprValue::as_value(integer)))
        })?;
        self.write(&number)
    }

    fn float(&mut self, float: Float) -> Result<(), InputError> {
        let number = float.to_f64();
        if number.is_finite() {
            return self.write(&number);
        }
        Err(InputError::new(format!("{number} has no JSON form")).expecting("a finite number", number.to_string()))
    }

    fn array(&mut self, array: RArray) -> Result<(), InputError> {
        self.out.push(b'[');
        let mut index = 0;
        while index < array.len() {
            if index > 0 {
                self.out.push(b',');
            }
            let at = |error: InputError| error.at(Segment::Index(index));
            let item: Value = array.entry(index as isize).map_err(|error| at(InputError::new(error.to_string())))?;
            self.value(item).map_err(at)?;
            index += 1;
        }
        self.out.push(b']');
        Ok(())
    }

    fn hash(&mut self, hash: RHash) -> Result<(), InputError> {
        self.out.push(b'{');
        let first_key = self.keys.len();
        let mut outcome = Ok(());
        let walked = hash.foreach(|key: Value, value: Value| {
            outcome = self.pair(key, value, first_key);
            Ok(if outcome.is_ok() { ForEach::Continue } else { ForEach::Stop })
        });
        outcome?;
        walked.map_err(|error| InputError::new(error.to_string()))?;
        self.refuse_duplicates(first_key)?;
        self.keys.truncate(first_key);
        self.out.push(b'}');
        Ok(())
    }

    fn pair(&mut self, key: Value, value: Value, first_key: usize) -> Result<(), InputError> {
        if self.keys.len() > first_key {
            self.out.push(b',');
        }
        let name = text_of(key).ok_or_else(|| {
            InputError::new(format!("the key {} is neither a String nor a Symbol", shown(key)))
                .expecting("a String or a Symbol", kind_of(key))
        })??;
        let start = self.out.len();
        self.write(&name)?;
        self.keys.push(start..self.out.len());
        self.out.push(b':');
        self.value(value).map_err(|error| error.at(Segment::Key(name)))
    }

    /// The same key may stand in a Hash as a Symbol and as a String, in two encodings, or as two
    /// objects.
    fn refuse_duplicates(&mut self, first_key: usize) -> Result<(), InputError> {
        const FEW: usize = 8;
        let out = &self.out;
        let keys = &mut self.keys[first_key..];
        let double = if keys.len() <= FEW {
            let earlier = |i: usize| keys[..i].iter().any(|other| out[other.clone()] == out[keys[i].clone()]);
            (1..keys.len()).find(|&i| earlier(i)).map(|i| keys[i].clone())
        } else {
            keys.sort_unstable_by(|a, b| out[a.clone()].cmp(&out[b.clone()]));
            keys.windows(2).find(|pair| out[pair[0].clone()] == out[pair[1].clone()]).map(|pair| pair[0].clone())
        };
        match double {
            None => Ok(()),
            Some(key) => {
                let key = String::from_utf8_lossy(&out[key]);
                Err(InputError::new(format!("has the key {key} twice, as a Symbol and as a String perhaps"))
                    .expecting("each key once", key))
            }
        }
    }

    fn nested(&mut self, write: impl FnOnce(&mut Self) -> Result<(), InputError>) -> Result<(), InputError> {
        if self.depth == MAX_DEPTH {
            let message = format!("is nested deeper than {MAX_DEPTH} levels; does it hold itself?");
            return Err(InputError::new(message).expecting(format!("at most {MAX_DEPTH} levels"), "more"));
        }
        self.depth += 1;
        let written = write(self);
        self.depth -= 1;
        written
    }

    fn fits(&self, more: usize) -> Result<(), InputError> {
        if self.out.len() + more <= self.limit {
            return Ok(());
        }
        let limit = self.limit >> 20;
        let message =
            format!("makes the value larger than {limit} MiB of JSON; keep large data elsewhere and pass its key");
        Err(InputError::new(message).expecting(format!("at most {limit} MiB"), "more"))
    }

    fn write<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> Result<(), InputError> {
        serde_json::to_writer(&mut self.out, value).map_err(|error| InputError::new(error.to_string()))
    }
}

fn no_json(value: Value) -> InputError {
    let kind = kind_of(value);
    let advice = match kind.as_str() {
        "a Time" | "a Date" | "a DateTime" | "an ActiveSupport::TimeWithZone" => "; give its iso8601",
        "a BigDecimal" | "a Rational" | "a Complex" => "; give its to_s, or its to_f if that is exact enough",
        "a Set" => "; give its to_a",
        _ => "",
    };
    InputError::new(format!("{kind} is no JSON value{advice}"))
        .expecting("Hash, Array, String, Symbol, Integer, Float, true, false or nil", kind)
}

//! Ruby values to JSON text, in one pass. Nothing is silently turned into something else, and no
//! method that a user may have defined is called.

use std::ops::Range;

use magnus::r_hash::ForEach;
use magnus::value::{Qfalse, Qtrue};
use magnus::{Float, Integer, RArray, RHash, RString, Symbol, Value};
use tasker_core::domain::fault::MOST_FAULTS;
use tasker_core::ffi::shared::errors::InputError;
use tasker_core::ffi::shared::json_quote::quote;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::path::Segment;

use super::text::text_of;
use crate::names::{kind_of, shown};
use crate::raw::quote_string;

/// What is set aside for a value, so that one of the usual size never has to be moved.
const USUAL_BYTES: usize = 1_000;
const USUAL_KEYS: usize = 16;

/// The JSON of `value`, of at most `most` bytes.
///
/// # Errors
/// With the paths to everything that has no JSON form.
pub fn to_json(value: Value, most: usize, limits: &Limits) -> Result<String, InputError> {
    let (out, keys, faults) = (Vec::with_capacity(USUAL_BYTES), Vec::with_capacity(USUAL_KEYS), Vec::new());
    let mut writer = Writer { out, keys, faults, depth: 0, most, limits };
    let ended = writer.value(value);
    let mut faults = writer.faults.into_iter().chain(ended.err());
    match faults.next() {
        Some(first) => Err(first.together(faults)),
        None => String::from_utf8(writer.out).map_err(|error| InputError::new(error.to_string())),
    }
}

/// A wrong value is noted, and the writing goes on to find the next one; what was written is of no use then. An
/// `Err` ends it.
struct Writer<'l> {
    out: Vec<u8>,
    /// Where the keys of the Hashes that are being written stand in `out`.
    keys: Vec<Range<usize>>,
    /// What is wrong, each with its path up to the value that is being written.
    faults: Vec<InputError>,
    depth: usize,
    most: usize,
    limits: &'l Limits,
}

impl Writer<'_> {
    /// Writes the value that stands at `segment` of the one that is being written.
    fn inner(&mut self, value: Value, segment: impl Fn() -> Segment) -> Result<(), InputError> {
        let before = self.faults.len();
        let written = self.value(value);
        if self.faults.len() > before {
            let inner = self.faults.split_off(before);
            self.faults.extend(inner.into_iter().map(|fault| fault.at(segment())));
        }
        written.map_err(|error| error.at(segment()))
    }

    /// Notes what is wrong with the value that is being written.
    fn note(&mut self, fault: InputError) -> Result<(), InputError> {
        if self.faults.len() + 1 == MOST_FAULTS {
            return Err(fault);
        }
        self.faults.push(fault);
        Ok(())
    }

    fn value(&mut self, value: Value) -> Result<(), InputError> {
        if let Some(string) = RString::from_value(value) {
            // Before it is copied. In UTF-32 it has four times as many bytes as it may have in UTF-8.
            self.fits(string.len() / 4)?;
            if !quote_string(&mut self.out, string) {
                self.text(value)?;
            }
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
            self.note(no_json(value))?;
        }
        self.fits(0)
    }

    fn text(&mut self, value: Value) -> Result<(), InputError> {
        match text_of(value).unwrap_or_else(|| Err(no_json(value))) {
            Ok(text) => {
                quote(&mut self.out, &text);
                Ok(())
            }
            Err(fault) => self.note(fault),
        }
    }

    fn integer(&mut self, integer: Integer) -> Result<(), InputError> {
        if let Ok(number) = integer.to_i64() {
            return self.write(&number);
        }
        match integer.to_u64() {
            Ok(number) => self.write(&number),
            Err(_) => self.note(
                InputError::new("an Integer is -2**63 to 2**64 - 1; give a larger one as a String")
                    .expecting("-2**63 to 2**64 - 1", shown(magnus::value::ReprValue::as_value(integer))),
            ),
        }
    }

    fn float(&mut self, float: Float) -> Result<(), InputError> {
        let number = float.to_f64();
        if number.is_finite() {
            return self.write(&number);
        }
        let fault = InputError::new(format!("{number} has no JSON form"));
        self.note(fault.expecting("a finite number", number.to_string()))
    }

    fn array(&mut self, array: RArray) -> Result<(), InputError> {
        self.out.push(b'[');
        let mut index = 0;
        while index < array.len() {
            if index > 0 {
                self.out.push(b',');
            }
            let item: Value = array.entry(index as isize).map_err(|error| InputError::new(error.to_string()))?;
            self.inner(item, || Segment::Index(index))?;
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
        let start = self.out.len();
        if !RString::from_value(key).is_some_and(|key| quote_string(&mut self.out, key)) {
            match text_of(key).unwrap_or_else(|| Err(no_key(key))) {
                Ok(name) => quote(&mut self.out, &name),
                Err(fault) => return self.note(fault),
            }
        }
        self.keys.push(start..self.out.len());
        self.out.push(b':');
        self.inner(value, || Segment::Key(text_of(key).and_then(Result::ok).map(String::from).unwrap_or_default()))
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
            let mut prints: Vec<u64> = keys.iter().map(|key| fingerprint(&out[key.clone()])).collect();
            prints.sort_unstable();
            if prints.windows(2).all(|pair| pair[0] != pair[1]) {
                return Ok(());
            }
            keys.sort_unstable_by(|a, b| out[a.clone()].cmp(&out[b.clone()]));
            keys.windows(2).find(|pair| out[pair[0].clone()] == out[pair[1].clone()]).map(|pair| pair[0].clone())
        };
        match double {
            None => Ok(()),
            Some(key) => {
                let key = String::from_utf8_lossy(&out[key]);
                let fault = InputError::new(format!("has the key {key} twice, as a Symbol and as a String perhaps"));
                self.note(fault.expecting("each key once", key))
            }
        }
    }

    fn nested(&mut self, write: impl FnOnce(&mut Self) -> Result<(), InputError>) -> Result<(), InputError> {
        // This ends the writing: a value that holds itself twice has no last fault.
        if self.depth == self.limits.depth {
            return Err(self.limits.too_deep());
        }
        self.depth += 1;
        let written = write(self);
        self.depth -= 1;
        written
    }

    fn fits(&self, more: usize) -> Result<(), InputError> {
        if self.out.len() + more <= self.most { Ok(()) } else { Err(Limits::too_large(self.most)) }
    }

    fn write<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> Result<(), InputError> {
        serde_json::to_writer(&mut self.out, value).map_err(|error| InputError::new(error.to_string()))
    }
}

/// Equal keys have equal fingerprints; that others have too is rare, and costs only time. (Sorting 500 keys by their
/// text took as long as writing them.) The mixing is a folded multiplication, as in wyhash.
fn fingerprint(key: &[u8]) -> u64 {
    key.chunks(8).fold(key.len() as u64, |print, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let mixed = u128::from(print ^ u64::from_le_bytes(word)) * 0x9e37_79b9_7f4a_7c15;
        mixed as u64 ^ (mixed >> 64) as u64
    })
}

fn no_key(key: Value) -> InputError {
    InputError::new(format!("the key {} is neither a String nor a Symbol", shown(key)))
        .expecting("a String or a Symbol", kind_of(key))
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

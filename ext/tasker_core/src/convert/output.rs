//! The small values that readers give.

use magnus::prelude::*;
use magnus::time::{Offset, Timespec};
use magnus::{Error, IntoValue, RArray, RHash, Ruby, Value};
use tasker_core::domain::time::Timestamp;

/// A moment as a Time in UTC, to the microsecond.
pub fn time(ruby: &Ruby, moment: Timestamp) -> Result<Value, Error> {
    let timespec = Timespec { tv_sec: moment.0.div_euclid(1_000_000), tv_nsec: moment.0.rem_euclid(1_000_000) * 1_000 };
    Ok(ruby.time_timespec_new(timespec, Offset::utc())?.as_value())
}

/// A moment as a Time, or nil.
pub fn time_or_nil(ruby: &Ruby, moment: Option<Timestamp>) -> Result<Value, Error> {
    moment.map_or_else(|| Ok(ruby.qnil().as_value()), |moment| time(ruby, moment))
}

/// A frozen Array of frozen Strings.
pub fn strings<'a>(ruby: &Ruby, items: impl IntoIterator<Item = &'a str>) -> Result<RArray, Error> {
    let array = ruby.ary_new();
    for item in items {
        let string = ruby.str_new(item);
        string.freeze();
        array.push(string)?;
    }
    array.freeze();
    Ok(array)
}

/// A Hash with Symbol keys, filled pair by pair.
pub struct Record<'a> {
    ruby: &'a Ruby,
    hash: RHash,
}

impl<'a> Record<'a> {
    /// An empty one.
    pub fn new(ruby: &'a Ruby) -> Self {
        Self { ruby, hash: ruby.hash_new() }
    }

    /// Adds a pair.
    pub fn set(self, key: &str, value: impl IntoValue) -> Result<Self, Error> {
        self.hash.aset(self.ruby.to_symbol(key), value)?;
        Ok(self)
    }

    /// The Hash, frozen.
    pub fn frozen(self) -> RHash {
        self.hash.freeze();
        self.hash
    }
}

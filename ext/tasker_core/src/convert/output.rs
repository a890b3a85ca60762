//! The small values that readers give.

use std::time::{SystemTime, UNIX_EPOCH};

use magnus::prelude::*;
use magnus::time::{Offset, Timespec};
use magnus::value::Lazy;
use magnus::{Error, IntoValue, RArray, RHash, Ruby, Value};
use tasker_core::domain::id::TaskId;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;

/// Text as a String.
pub fn text(ruby: &Ruby, text: &str) -> Value {
    ruby.str_new(text).as_value()
}

/// Text as a String, or nil.
pub fn text_or_nil(ruby: &Ruby, text: Option<&str>) -> Value {
    text.map_or_else(|| ruby.qnil().as_value(), |text| ruby.str_new(text).as_value())
}

/// An id as a String.
pub fn id(ruby: &Ruby, id: TaskId) -> Value {
    text(ruby, id.0.as_hyphenated().encode_lower(&mut [0; 36]))
}

/// An id as a String, or nil.
pub fn id_or_nil(ruby: &Ruby, task: Option<TaskId>) -> Value {
    task.map_or_else(|| ruby.qnil().as_value(), |task| id(ruby, task))
}

/// A moment as a Time in UTC, to the microsecond.
pub fn time(ruby: &Ruby, moment: Timestamp) -> Result<Value, Error> {
    let timespec = Timespec { tv_sec: moment.0.div_euclid(1_000_000), tv_nsec: moment.0.rem_euclid(1_000_000) * 1_000 };
    Ok(ruby.time_timespec_new(timespec, Offset::utc())?.as_value())
}

/// A moment as a Time, or nil.
pub fn time_or_nil(ruby: &Ruby, moment: Option<Timestamp>) -> Result<Value, Error> {
    moment.map_or_else(|| Ok(ruby.qnil().as_value()), |moment| time(ruby, moment))
}

/// A moment of the system's clock.
pub fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
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

/// The names of the states, in their order: one frozen String each for the life of the process.
static TASK_STATES: Lazy<RArray> = Lazy::new(|ruby| names(ruby, TaskState::ALL.iter().map(|state| state.as_str())));
static STEP_STATES: Lazy<RArray> = Lazy::new(|ruby| names(ruby, StepState::ALL.iter().map(|state| state.as_str())));

fn names(ruby: &Ruby, names: impl Iterator<Item = &'static str>) -> RArray {
    let array = ruby.ary_from_iter(names.map(|name| ruby.str_new(name).to_interned_str()));
    array.freeze();
    array
}

/// The name of a task's state.
pub fn task_state(ruby: &Ruby, state: TaskState) -> Result<Value, Error> {
    ruby.get_inner(&TASK_STATES).entry(state as isize)
}

/// The name of a step's state.
pub fn step_state(ruby: &Ruby, state: StepState) -> Result<Value, Error> {
    ruby.get_inner(&STEP_STATES).entry(state as isize)
}

/// Has everything here made while nothing else runs.
pub fn init(ruby: &Ruby) {
    Lazy::force(&TASK_STATES, ruby);
    Lazy::force(&STEP_STATES, ruby);
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

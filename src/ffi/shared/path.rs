//! Where a value stands in an input, and what was found wrong with it by an earlier reading.

use std::fmt::Write;

use super::errors::InputError;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A key.
    Key(String),
    /// A place in a list.
    Index(usize),
}

/// Adds a segment to a dotted path.
pub(super) fn append(path: &mut String, segment: &Segment) {
    // Writing to a String never fails.
    let _ = match segment {
        Segment::Key(key) if path.is_empty() => write!(path, "{key}"),
        Segment::Key(key) => write!(path, ".{key}"),
        Segment::Index(index) => write!(path, "[{index}]"),
    };
}

/// How a reading gets past a fault that is known by now. What is read so is never used: it only
/// lets the faults behind that one come to light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The value is wrong: read a [`super::blank::Blank`] in its place.
    Blank,
    /// The key means nothing: read on as if it were not there.
    LeaveOut,
    /// The key is missing: read on as if it were there, with a blank.
    Supply,
    /// The key is there twice: take the first.
    TakeOnce,
}

/// The faults of earlier readings, each with its remedy. Empty when an input is read for the first
/// time, which is all that a good one ever sees of this.
#[derive(Debug, Default)]
pub struct Repairs(Vec<(Vec<Segment>, Remedy)>);

impl Repairs {
    /// Notes the remedy of `error`; false when it was noted before, or when there is nothing left to read.
    pub(super) fn add(&mut self, error: &InputError) -> bool {
        let repair = (error.segments(), error.remedy());
        let helps = !repair.0.is_empty() && !self.0.contains(&repair);
        self.0.push(repair);
        helps
    }
}

/// Where a value stands. It lives on the stack, level by level, so that it costs next to nothing
/// while nobody asks.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    last: Option<(&'a Path<'a>, Step<'a>)>,
    repairs: &'a Repairs,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The whole input.
    pub fn root(repairs: &'a Repairs) -> Self {
        Self { last: None, repairs }
    }

    /// What stands under `key`.
    pub fn key<'b>(&'b self, key: &'b str) -> Path<'b> {
        Path { last: Some((self, Step::Key(key))), repairs: self.repairs }
    }

    /// What stands at `index`.
    pub fn index(&self, index: usize) -> Path<'_> {
        Path { last: Some((self, Step::Index(index))), repairs: self.repairs }
    }

    /// Whether an earlier reading found that this place needs `remedy`.
    pub fn needs(&self, remedy: Remedy) -> bool {
        !self.repairs.0.is_empty() && self.repairs.0.contains(&(self.segments(), remedy))
    }

    /// Whether this is the first reading.
    pub(super) fn is_first_reading(&self) -> bool {
        self.repairs.0.is_empty()
    }

    /// The keys that an earlier reading missed in the object that stands here.
    pub(super) fn missing_keys(&self) -> Vec<String> {
        if self.repairs.0.is_empty() {
            return Vec::new();
        }
        let here = self.segments();
        let missed = |(segments, remedy): &(Vec<Segment>, Remedy)| match segments.split_last() {
            Some((Segment::Key(key), above)) if *remedy == Remedy::Supply && above == here => Some(key.clone()),
            _ => None,
        };
        self.repairs.0.iter().filter_map(missed).collect()
    }

    fn segments(&self) -> Vec<Segment> {
        let mut segments = Vec::new();
        let mut at = self.last;
        while let Some((above, step)) = at {
            segments.push(match step {
                Step::Key(key) => Segment::Key(key.to_owned()),
                Step::Index(index) => Segment::Index(index),
            });
            at = above.last;
        }
        segments.reverse();
        segments
    }
}

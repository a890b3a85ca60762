//! Faults of typed inputs, as serde meets them: with the dotted path to the place, and the nearest
//! valid name for an unknown key. An adapter's deserializer uses [`InputError`] as its error and
//! calls [`InputError::at`] on the way out of each level; [`super::nested`] does so already.

use std::fmt;

use serde::de;

use super::path::{Remedy, Segment, append};
use crate::domain::fault::{Fault, Faults, hint};
use crate::engine::error::EngineError;
use crate::fault_points::Injected;

/// What is wrong at one place of an input, gaining its path from the inside out. Behind a pointer,
/// because every value that is read is a `Result` with this in it.
#[derive(Debug)]
pub struct InputError(Box<Met>);

#[derive(Debug)]
struct Met {
    /// The place, from the inside out.
    place: Vec<Segment>,
    remedy: Remedy,
    /// What is wrong, with paths from that place on: a free value may have several faults.
    first: Fault,
    more: Vec<Fault>,
}

impl InputError {
    /// A fault with a message alone.
    pub fn new(message: impl Into<String>) -> Self {
        let first = Fault::new("", message);
        Self(Box::new(Met { place: Vec::new(), remedy: Remedy::Blank, first, more: Vec::new() }))
    }

    /// Says what was expected and what was found.
    pub fn expecting(mut self, expected: impl Into<String>, got: impl Into<String>) -> Self {
        self.0.first = self.0.first.with(expected, got);
        self
    }

    /// Says how to read on; a blank in its place unless it is said.
    pub fn remedied_by(mut self, remedy: Remedy) -> Self {
        self.0.remedy = remedy;
        self
    }

    /// The same, seen from one level further out.
    pub fn at(mut self, segment: Segment) -> Self {
        self.0.place.push(segment);
        self
    }

    /// Several faults inside one free value, which is one place.
    pub fn together(self, others: impl IntoIterator<Item = Self>) -> Self {
        let (first, mut more) = self.parts();
        more.extend(others.into_iter().flat_map(|error| {
            let (first, more) = error.parts();
            std::iter::once(first).chain(more)
        }));
        Self(Box::new(Met { place: Vec::new(), remedy: Remedy::Blank, first, more }))
    }

    pub(super) fn segments(&self) -> Vec<Segment> {
        self.0.place.iter().rev().cloned().collect()
    }

    pub(super) fn remedy(&self) -> Remedy {
        self.0.remedy
    }

    /// The faults with their whole paths.
    fn parts(self) -> (Fault, Vec<Fault>) {
        let Met { place, first, more, .. } = *self.0;
        let whole = |fault: Fault| {
            let mut path = String::new();
            place.iter().rev().for_each(|segment| append(&mut path, segment));
            if !(path.is_empty() || fault.path.is_empty() || fault.path.starts_with('[')) {
                path.push('.');
            }
            path.push_str(&fault.path);
            Fault { path, ..fault }
        };
        (whole(first), more.into_iter().map(whole).collect())
    }

    /// The faults with their whole paths.
    pub fn into_faults(self) -> Faults {
        let (first, more) = self.parts();
        Faults::of(first, more)
    }
}

impl From<Injected> for Faults {
    fn from(injected: Injected) -> Self {
        Fault::new("", injected.to_string()).into()
    }
}

impl From<InputError> for EngineError {
    fn from(error: InputError) -> Self {
        Self::Validation(error.into_faults())
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.first.message)
    }
}

impl std::error::Error for InputError {}

impl de::Error for InputError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {expected}, got {unexpected}"))
            .expecting(expected.to_string(), unexpected.to_string())
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = hint(variant, expected.iter().copied());
        Self::new(format!("{variant:?} is not valid here{hint}")).expecting(expected.join(", "), format!("{variant:?}"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = hint(field, expected.iter().copied());
        Self::new(format!("there is no key {field:?} here{hint}"))
            .expecting(expected.join(", "), format!("{field:?}"))
            .remedied_by(Remedy::LeaveOut)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("is missing")
            .expecting("a value", "nothing")
            .remedied_by(Remedy::Supply)
            .at(Segment::Key(field.into()))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("is given twice, spelt by two kinds of key perhaps")
            .expecting("each key once", format!("{field:?} twice"))
            .remedied_by(Remedy::TakeOnce)
            .at(Segment::Key(field.into()))
    }
}

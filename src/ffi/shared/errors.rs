//! Faults of typed inputs, as serde meets them: with the dotted path to the place, and the nearest
//! valid name for an unknown key. An adapter's deserializer uses [`InputError`] as its error and
//! calls [`InputError::at`] on the way out of each level.

use std::fmt;

use serde::de;

use crate::domain::fault::{Fault, Faults, hint};
use crate::engine::error::EngineError;
use crate::fault_points::Injected;

/// One fault, gaining its path from the inside out.
#[derive(Debug)]
pub struct InputError {
    message: String,
    expected: Option<String>,
    got: Option<String>,
    path: Vec<Segment>,
}

/// One step of a path.
#[derive(Clone, Debug)]
pub enum Segment {
    /// A key.
    Key(String),
    /// A place in a list.
    Index(usize),
}

impl InputError {
    /// A fault with a message alone.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), expected: None, got: None, path: Vec::new() }
    }

    /// Says what was expected and what was found.
    pub fn expecting(mut self, expected: impl Into<String>, got: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self.got = Some(got.into());
        self
    }

    /// The same fault, seen from one level further out.
    pub fn at(mut self, segment: Segment) -> Self {
        self.path.push(segment);
        self
    }

    /// The fault with its whole path.
    pub fn into_fault(self) -> Fault {
        let mut path = String::new();
        for segment in self.path.iter().rev() {
            match segment {
                Segment::Key(key) if path.is_empty() => path.push_str(key),
                Segment::Key(key) => {
                    path.push('.');
                    path.push_str(key);
                }
                Segment::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        Fault { path, message: self.message, expected: self.expected, got: self.got }
    }
}

impl From<Injected> for InputError {
    fn from(injected: Injected) -> Self {
        Self::new(injected.to_string())
    }
}

impl From<InputError> for EngineError {
    fn from(error: InputError) -> Self {
        Self::Validation(Faults::from(error.into_fault()))
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
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
        Self::new(format!("there is no key {field:?} here{hint}")).expecting(expected.join(", "), format!("{field:?}"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("is missing").expecting("a value", "nothing").at(Segment::Key(field.into()))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("is given twice").at(Segment::Key(field.into()))
    }
}

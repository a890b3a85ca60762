//! Rules that several inputs declare.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use validator::{Validate, ValidationError, ValidationErrors};

use crate::domain::fault::Fault;
use crate::domain::json::Json;
use crate::domain::template;
use crate::domain::time;
use crate::engine::events::Kinds;
use crate::ffi::shared::validation::{ITSELF, broken};

/// The longest key and the longest tag, in characters.
const MAX_KEY: usize = 512;
/// The longest initiator and the longest reason, in characters.
const MAX_WORDS: usize = 1_024;
/// The most tags of a task.
pub const MAX_TAGS: u64 = 100;

/// A name, by the rule for every name.
pub fn name(text: &str) -> Result<(), ValidationError> {
    let mut faults = Vec::new();
    template::check_name(text, "", &mut faults);
    faults.pop().map_or(Ok(()), |fault| Err(broken(fault)))
}

/// A span in seconds above zero.
pub fn span(value: f64) -> Result<(), ValidationError> {
    let wrong = || Fault::new("", "is a number of seconds above 0").with("seconds above 0", format!("{value:?}"));
    positive(value).map(|_| ()).ok_or_else(|| broken(wrong()))
}

/// A span in seconds, zero among them.
pub fn limit(value: f64) -> Result<(), ValidationError> {
    let wrong = || Fault::new("", "is a number of seconds").with("seconds", format!("{value:?}"));
    time::seconds(value).map(|_| ()).ok_or_else(|| broken(wrong()))
}

/// The span of what [`span`] lets pass.
pub fn positive(value: f64) -> Option<Duration> {
    time::seconds(value).filter(|span| !span.is_zero())
}

/// A queue's name in a list of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Queue(pub String);

impl Validate for Queue {
    fn validate(&self) -> Result<(), ValidationErrors> {
        of_item(name(&self.0))
    }
}

/// Which events a subscriber wants.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub String);

impl Validate for Pattern {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let Err(faults) = Kinds::matching([self.0.as_str()]) else { return Ok(()) };
        let first = faults.all().first().cloned();
        of_item(first.map_or(Ok(()), |fault| Err(broken(Fault { path: String::new(), ..fault }))))
    }
}

/// A word to find a task by.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(pub String);

impl Validate for Tag {
    fn validate(&self) -> Result<(), ValidationErrors> {
        of_item(key(&self.0))
    }
}

/// The context of one task of several.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Context(pub Json);

impl Validate for Context {
    fn validate(&self) -> Result<(), ValidationErrors> {
        of_item(object(&self.0))
    }
}

/// The key of one task of several, if it has one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub Option<String>);

impl Validate for Key {
    fn validate(&self) -> Result<(), ValidationErrors> {
        of_item(self.0.as_deref().map_or(Ok(()), key))
    }
}

/// What makes a task the same as another one, or a word to find it by.
pub fn key(text: &str) -> Result<(), ValidationError> {
    words(text, MAX_KEY)
}

/// A version that is looked for.
pub fn version(text: &str) -> Result<(), ValidationError> {
    words(text, template::MAX_VERSION)
}

/// A context.
pub fn object(context: &Json) -> Result<(), ValidationError> {
    an_object(context, "a context is an object")
}

/// What goes with a task beside its context.
pub fn headers(given: &Json) -> Result<(), ValidationError> {
    an_object(given, "headers are an object")
}

fn an_object(json: &Json, what: &str) -> Result<(), ValidationError> {
    if json.is_object() {
        return Ok(());
    }
    let start: String = json.as_str().chars().take(60).collect();
    Err(broken(Fault::new("", what).with("an object", start)))
}

/// Who asks, or why.
pub fn reason(text: &str) -> Result<(), ValidationError> {
    words(text, MAX_WORDS)
}

fn words(text: &str, most: usize) -> Result<(), ValidationError> {
    let length = text.chars().count();
    if !(1..=most).contains(&length) {
        let expected = format!("1 to {most} characters");
        return Err(broken(Fault::new("", format!("has {expected}")).with(expected, length.to_string())));
    }
    // PostgreSQL takes no NUL in a text.
    if text.contains('\0') {
        return Err(broken(Fault::new("", "holds a NUL character").with("text without NUL", format!("{text:?}"))));
    }
    Ok(())
}

/// What is wrong with an item of a list as a whole.
fn of_item(checked: Result<(), ValidationError>) -> Result<(), ValidationErrors> {
    checked.map_err(|error| {
        let mut errors = ValidationErrors::new();
        errors.0.insert(Cow::Borrowed(ITSELF), validator::ValidationErrorsKind::Field(vec![error]));
        errors
    })
}

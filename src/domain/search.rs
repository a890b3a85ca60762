//! What tasks are found by: the terms that are copied out of them into an indexed place.
//!
//! * Of the paths into contexts that a template declares searchable: `context.customer.id` with the
//!   canonical text of the value there, a string, a number, true, false or null. A longer text than
//!   [`MAX_VALUE`] bytes stands as its SHA-256, so that a value of any length can be searched for.
//! * Of tags and of the types of annotations: `tag` and `annotation`, with the word itself.

use serde_json::{Map, Value};

use super::canonical::canonical;
use super::fault::{Fault, Faults, hint};
use super::identity::sha256;

/// The most paths that a template may declare.
pub const MAX_PATHS: usize = 32;
/// The longest path, in bytes.
pub const MAX_PATH: usize = 256;
/// The longest canonical text of a value that is kept as it is, in bytes.
pub const MAX_VALUE: usize = 512;
/// What the names of terms of contexts begin with.
const CONTEXT: &str = "context.";

/// One thing to find a task by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// What kind of thing it is.
    pub name: String,
    /// Which one.
    pub value: String,
}

impl Term {
    /// A tag.
    pub fn tag(tag: &str) -> Self {
        Self { name: "tag".into(), value: tag.into() }
    }

    /// An annotation of this type.
    pub fn annotation(kind: &str) -> Self {
        Self { name: "annotation".into(), value: kind.into() }
    }

    /// A value at a path of a context; `None` when it is a list or an object.
    pub fn of_context(path: &str, value: &Value) -> Option<Self> {
        if value.is_array() || value.is_object() {
            return None;
        }
        let text = canonical(value);
        // No canonical text looks like this: it would be neither a string nor a number nor a word.
        let value = if text.len() > MAX_VALUE { format!("sha256:{}", sha256(&text)) } else { text };
        Some(Self { name: format!("{CONTEXT}{path}"), value })
    }

    /// The path into a context that it is found at.
    pub fn path(&self) -> Option<&str> {
        self.name.strip_prefix(CONTEXT)
    }
}

/// Checks the paths that a template declares.
pub fn check_paths(paths: &[String], faults: &mut Vec<Fault>) {
    if paths.len() > MAX_PATHS {
        let expected = format!("at most {MAX_PATHS} paths");
        faults.push(Fault::new("search", format!("has {expected}")).with(expected, paths.len().to_string()));
    }
    for (index, path) in paths.iter().enumerate() {
        let here = format!("search[{index}]");
        let wrong = if !(1..=MAX_PATH).contains(&path.len()) {
            Some(format!("a path has 1 to {MAX_PATH} bytes"))
        } else if path.split('.').any(str::is_empty) {
            Some(format!("{path:?} has a key without a name: a path is keys with a dot between them"))
        } else if path.contains(['[', ']']) {
            Some(format!("{path:?} leads into a list: only values under keys can be searched for"))
        } else if path.chars().any(char::is_control) {
            Some(format!("{path:?} holds a control character"))
        } else if paths[..index].contains(path) {
            Some(format!("{path:?} stands there twice"))
        } else {
            None
        };
        faults
            .extend(wrong.map(|why| Fault::new(here, why).with("a path such as \"customer.id\"", format!("{path:?}"))));
    }
}

/// The terms of a context that stands at `root`, of these paths. A path that leads nowhere has none.
///
/// # Errors
/// A fault for every path that leads to a list or an object.
pub fn terms(paths: &[String], context: &Value, root: &str) -> Result<Vec<Term>, Faults> {
    let mut terms = Vec::new();
    let mut faults = Vec::new();
    for path in paths {
        let found = path.split('.').try_fold(context, |value, key| value.get(key));
        let Some(value) = found else { continue };
        match Term::of_context(path, value) {
            Some(term) => terms.push(term),
            None => faults.push(no_scalar(&format!("{root}.{path}"), value)),
        }
    }
    Faults::check(faults).map(|()| terms)
}

/// The terms that a search asks for: its keys are paths as they are declared, or objects in one another.
///
/// # Errors
/// A fault for every value that can't be searched for, at its place below `root`.
pub fn sought(context: &Map<String, Value>, root: &str) -> Result<Vec<Term>, Faults> {
    let mut terms = Vec::new();
    let mut faults = Vec::new();
    gather(context, "", root, &mut terms, &mut faults);
    Faults::check(faults).map(|()| terms)
}

fn gather(object: &Map<String, Value>, above: &str, root: &str, terms: &mut Vec<Term>, faults: &mut Vec<Fault>) {
    for (key, value) in object {
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match (value, Term::of_context(&path, value)) {
            (Value::Object(inner), _) if !inner.is_empty() => gather(inner, &path, root, terms, faults),
            (_, Some(term)) => terms.push(term),
            (_, None) => faults.push(no_scalar(&format!("{root}.{path}"), value)),
        }
    }
}

/// Checks that each term of a context has one of the `declared` paths.
///
/// # Errors
/// A fault for each that has not, with the nearest one.
pub fn check_declared(terms: &[Term], declared: &[String]) -> Result<(), Faults> {
    let paths = terms.iter().filter_map(Term::path);
    let unknown = paths.filter(|path| !declared.iter().any(|known| known == path));
    Faults::check(unknown.map(|path| undeclared(path, declared)).collect())
}

fn undeclared(path: &str, declared: &[String]) -> Fault {
    let hint = hint(path, declared.iter().map(String::as_str));
    let expected = match declared {
        [] => "a path under the key search of a template".to_owned(),
        declared => declared.join(", "),
    };
    let message = format!("no template declares {path:?} searchable{hint}");
    Fault::new(format!("context.{path}"), message).with(expected, format!("{path:?}"))
}

fn no_scalar(path: &str, value: &Value) -> Fault {
    let got = if value.is_array() { "a list" } else { "an object" };
    let expected = "a string, a number, true, false or null";
    Fault::new(path, format!("is searched for, and so is {expected}, not {got}")).with(expected, got)
}

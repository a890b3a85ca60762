//! JSON Schema (draft 2020-12 unless the schema says otherwise) of what comes in and of what comes
//! back. [`defaults`] says which defaults are filled in.

mod defaults;

use std::sync::Arc;

use serde_json::Value;

pub use defaults::Bounds;

use super::fault::{Fault, Faults, MOST_FAULTS};
use super::json::Json;
use defaults::Defaults;

/// The longest message of a fault, in bytes: it quotes the value, which may be as long as it likes.
const MAX_MESSAGE: usize = 500;

/// A compiled schema.
#[derive(Clone)]
pub struct Schema {
    source: Json,
    validator: Arc<jsonschema::Validator>,
    defaults: Option<Arc<Defaults>>,
}

/// A value that a schema lets pass: as text, and as a tree for whoever looks into it next.
#[derive(Debug)]
pub struct Admitted {
    /// The text; byte for byte the one that was given, unless a default was filled in.
    pub json: Json,
    /// The same as a tree.
    pub tree: Value,
}

impl Schema {
    /// Compiles `source`.
    ///
    /// # Errors
    /// A fault at `path` when it is no valid schema.
    pub fn compile(source: &Json, path: &str) -> Result<Self, Fault> {
        let refused = |why: String| Fault::new(path, format!("is not a valid JSON Schema: {why}"));
        let tree = source.tree().map_err(|error| refused(error.to_string()))?;
        if !tree.is_object() {
            return Err(refused("a schema is an object".into()).with("an object", source.as_str()));
        }
        let validator = jsonschema::validator_for(&tree).map_err(|error| refused(error.to_string()))?;
        let defaults = Defaults::of(tree).map(Arc::new);
        Ok(Self { source: source.clone(), validator: Arc::new(validator), defaults })
    }

    /// The schema as it was given.
    pub fn source(&self) -> &Json {
        &self.source
    }

    /// Fills in the defaults that `value`, which stands at `path`, leaves out, and checks it then.
    ///
    /// # Errors
    /// What in it breaks the schema, up to [`MOST_FAULTS`], each with its dotted path; defaults that would make it
    /// deeper or larger than `bounds`.
    pub fn admit(&self, value: Json, path: &str, bounds: Bounds) -> Result<Admitted, Faults> {
        let mut tree = read(&value, path)?;
        let filled = match &self.defaults {
            Some(defaults) => defaults.fill(&mut tree, value.as_str().len(), path, bounds)?,
            None => false,
        };
        self.judge(&tree, path)?;
        let json = if filled { Json::of(&tree).map_err(|error| Fault::new(path, error.to_string()))? } else { value };
        Ok(Admitted { json, tree })
    }

    /// Checks `value`, which stands at `path`, as it is.
    ///
    /// # Errors
    /// What in it breaks the schema, up to [`MOST_FAULTS`], each with its dotted path.
    pub fn check(&self, value: &Json, path: &str) -> Result<(), Faults> {
        self.judge(&read(value, path)?, path)
    }

    fn judge(&self, tree: &Value, path: &str) -> Result<(), Faults> {
        let errors = self.validator.iter_errors(tree).take(MOST_FAULTS + 1);
        let faults = errors.map(|error| fault(path, &error));
        Faults::check(faults.collect()).map_err(|faults| faults.at_most(MOST_FAULTS, false))
    }
}

/// What the validator says. It quotes the value, which is left out where it is a whole Array or object, or long.
fn fault(root: &str, error: &jsonschema::ValidationError<'_>) -> Fault {
    let mut masked = error.masked().to_string();
    if masked.len() > MAX_MESSAGE {
        masked.truncate(masked.floor_char_boundary(MAX_MESSAGE));
        masked.push('…');
    }
    let path = dotted(root, error.instance_path().as_str());
    let whole = Some(error.to_string()).filter(|whole| whole.len() <= MAX_MESSAGE && *whole != masked);
    match whole {
        Some(whole) if !matches!(error.instance().as_ref(), Value::Array(_) | Value::Object(_)) => {
            Fault { discreet: Some(masked), ..Fault::new(path, whole) }
        }
        _ => Fault::new(path, masked),
    }
}

fn read(value: &Json, path: &str) -> Result<Value, Fault> {
    value.tree().map_err(|error| Fault::new(path, format!("is not JSON: {error}")))
}

/// A JSON pointer (`/items/3/price`) below `root` as a dotted path (`context.items[3].price`).
fn dotted(root: &str, pointer: &str) -> String {
    let mut path = root.to_owned();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            path.push_str(&format!("[{part}]"));
        } else {
            path.push('.');
            path.push_str(&part);
        }
    }
    path
}

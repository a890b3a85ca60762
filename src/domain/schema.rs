//! JSON Schema (draft 2020-12 unless the schema says otherwise) of what comes in.

use std::sync::Arc;

use super::fault::{Fault, Faults};
use super::json::Json;

/// A compiled schema.
#[derive(Clone)]
pub struct Schema {
    source: Json,
    validator: Arc<jsonschema::Validator>,
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
        Ok(Self { source: source.clone(), validator: Arc::new(validator) })
    }

    /// The schema as it was given.
    pub fn source(&self) -> &Json {
        &self.source
    }

    /// Checks `value`, which stands at `path`.
    ///
    /// # Errors
    /// Everything in it that breaks the schema, each with its dotted path.
    pub fn check(&self, value: &Json, path: &str) -> Result<(), Faults> {
        let tree = value.tree().map_err(|error| Fault::new(path, format!("is not JSON: {error}")))?;
        let faults = self
            .validator
            .iter_errors(&tree)
            .map(|error| Fault::new(dotted(path, error.instance_path().as_str()), error.to_string()))
            .collect();
        Faults::check(faults)
    }
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

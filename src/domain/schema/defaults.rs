//! The defaults of a schema, filled into a value before it is checked.
//!
//! * A key of `properties` that an object lacks gets its schema's `default`; one that is there keeps
//!   its value, `null` among them.
//! * So do objects further down: in the values of `properties`, `items`, `prefixItems` and
//!   `additionalProperties` (where there are no `patternProperties` beside it), and in a default that
//!   was filled in. What is missing is made only by a `default`: a key whose schema has none stays
//!   missing, whatever defaults are inside of it, and a list never grows.
//! * Schemas under `allOf` count as part of the one they stand in, and so does what a `$ref` to `#` or
//!   `#/…` leads to. Where several name a default for the same key, the first one wins: the schema's
//!   own, then its `$ref`'s, then those of `allOf` in their order.
//! * Nothing is taken from `anyOf`, `oneOf`, `if`, `then`, `else`, `not`, `dependentSchemas` and the
//!   rest: whether these hold is known only when the value is checked. A `default` of the whole
//!   value is not used.

use serde_json::{Map, Value};

use super::super::fault::Fault;

/// How deep and how large a value may be with its defaults.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Levels of objects and lists in one another.
    pub depth: usize,
    /// Bytes of JSON.
    pub bytes: usize,
}

/// A schema that has a default somewhere.
pub(super) struct Defaults(Value);

impl Defaults {
    /// The defaults of `schema`, if it has any.
    pub(super) fn of(schema: Value) -> Option<Self> {
        has_default(&schema).then_some(Self(schema))
    }

    /// Fills them into `value`, which stands at `path` and has `size` bytes; whether any were missing.
    pub(super) fn fill(&self, value: &mut Value, size: usize, path: &str, bounds: Bounds) -> Result<bool, Fault> {
        let mut filling = Filling { root: &self.0, bounds, size, filled: false, path };
        filling.fill(&[&self.0], value, 1)?;
        Ok(filling.filled)
    }
}

/// Whether the key occurs anywhere; in a place that means nothing it costs a look and no more.
fn has_default(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key("default") || map.values().any(has_default),
        Value::Array(items) => items.iter().any(has_default),
        _ => false,
    }
}

struct Filling<'s> {
    root: &'s Value,
    bounds: Bounds,
    size: usize,
    filled: bool,
    path: &'s str,
}

impl<'s> Filling<'s> {
    /// Fills in what `value` lacks of what all of these schemas say of it.
    fn fill(&mut self, schemas: &[&'s Value], value: &mut Value, level: usize) -> Result<(), Fault> {
        let schemas = self.effective(schemas);
        match value {
            Value::Object(object) => {
                for schema in &schemas {
                    self.supply(schema, object, level)?;
                }
                for (key, inner) in object {
                    let of_key: Vec<_> = schemas.iter().filter_map(|schema| of_property(schema, key)).collect();
                    self.descend(&of_key, inner, level)?;
                }
                Ok(())
            }
            Value::Array(items) => {
                for (index, inner) in items.iter_mut().enumerate() {
                    let of_item: Vec<_> = schemas.iter().filter_map(|schema| of_item(schema, index)).collect();
                    self.descend(&of_item, inner, level)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn descend(&mut self, schemas: &[&'s Value], value: &mut Value, level: usize) -> Result<(), Fault> {
        if schemas.is_empty() || !(value.is_object() || value.is_array()) {
            return Ok(());
        }
        self.fill(schemas, value, level + 1)
    }

    /// Adds the keys that the object lacks and this one schema has a default for.
    fn supply(&mut self, schema: &'s Value, object: &mut Map<String, Value>, level: usize) -> Result<(), Fault> {
        let Some(Value::Object(properties)) = schema.get("properties") else { return Ok(()) };
        for (key, property) in properties {
            if object.contains_key(key) {
                continue;
            }
            let found = self.effective(&[property]).into_iter().find_map(|schema| schema.get("default"));
            if let Some(default) = found {
                self.make_room(key, default, level)?;
                object.insert(key.clone(), default.clone());
            }
        }
        Ok(())
    }

    /// Refuses what would make the value too deep or too large: a schema that refers to itself may
    /// have defaults without end.
    fn make_room(&mut self, key: &str, default: &Value, level: usize) -> Result<(), Fault> {
        self.filled = true;
        // The key's quotes, a colon and a comma.
        self.size = self.size.saturating_add(key.len() + 4 + default.to_string().len());
        if level + depth(default) > self.bounds.depth {
            let most = format!("at most {} levels", self.bounds.depth);
            let message = format!("the defaults of its schema nest it deeper than {} levels", self.bounds.depth);
            return Err(Fault::new(self.path, message).with(most, "more"));
        }
        if self.size > self.bounds.bytes {
            let most = format!("at most {} bytes", self.bounds.bytes);
            let message = format!("the defaults of its schema make it larger than {} bytes", self.bounds.bytes);
            return Err(Fault::new(self.path, message).with(most, "more"));
        }
        Ok(())
    }

    /// These schemas with what they refer to and what stands in their `allOf`, each once.
    fn effective(&self, schemas: &[&'s Value]) -> Vec<&'s Value> {
        let mut found: Vec<&'s Value> = Vec::new();
        let mut waiting: Vec<&'s Value> = schemas.iter().rev().copied().collect();
        while let Some(schema) = waiting.pop() {
            if found.iter().any(|known| std::ptr::eq(*known, schema)) {
                continue;
            }
            found.push(schema);
            if let Some(Value::Array(all)) = schema.get("allOf") {
                waiting.extend(all.iter().rev());
            }
            waiting.extend(schema.get("$ref").and_then(Value::as_str).and_then(|target| self.resolve(target)));
        }
        found
    }

    fn resolve(&self, target: &str) -> Option<&'s Value> {
        self.root.pointer(target.strip_prefix('#')?)
    }
}

/// What `schema` says of the value of a key.
fn of_property<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    let named = schema.get("properties").and_then(|properties| properties.get(key));
    let other = || schema.get("additionalProperties").filter(|_| schema.get("patternProperties").is_none());
    named.or_else(other)
}

/// What `schema` says of an item. Before draft 2020-12 a list of `items` was what `prefixItems` is now.
fn of_item(schema: &Value, index: usize) -> Option<&Value> {
    match (schema.get("prefixItems").and_then(|prefix| prefix.get(index)), schema.get("items")) {
        (Some(own), _) => Some(own),
        (None, Some(Value::Array(items))) => items.get(index),
        (None, items) => items,
    }
}

/// Levels of objects and lists in one another.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

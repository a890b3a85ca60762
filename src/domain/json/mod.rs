//! Free JSON: contexts, results, configuration. Kept as text and given back byte for byte.

mod tree;

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

pub use tree::Tree;

/// The name under which [`Json`] asks a deserializer for text instead of a tree. An adapter's
/// deserializer answers it with `visit_string`: the value transcoded to JSON in one pass.
pub const FREE_JSON: &str = "$tasker_core::Json";

/// One JSON value as text. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Wraps text that is known to be one JSON value, such as what a store gave back.
    pub fn from_trusted(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Checks that `text` is one JSON value and wraps it.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&RawValue>(text).map(|raw| Self(raw.get().into()))
    }

    /// Any serialisable value as JSON.
    ///
    /// # Errors
    /// When `value` has no JSON form, such as a map with keys that are no strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(|text| Self(text.into()))
    }

    /// `null`.
    pub fn null() -> Self {
        Self("null".into())
    }

    /// `{}`.
    pub fn empty_object() -> Self {
        Self("{}".into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the value is an object.
    pub fn is_object(&self) -> bool {
        self.0.trim_start().starts_with('{')
    }

    /// The value as a tree, for a schema to look at.
    ///
    /// # Errors
    /// When the text is not JSON (only possible after [`Json::from_trusted`]).
    pub fn tree(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::from_str(&self.0).map(|Tree(tree)| tree)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Whoever makes a tree of raw text would take such an object for raw text itself.
        if self.0.contains(tree::RAW_TEXT) {
            return self.tree().map_err(serde::ser::Error::custom)?.serialize(serializer);
        }
        serde_json::from_str::<&RawValue>(&self.0).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(FREE_JSON, JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    /// An adapter that knows [`FREE_JSON`]: the text, already transcoded.
    fn visit_string<E: de::Error>(self, text: String) -> Result<Json, E> {
        Ok(Json(text.into()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json(text.into()))
    }

    /// Any other deserializer, serde_json's among them: through a tree.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        let Tree(tree) = Tree::deserialize(deserializer)?;
        Json::of(&tree).map_err(de::Error::custom)
    }
}

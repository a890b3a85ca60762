//! JSON as a tree, whatever its keys are called.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What serde_json calls raw text among its own.
pub(super) const RAW_TEXT: &str = "$serde_json::private::RawValue";

/// A tree of any JSON text. serde_json's own reader takes an object whose first key is called as it calls raw text among
/// its own for such text, and would give what stands in that instead of the object.
pub struct Tree(pub Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Self)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Tree(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Tree(value))) = pairs.next_entry::<String, _>()? {
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_what_the_text_says() {
        for text in [
            r#"{"$serde_json::private::RawValue":"{\"n\":1}"}"#,
            r#"{"a":[{"$serde_json::private::RawValue":null,"b":1.5}],"c":{"$serde_json::private::Number":"1"}}"#,
            r#"[null,true,-1,18446744073709551615,1e300,"\u0000",{},[]]"#,
        ] {
            let Tree(tree) = serde_json::from_str(text).expect("it is JSON");
            assert_eq!(tree.to_string(), text.replace("1e300", "1e+300"));
        }
        let json = crate::domain::json::Json::from_trusted(r#"[{"$serde_json::private::RawValue":null}]"#);
        assert_eq!(serde_json::to_value(&json).expect("a tree").to_string(), json.as_str());
        assert!(serde_json::from_str::<Tree>(&"[".repeat(1_000)).is_err());
    }
}

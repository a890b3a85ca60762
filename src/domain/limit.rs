//! How many attempts of a step may run at once, over all workers, for each value of a key.

use std::collections::HashMap;

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::canonical::canonical;
use super::fault::Fault;
use super::json::{Json, Tree};

/// The most that a limit may let run.
const MOST: i64 = 10_000;
/// The longest value that a key shows; of a longer one its digest.
const LONGEST: usize = 200;
/// What a key's path begins with.
const CONTEXT: &str = "context.";

/// A limit as a user writes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitInput {
    /// What each value of has a limit of its own. The step as a whole has one where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyInput>,
    /// How many attempts may run at once.
    pub running: i64,
}

/// Where the value of a key comes from, as a user writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyInput {
    /// `true`: the host has something that makes it.
    Host,
    /// A path into the task's context, such as `context.customer_id`.
    Path(String),
}

impl Serialize for KeyInput {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Host => serializer.serialize_bool(true),
            Self::Path(path) => serializer.serialize_str(path),
        }
    }
}

impl<'de> Deserialize<'de> for KeyInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = KeyInput;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a path into the task's context, such as \"context.customer_id\", or what makes a key")
            }

            fn visit_bool<E: de::Error>(self, host: bool) -> Result<KeyInput, E> {
                if host { Ok(KeyInput::Host) } else { Err(E::invalid_value(de::Unexpected::Bool(host), &self)) }
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<KeyInput, E> {
                Ok(KeyInput::Path(path.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A limit, valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    by: By,
    /// How many attempts may run at once.
    pub running: usize,
}

/// What counts together.
#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    /// All attempts at the step.
    Whole,
    /// Those whose tasks' contexts have the same value at the end of these names.
    Context(Vec<String>),
    /// Those of which the host makes the same value.
    Host,
}

/// The key of one limit and one value: what is counted. Attempts under keys that are equal count together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey(pub String);

impl Limit {
    /// Checks what a user wrote; `path` is where it stands.
    pub fn build(input: &LimitInput, path: &str, faults: &mut Vec<Fault>) -> Self {
        let running = usize::try_from(input.running).ok().filter(|n| (1..=MOST as usize).contains(n));
        if running.is_none() {
            let expected = format!("1 to {MOST}");
            let fault = Fault::new(format!("{path}.running"), format!("a limit lets {expected} attempts run at once"));
            faults.push(fault.with(expected, input.running.to_string()));
        }
        let by = match &input.key {
            None => By::Whole,
            Some(KeyInput::Host) => By::Host,
            Some(KeyInput::Path(key)) => {
                match key.strip_prefix(CONTEXT).map(|rest| rest.split('.').collect::<Vec<_>>()) {
                    Some(names) if names.iter().all(|name| !name.is_empty()) => {
                        By::Context(names.into_iter().map(str::to_owned).collect())
                    }
                    _ => {
                        let message =
                            "the key of a limit is a path into the task's context, such as \"context.customer_id\"";
                        let fault = Fault::new(format!("{path}.key"), message);
                        faults.push(fault.with("\"context.\" and a name", format!("{key:?}")));
                        By::Whole
                    }
                }
            }
        };
        Self { by, running: running.unwrap_or(1) }
    }

    /// Whether the host makes the value of its key.
    pub fn is_made_by_host(&self) -> bool {
        self.by == By::Host
    }

    /// The key of an attempt at the step called `step`, whose task has this context; `made` is what the host
    /// made of it. What isn't there counts as null.
    pub fn key(&self, step: &str, context: &Json, made: Option<&Json>) -> LimitKey {
        let text = match &self.by {
            By::Whole => return LimitKey(step.to_owned()),
            By::Context(path) => find(context.as_str(), path),
            By::Host => made.map(Json::as_str),
        };
        let value =
            text.and_then(|text| serde_json::from_str(text).ok()).map_or(serde_json::Value::Null, |Tree(tree)| tree);
        let text = canonical(&value);
        if text.len() <= LONGEST {
            return LimitKey(format!("{step} {text}"));
        }
        let digest: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        LimitKey(format!("{step} sha256:{digest}"))
    }
}

/// The text of the value at the end of a path. Only what is on the way is read.
fn find<'a>(text: &'a str, path: &[String]) -> Option<&'a str> {
    let Some((name, rest)) = path.split_first() else { return Some(text) };
    let fields: HashMap<String, &'a RawValue> = serde_json::from_str(text).ok()?;
    find(fields.get(name)?.get(), rest)
}

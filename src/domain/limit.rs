//! How many attempts of a step may run at once, over all workers, for each value of a key.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::canonical::canonical;
use super::fault::Fault;
use super::json::Json;

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
    /// What each value of has a limit of its own: a path into the task's context, such as
    /// `context.customer_id`. The step as a whole has one where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How many attempts may run at once.
    pub running: i64,
}

/// A limit, valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The names on the way into the context; the step as a whole where there are none.
    path: Vec<String>,
    /// How many attempts may run at once.
    pub running: usize,
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
        let names: Vec<String> = match &input.key {
            None => Vec::new(),
            Some(key) => match key.strip_prefix(CONTEXT).map(|rest| rest.split('.').collect::<Vec<_>>()) {
                Some(names) if names.iter().all(|name| !name.is_empty()) => {
                    names.into_iter().map(str::to_owned).collect()
                }
                _ => {
                    let message =
                        "the key of a limit is a path into the task's context, such as \"context.customer_id\"";
                    let fault = Fault::new(format!("{path}.key"), message);
                    faults.push(fault.with("\"context.\" and a name", format!("{key:?}")));
                    Vec::new()
                }
            },
        };
        Self { path: names, running: running.unwrap_or(1) }
    }

    /// The key of an attempt at the step called `step`, whose task has this context. What isn't there counts as null.
    pub fn key(&self, step: &str, context: &Json) -> LimitKey {
        if self.path.is_empty() {
            return LimitKey(step.to_owned());
        }
        let value = find(context.as_str(), &self.path).and_then(|text| serde_json::from_str(text).ok());
        let text = canonical(&value.unwrap_or(serde_json::Value::Null));
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

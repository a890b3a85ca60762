//! Typed inputs. serde's traits are the seam: one derive serves every adapter.

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::domain::fault::{Fault, Faults, hint};
use crate::domain::id::TaskId;
use crate::domain::json::Json;
use crate::domain::state::TaskState;
use crate::domain::time::Timestamp;
use crate::engine::intent::TaskIntent;
use crate::storage::rows::TaskFilter;

/// The name under which [`Moment`] asks a deserializer for microseconds since 1970 (`visit_i64`).
pub const MOMENT: &str = "$tasker_core::Moment";

/// A moment given by a user: a time object of the host, or RFC 3339 text.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MomentVisitor;
        impl<'de> Visitor<'de> for MomentVisitor {
            type Value = Moment;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time, or text such as \"2026-01-31T12:00:00Z\"")
            }

            fn visit_i64<E: de::Error>(self, microseconds: i64) -> Result<Moment, E> {
                Ok(Moment(Timestamp(microseconds)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
                let parsed = chrono::DateTime::parse_from_rfc3339(text);
                let parsed = parsed.map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?;
                Ok(Moment(Timestamp(parsed.timestamp_micros())))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Moment, D::Error> {
                deserializer.deserialize_str(self)
            }
        }
        deserializer.deserialize_newtype_struct(MOMENT, MomentVisitor)
    }
}

/// What to do when a key belongs to another task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// An error that names it.
    #[default]
    Raise,
    /// Give it back.
    Return,
}

/// `create_task`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTaskInput {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    context: Option<Json>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    on_duplicate: Option<OnDuplicate>,
    #[serde(default)]
    priority: Option<i64>,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default)]
    run_at: Option<Moment>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    initiator: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

/// `create_tasks`: as many tasks as there are contexts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTasksInput {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    version: Option<String>,
    contexts: Vec<Json>,
    #[serde(default)]
    keys: Option<Vec<Option<String>>>,
    #[serde(default)]
    on_duplicate: Option<OnDuplicate>,
    #[serde(default)]
    priority: Option<i64>,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default)]
    run_at: Option<Moment>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    initiator: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

/// The template that tasks are to run.
#[derive(Clone, Debug)]
pub struct WantedTemplate {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version; the highest where `None`.
    pub version: Option<String>,
}

fn wanted(namespace: Option<String>, name: String, version: Option<String>) -> WantedTemplate {
    let namespace = namespace.unwrap_or_else(|| crate::domain::template::DEFAULT_NAMESPACE.into());
    WantedTemplate { namespace, name, version }
}

impl CreateTaskInput {
    /// The template and what is asked of it.
    pub fn into_intent(self) -> (WantedTemplate, TaskIntent) {
        let intent = TaskIntent {
            context: self.context,
            key: self.key,
            return_existing: self.on_duplicate.unwrap_or_default() == OnDuplicate::Return,
            priority: self.priority,
            queue: self.queue,
            run_at: self.run_at.map(|moment| moment.0),
            tags: self.tags.unwrap_or_default(),
            initiator: self.initiator,
            reason: self.reason,
        };
        (wanted(self.namespace, self.name, self.version), intent)
    }
}

impl CreateTasksInput {
    /// The template and what is asked of it, once for each context.
    ///
    /// # Errors
    /// When there are keys, but not as many as contexts.
    pub fn into_intents(self) -> Result<(WantedTemplate, Vec<TaskIntent>), Faults> {
        let keys = self.keys.unwrap_or_else(|| vec![None; self.contexts.len()]);
        if keys.len() != self.contexts.len() {
            let (contexts, keys) = (self.contexts.len(), keys.len());
            let fault = Fault::new("keys", format!("there are {keys} keys for {contexts} contexts; give one for each"));
            return Err(fault.with(contexts.to_string(), keys.to_string()).into());
        }
        let common = TaskIntent {
            return_existing: self.on_duplicate.unwrap_or_default() == OnDuplicate::Return,
            priority: self.priority,
            queue: self.queue,
            run_at: self.run_at.map(|moment| moment.0),
            tags: self.tags.unwrap_or_default(),
            initiator: self.initiator,
            reason: self.reason,
            ..TaskIntent::default()
        };
        let intents = self.contexts.into_iter().zip(keys);
        let intents = intents.map(|(context, key)| TaskIntent { context: Some(context), key, ..common.clone() });
        Ok((wanted(self.namespace, self.name, self.version), intents.collect()))
    }
}

/// `tasks` and `count`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListTasksInput {
    #[serde(default, deserialize_with = "crate::domain::template::one_or_many")]
    status: Vec<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    tag: Option<String>,
    /// The id of the last task of the page before this one.
    #[serde(default)]
    pub before: Option<String>,
    /// The size of a page, 1 to 1000; 100 when left out.
    #[serde(default)]
    pub limit: Option<i64>,
}

impl ListTasksInput {
    /// The filter.
    ///
    /// # Errors
    /// When a status does not exist.
    pub fn filter(&self) -> Result<TaskFilter, Faults> {
        let mut faults = Vec::new();
        let mut states = Vec::new();
        for name in &self.status {
            match TaskState::parse(name) {
                Some(state) => states.push(state),
                None => {
                    let names = TaskState::ALL.iter().map(|state| state.as_str());
                    faults.push(Fault::new("status", format!("a task has no status {name:?}{}", hint(name, names))));
                }
            }
        }
        Faults::check(faults)?;
        Ok(TaskFilter {
            states,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            key: self.key.clone(),
            tag: self.tag.clone(),
        })
    }

    /// The size of the page.
    ///
    /// # Errors
    /// When it is not 1 to 1000.
    pub fn page(&self) -> Result<usize, Faults> {
        let limit = self.limit.unwrap_or(100);
        let fits = usize::try_from(limit).ok().filter(|n| (1..=1_000).contains(n));
        fits.ok_or_else(|| Fault::new("limit", "is 1 to 1000").with("1 to 1000", limit.to_string()).into())
    }
}

/// A task's id given as text.
///
/// # Errors
/// When it is none.
pub fn parse_task_id(text: &str) -> Result<TaskId, Faults> {
    text.parse().map_err(|_| {
        let message = format!("{text:?} is not a task's id");
        Fault::new("id", message)
            .with("a UUID such as 0190a6e2-7c1b-7000-8000-000000000000", format!("{text:?}"))
            .into()
    })
}

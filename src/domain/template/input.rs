//! A template as a user writes it, through whichever door: the same keys in every form.

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

use crate::domain::fan_out::EachInput;
use crate::domain::identity::Identity;
use crate::domain::json::Json;
use crate::domain::limit::LimitInput;
use crate::domain::retry::BackoffKind;

/// A template as a user writes it. The same keys in every form.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateInput {
    /// The template's name in its namespace.
    pub name: String,
    /// Its namespace; `default` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its semantic version; `1.0.0` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A JSON Schema for the context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    /// How a task gets its key where its creator gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Dotted paths into the context that tasks can be searched by.
    #[serde(default, deserialize_with = "one_path_or_many", skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// What every step has unless it says otherwise.
    #[serde(default, skip_serializing_if = "StepOptions::is_empty")]
    pub defaults: StepOptions,
    /// The steps, in the order in which they are listed to people.
    pub steps: Vec<StepInput>,
}

/// One step as a user writes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepInput {
    /// Its name in the template.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The name by which the host language finds the handler; none for one that has no name.
    #[serde(default)]
    pub handler: Option<String>,
    /// The names of the steps it needs: one, or a list.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Whether a failure may be tried again; `false` is one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// How many attempts it has, the first included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_limit: Option<i64>,
    /// The delay between attempts: a kind, or a kind with figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<BackoffInput>,
    /// How long one attempt may take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Whether the handler is interrupted when its result cannot be recorded any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupt: Option<bool>,
    /// The queue whose workers run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Higher goes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Free values for the handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Json>,
    /// A JSON Schema for the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// How many attempts of it may run at once, over all workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitInput>,
    /// What its final failure means to its children.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// The names of the steps that need it and among which its handler chooses: one, or a list.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<String>,
    /// The list for each of whose items it is done: `true` where the host makes it, or the name of a
    /// parent, or a path into a parent's result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<EachInput>,
}

/// What `defaults` may set for every step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepOptions {
    /// See [`StepInput::retryable`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// See [`StepInput::retry_limit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_limit: Option<i64>,
    /// See [`StepInput::backoff`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<BackoffInput>,
    /// See [`StepInput::timeout`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// See [`StepInput::interrupt`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupt: Option<bool>,
    /// The template's queue: a task's own wins over it, and a step's over that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The template's priority: a task's own wins over it, and a step's over that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// See [`StepInput::config`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Json>,
    /// See [`StepInput::limit`]: of each step on its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitInput>,
    /// See [`StepInput::on_failure`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

impl StepOptions {
    fn is_empty(&self) -> bool {
        self.retryable.is_none()
            && self.retry_limit.is_none()
            && self.backoff.is_none()
            && self.timeout.is_none()
            && self.interrupt.is_none()
            && self.queue.is_none()
            && self.priority.is_none()
            && self.config.is_none()
            && self.limit.is_none()
            && self.on_failure.is_none()
    }
}

/// What the final failure of a step means to the steps that need it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// They never run, and the task ends in error.
    #[default]
    Fail,
    /// The step counts as skipped: they see a null result and go on.
    Skip,
}

/// A backoff as a user writes it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackoffFigures {
    /// none, linear or exponential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<BackoffKind>,
    /// The first delay, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<f64>,
    /// The longest delay, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<f64>,
    /// How far chance may move a delay, as a share of it, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<f64>,
}

/// A kind alone, or a kind with its figures.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct BackoffInput(pub BackoffFigures);

impl<'de> Deserialize<'de> for BackoffInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = BackoffInput;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("none, linear, exponential, or an object with kind, base, cap and jitter")
            }

            fn visit_str<E: de::Error>(self, kind: &str) -> Result<BackoffInput, E> {
                let kind = BackoffKind::deserialize(de::value::StrDeserializer::<E>::new(kind))?;
                Ok(BackoffInput(BackoffFigures { kind: Some(kind), ..Default::default() }))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<BackoffInput, A::Error> {
                BackoffFigures::deserialize(de::value::MapAccessDeserializer::new(map)).map(BackoffInput)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A name alone, or a list of names.
pub(crate) fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_any(OneOrMany("a step's name or a list of them"))
}

/// A path alone, or a list of paths.
fn one_path_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_any(OneOrMany("a path such as \"customer.id\" or a list of them"))
}

/// What is expected.
struct OneOrMany(&'static str);

impl<'de> de::Visitor<'de> for OneOrMany {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Vec<String>, E> {
        Ok(vec![word.to_owned()])
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<String>, E> {
        Ok(Vec::new())
    }

    fn visit_none<E: de::Error>(self) -> Result<Vec<String>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<Vec<String>, A::Error> {
        Vec::deserialize(de::value::SeqAccessDeserializer::new(seq))
    }
}

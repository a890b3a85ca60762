//! What is asked of annotations, and how they look.

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;
use validator::Validate;

use super::moment::Moment;
use super::rules;
use super::views::json_bytes;
use crate::domain::fault::{Fault, Faults};
use crate::domain::id::TaskId;
use crate::domain::json::Json;
use crate::ffi::shared::reading::Input;
use crate::ffi::shared::validation;
use crate::storage::rows::{AnnotationRow, NewAnnotation};

/// `annotate`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct AnnotateInput {
    #[serde(rename = "type")]
    #[validate(custom(function = "rules::name"))]
    kind: String,
    value: Json,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    by: Option<String>,
}

/// `annotations`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct AnnotationsInput {
    /// Of this type only.
    #[serde(default, rename = "type")]
    #[validate(custom(function = "rules::name"))]
    kind: Option<String>,
}

/// Checks the rules; the word `type` has another meaning in Rust.
fn check(input: &(impl Validate + serde::de::DeserializeOwned)) -> Result<(), Faults> {
    let told = |fault: &Fault| Fault { path: fault.path.replace("kind", "type"), ..fault.clone() };
    validation::check(input).or_else(|faults| Faults::check(faults.all().iter().map(told).collect()))
}

impl Input for AnnotateInput {
    fn check(&self) -> Result<(), Faults> {
        check(self)
    }
}

impl AnnotateInput {
    /// The annotation of a task.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_annotation(self, task: TaskId) -> Result<NewAnnotation, Faults> {
        self.check()?;
        Ok(NewAnnotation { id: Uuid::now_v7(), task, kind: self.kind, value: self.value, by: self.by })
    }
}

impl Input for AnnotationsInput {
    fn check(&self) -> Result<(), Faults> {
        check(self)
    }
}

impl AnnotationsInput {
    /// The type that is asked for.
    ///
    /// # Errors
    /// When it breaks its rule.
    pub fn into_kind(self) -> Result<Option<String>, Faults> {
        self.check()?;
        Ok(self.kind)
    }
}

/// A snapshot of a remark on a task.
#[derive(Clone, Debug)]
pub struct AnnotationView {
    /// The task.
    pub task: TaskId,
    /// What is stored.
    pub row: AnnotationRow,
}

impl AnnotationView {
    /// How many bytes of memory it owns outside of itself.
    pub fn heap_bytes(&self) -> usize {
        self.row.kind.capacity()
            + self.row.by.as_ref().map_or(0, String::capacity)
            + json_bytes([Some(&self.row.value)])
    }
}

#[derive(Serialize)]
struct AnnotationFields<'a> {
    task_id: TaskId,
    r#type: &'a str,
    value: &'a Json,
    by: Option<&'a str>,
    at: Moment,
}

impl Serialize for AnnotationView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let AnnotationRow { kind, value, by, at } = &self.row;
        let fields = AnnotationFields { task_id: self.task, r#type: kind, value, by: by.as_deref(), at: Moment(*at) };
        fields.serialize(serializer)
    }
}

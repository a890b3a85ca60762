//! What is asked of tasks and steps by hand: each with who asks, and why.

use serde::Deserialize;
use validator::Validate;

use super::{StepView, rules};
use crate::domain::fault::Faults;
use crate::domain::json::Json;
use crate::domain::operation::{StepOperation, TaskOperation};
use crate::domain::template::{MAX_PRIORITY, MIN_PRIORITY, one_or_many};
use crate::engine::transactions::operate::Note;
use crate::ffi::shared::reading::Input;
use crate::ffi::shared::validation;

/// An operation that takes nothing but who and why.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct NoteInput {
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    by: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    reason: Option<String>,
}

/// `update`: what is left out stays as it is.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct UpdateInput {
    #[serde(default)]
    #[validate(range(min = MIN_PRIORITY, max = MAX_PRIORITY))]
    priority: Option<i64>,
    #[serde(default)]
    #[validate(custom(function = "rules::name"))]
    queue: Option<String>,
    /// Whether the priority is to be the template's again.
    #[serde(default)]
    inherit_priority: bool,
    /// Whether the queue is to be the template's again.
    #[serde(default)]
    inherit_queue: bool,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    by: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    reason: Option<String>,
}

/// `resolve`: a step's result, null when left out.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct ResolveInput {
    #[serde(default)]
    result: Option<Json>,
    /// Of a decision, the branches that it is to have chosen.
    #[serde(default, deserialize_with = "one_or_many")]
    route: Vec<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    by: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    reason: Option<String>,
}

/// An operation on many tasks.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct BulkInput {
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    by: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    reason: Option<String>,
}

/// These inputs have the rules of their fields and no others.
macro_rules! inputs {
    ($($name:ident),+) => {
        $(impl Input for $name {
            fn check(&self) -> Result<(), Faults> {
                validation::check(self)
            }
        })+
    };
}

inputs!(NoteInput, UpdateInput, ResolveInput, BulkInput);

impl NoteInput {
    /// `operation` with who asks for it and why.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn asking<T>(self, operation: T) -> Result<(T, Note), Faults> {
        self.check()?;
        Ok((operation, Note { by: self.by, reason: self.reason }))
    }
}

impl UpdateInput {
    /// The operation, with who asks for it and why.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_asked(self) -> Result<(TaskOperation, Note), Faults> {
        self.check()?;
        let priority = self.priority.and_then(|priority| i16::try_from(priority).ok());
        let operation = TaskOperation::Update {
            priority: priority.map(Some).or(self.inherit_priority.then_some(None)),
            queue: self.queue.map(Some).or(self.inherit_queue.then_some(None)),
        };
        Ok((operation, Note { by: self.by, reason: self.reason }))
    }
}

impl ResolveInput {
    /// The operation, with who asks for it and why.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_asked(self, step: &StepView) -> Result<(StepOperation, Note), Faults> {
        self.check()?;
        let result = self.result.unwrap_or_else(Json::null);
        let branch = |name: &String| step.task.template().branch(step.row.index, name);
        let mut route = self.route.iter().map(branch).collect::<Result<Vec<_>, _>>()?;
        route.sort_unstable();
        route.dedup();
        let operation = match route.is_empty() {
            true => StepOperation::Resolve(result),
            false => StepOperation::Decide(result, route),
        };
        Ok((operation, Note { by: self.by, reason: self.reason }))
    }
}

impl BulkInput {
    /// Who asks for it and why, and whether it is a dry run.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_asked(self) -> Result<(Note, bool), Faults> {
        self.check()?;
        Ok((Note { by: self.by, reason: self.reason }, self.dry_run))
    }
}

//! What is asked of a database as a whole.

use serde::Deserialize;
use validator::Validate;

use super::moment::Moment;
use super::rules;
use crate::domain::fault::Faults;
use crate::domain::time::Timestamp;
use crate::engine::retention::Span;
use crate::ffi::shared::reading::Input;
use crate::ffi::shared::validation;
use crate::storage::rows::QueuePause;

/// The most tasks that one transaction of a purge deletes when nothing else was said.
const BATCH: usize = 1_000;

/// `purge`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct PurgeInput {
    finished_before: Moment,
    /// The most tasks that one transaction deletes; 1,000 when left out.
    #[serde(default)]
    #[validate(range(min = 1, max = 10_000))]
    batch: Option<i64>,
    /// Where an earlier call says to go on, in microseconds since 1970.
    #[serde(default)]
    from: Option<i64>,
}

impl Input for PurgeInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl PurgeInput {
    /// What is to be purged, and how many tasks in one transaction.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_span(self) -> Result<(Span, usize), Faults> {
        self.check()?;
        let span = Span { from: self.from.map(Timestamp), before: self.finished_before.0 };
        Ok((span, self.batch.and_then(|batch| usize::try_from(batch).ok()).unwrap_or(BATCH)))
    }
}

/// `pause_queue`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct PauseQueueInput {
    #[validate(custom(function = "rules::name"))]
    name: String,
    /// Of the templates of this namespace only.
    #[serde(default)]
    #[validate(custom(function = "rules::name"))]
    namespace: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    by: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    reason: Option<String>,
}

impl Input for PauseQueueInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl PauseQueueInput {
    /// The pause that is wanted; its time is not known yet.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_pause(self) -> Result<QueuePause, Faults> {
        self.check()?;
        let Self { name, namespace, by, reason } = self;
        Ok(QueuePause { queue: name, namespace, at: Timestamp(0), by, reason })
    }
}

/// `resume_queue`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct ResumeQueueInput {
    #[validate(custom(function = "rules::name"))]
    name: String,
    /// As it was said when the queue was paused.
    #[serde(default)]
    #[validate(custom(function = "rules::name"))]
    namespace: Option<String>,
}

impl Input for ResumeQueueInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl ResumeQueueInput {
    /// The queue, and the namespace for which it was paused.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_names(self) -> Result<(String, Option<String>), Faults> {
        self.check()?;
        Ok((self.name, self.namespace))
    }
}

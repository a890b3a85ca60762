//! What is asked of a database as a whole.

use serde::Deserialize;
use validator::Validate;

use super::moment::Moment;
use crate::domain::fault::Faults;
use crate::domain::time::Timestamp;
use crate::engine::retention::Span;
use crate::ffi::shared::reading::Input;
use crate::ffi::shared::validation;

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

//! What a handler's failure is reported with.

use serde::{Deserialize, Serialize};

use crate::domain::fault::Faults;
use crate::domain::json::Json;
use crate::domain::time::seconds;
use crate::engine::error::EngineError;
use crate::engine::transactions::verdict::Failure;
use crate::ffi::shared::reading::Input;

/// What went wrong with an attempt.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailInput {
    class: String,
    message: String,
    backtrace: Vec<String>,
    error_code: Option<String>,
    context: Option<Json>,
    permanent: bool,
    retry_after: Option<f64>,
}

/// The same as it is stored.
#[derive(Serialize)]
struct StoredError<'a> {
    class: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a Json>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    backtrace: &'a [String],
}

impl Input for FailInput {
    /// It has no rules beside its shape: whatever a handler did, its failure must be recorded.
    fn check(&self) -> Result<(), Faults> {
        Ok(())
    }
}

impl FailInput {
    /// The failure for the engine.
    ///
    /// # Errors
    /// [`EngineError::Internal`] when it has no JSON form.
    pub fn into_failure(self) -> Result<Failure, EngineError> {
        let stored = StoredError {
            class: &self.class,
            message: &self.message,
            error_code: self.error_code.as_deref(),
            context: self.context.as_ref(),
            backtrace: &self.backtrace,
        };
        let error = Json::of(&stored).map_err(|error| EngineError::internal(error.to_string()))?;
        Ok(Failure { error, permanent: self.permanent, retry_after: self.retry_after.and_then(seconds) })
    }
}

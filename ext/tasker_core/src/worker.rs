//! `TaskerCore::Native::Worker`: what Ruby's worker threads take steps from and report to.

use std::sync::Arc;
use std::time::Duration;

use magnus::prelude::*;
use magnus::{Error, RArray, RHash, RModule, Ruby, Value, method};
use serde::{Deserialize, Serialize};
use tasker_core::domain::json::Json;
use tasker_core::domain::time::seconds;
use tasker_core::engine::error::EngineError;
use tasker_core::engine::transactions::verdict::{Failure as StepFailure, Outcome};
use tasker_core::engine::worker::{Phase, Worker as CoreWorker};
use tasker_core::ffi::shared::call::Call as CoreCall;
use tasker_core::ffi::shared::errors::Segment;
use tasker_core::ffi::shared::process::Process;

use crate::assignment::Assignment;
use crate::call::Call;
use crate::convert::input::FromRHash;
use crate::convert::json_in::{MAX_RESULT, to_json};
use crate::convert::output::Record;
use crate::errors::{Failure, exception, guarded};
use crate::handle::timeout;

#[magnus::wrap(class = "TaskerCore::Native::Worker", free_immediately, size)]
pub struct Worker {
    core: Arc<CoreWorker>,
    process: &'static Process,
}

/// What went wrong with an attempt.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FailInput {
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

impl Worker {
    pub fn new(core: Arc<CoreWorker>) -> Result<Self, EngineError> {
        Ok(Self { core, process: Process::current()? })
    }

    fn take(ruby: &Ruby, this: &Self) -> Result<Option<Value>, Failure> {
        guarded(|| Ok(this.core.take().map(|ticket| ruby.obj_wrap(Assignment::new(ticket)).as_value())))
    }

    fn succeed(&self, number: u64, result: Value) -> Result<bool, Failure> {
        guarded(|| {
            let result = to_json(result, MAX_RESULT).map_err(|error| error.at(Segment::Key("result".into())))?;
            Ok(self.core.report(number, Outcome::Succeeded(result)))
        })
    }

    fn fail(&self, number: u64, failure: RHash) -> Result<bool, Failure> {
        guarded(|| {
            let input = FailInput::from_rhash(failure)?;
            let stored = StoredError {
                class: &input.class,
                message: &input.message,
                error_code: input.error_code.as_deref(),
                context: input.context.as_ref(),
                backtrace: &input.backtrace,
            };
            let error = Json::of(&stored).map_err(|error| EngineError::internal(error.to_string()))?;
            let retry_after = input.retry_after.and_then(seconds);
            let failed = StepFailure { error, permanent: input.permanent, retry_after };
            Ok(self.core.report(number, Outcome::Failed(failed)))
        })
    }

    fn release(&self, number: u64) -> Result<bool, Failure> {
        guarded(|| Ok(self.core.report(number, Outcome::Released)))
    }

    fn heartbeat(&self, number: u64) -> Result<bool, Failure> {
        guarded(|| Ok(self.core.heartbeat(number)))
    }

    fn is_overdue(&self, number: u64) -> Result<bool, Failure> {
        guarded(|| Ok(self.core.is_overdue(number)))
    }

    fn stop(&self, limit: f64) -> Result<Call, Failure> {
        guarded(|| {
            let limit = timeout(Some(limit))?.unwrap_or(Duration::ZERO);
            let core = self.core.clone();
            let stopped = async move {
                core.stop(limit).await;
                Ok(())
            };
            Ok(Call::unit(CoreCall::start(self.process.runtime(), stopped)))
        })
    }

    fn until_idle(&self, limit: Option<f64>) -> Result<Call, Failure> {
        guarded(|| {
            let limit = timeout(limit)?;
            let core = self.core.clone();
            let idle = CoreCall::start(self.process.runtime(), async move { core.until_idle(limit).await });
            Ok(Call::new(idle.mere_wait(), |ruby, idle| Ok(ruby.into_value(idle))))
        })
    }

    fn stats(ruby: &Ruby, this: &Self) -> Result<RHash, Failure> {
        guarded(|| {
            let stats = this.core.stats();
            let record = Record::new(ruby)
                .set("ran", stats.ran)?
                .set("failed", stats.failed)?
                .set("late", stats.late)?
                .set("queued", stats.queued)?
                .set("running", stats.running)?;
            Ok(record.frozen())
        })
    }

    fn phase(&self) -> &'static str {
        match self.core.phase() {
            Phase::Working => "working",
            Phase::Draining => "draining",
            Phase::Stopped => "stopped",
        }
    }

    fn is_stopped(&self) -> bool {
        self.core.phase() == Phase::Stopped
    }

    fn is_working(&self) -> bool {
        self.core.phase() == Phase::Working
    }

    /// What went wrong in the background, as exceptions.
    fn troubles(ruby: &Ruby, this: &Self) -> Result<RArray, Failure> {
        guarded(|| {
            let errors = ruby.ary_new();
            for trouble in this.core.troubles() {
                errors.push(exception(ruby, trouble.into())?)?;
            }
            Ok(errors)
        })
    }
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Worker", ruby.class_object())?;
    class.define_method("take", method!(Worker::take, 0))?;
    class.define_method("succeed", method!(Worker::succeed, 2))?;
    class.define_method("fail", method!(Worker::fail, 2))?;
    class.define_method("release", method!(Worker::release, 1))?;
    class.define_method("heartbeat", method!(Worker::heartbeat, 1))?;
    class.define_method("overdue?", method!(Worker::is_overdue, 1))?;
    class.define_method("stop", method!(Worker::stop, 1))?;
    class.define_method("until_idle", method!(Worker::until_idle, 1))?;
    class.define_method("stats", method!(Worker::stats, 0))?;
    class.define_method("phase", method!(Worker::phase, 0))?;
    class.define_method("stopped?", method!(Worker::is_stopped, 0))?;
    class.define_method("working?", method!(Worker::is_working, 0))?;
    class.define_method("troubles", method!(Worker::troubles, 0))
}

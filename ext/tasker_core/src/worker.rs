//! `TaskerCore::Native::Worker`: what Ruby's worker threads take steps from and report to.

use std::sync::Arc;
use std::time::Duration;

use magnus::prelude::*;
use magnus::{Error, RArray, RHash, RModule, Ruby, Value, method};
use tasker_core::domain::json::Json;
use tasker_core::engine::error::EngineError;
use tasker_core::engine::transactions::verdict::Outcome;
use tasker_core::engine::worker::{Breach, Phase, Prospect, Worker as CoreWorker};
use tasker_core::ffi::shared::call::Call as CoreCall;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::path::Segment;
use tasker_core::ffi::shared::process::Process;
use tasker_core::ffi::shared::types::{FailInput, WaitInput};

use crate::assignment::Assignment;
use crate::call::Call;
use crate::convert::input::FromRHash;
use crate::convert::json_in::to_json;
use crate::convert::output::Record;
use crate::errors::{Failure, exception, guarded};

#[magnus::wrap(class = "TaskerCore::Native::Worker", free_immediately, size)]
pub struct Worker {
    core: Arc<CoreWorker>,
    process: &'static Process,
    limits: Limits,
}

impl Worker {
    pub fn new(core: Arc<CoreWorker>, limits: Limits) -> Result<Self, EngineError> {
        Ok(Self { core, process: Process::current()?, limits })
    }

    fn take(ruby: &Ruby, this: &Self) -> Result<Option<Value>, Failure> {
        guarded(|| Ok(this.core.take().map(|ticket| ruby.obj_wrap(Assignment::new(ticket)).as_value())))
    }

    fn succeed(&self, assignment: &Assignment, result: Value) -> Result<bool, Failure> {
        guarded(|| {
            let result = to_json(result, self.limits.result, &self.limits);
            let result = result.map_err(|error| error.at(Segment::Key("result".into())))?;
            let outcome = assignment.returned(Json::from_trusted(result))?;
            Ok(self.core.report(assignment.number(), outcome))
        })
    }

    fn fail(&self, number: u64, failure: RHash) -> Result<bool, Failure> {
        guarded(|| {
            let failure = FailInput::from_rhash(failure, &self.limits)?.into_failure()?;
            Ok(self.core.report(number, Outcome::Failed(failure)))
        })
    }

    fn release(&self, number: u64) -> Result<bool, Failure> {
        guarded(|| Ok(self.core.report(number, Outcome::Released)))
    }

    /// The thread is back from an attempt that was taken from it; false when it was not.
    fn came_back(&self, number: u64) -> Result<bool, Failure> {
        guarded(|| Ok(self.core.came_back(number)))
    }

    /// The numbers of the attempts whose handlers are to be interrupted, each once.
    fn take_interrupts(&self) -> Result<Vec<u64>, Failure> {
        guarded(|| Ok(self.core.take_interrupts()))
    }

    fn heartbeat(&self, number: u64) -> Result<bool, Failure> {
        guarded(|| Ok(self.core.heartbeat(number)))
    }

    /// Saves a checkpoint; false when the step was taken from its handler.
    fn checkpoint(&self, assignment: &Assignment, value: Value) -> Result<Call, Failure> {
        guarded(|| {
            if self.process.pid() != std::process::id() {
                let message = "a checkpoint is set by the process that runs the step, not by a child that it forked";
                return Err(EngineError::Configuration(message.into()).into());
            }
            let value = to_json(value, self.limits.result, &self.limits);
            let value = Json::from_trusted(value.map_err(|error| error.at(Segment::Key("checkpoint".into())))?);
            let (core, number, slot) = (self.core.clone(), assignment.number(), assignment.slot());
            // Known here once it is saved, whether or not the thread still waits for that.
            let saved = async move {
                let saved = core.checkpoint(number, value.clone()).await?;
                if saved {
                    slot.set(value);
                }
                Ok(saved)
            };
            let saved = CoreCall::start(self.process.runtime(), saved);
            Ok(Call::new(saved, |ruby, saved| Ok(ruby.into_value(saved))))
        })
    }

    fn is_expired(&self, number: u64) -> Result<bool, Failure> {
        guarded(|| Ok(self.core.is_expired(number)))
    }

    fn is_taken_away(&self, number: u64) -> Result<bool, Failure> {
        guarded(|| Ok(self.core.is_taken_away(number)))
    }

    fn stop(&self, limit: f64) -> Result<Call, Failure> {
        guarded(|| {
            let limit = WaitInput::at_most(Some(limit)).into_limit()?.unwrap_or(Duration::ZERO);
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
            let limit = WaitInput::at_most(limit).into_limit()?;
            let core = self.core.clone();
            let idle = CoreCall::start(self.process.runtime(), async move { core.until_idle(limit).await });
            Ok(Call::new(idle.mere_wait(), |ruby, idle| Ok(ruby.into_value(idle))))
        })
    }

    /// Waits for a step to take: nil when there is one, else what waits for time.
    fn prospect(&self) -> Result<Call, Failure> {
        guarded(|| {
            let core = self.core.clone();
            let prospect = CoreCall::start(self.process.runtime(), async move { core.prospect().await });
            Ok(Call::new(prospect.mere_wait(), |ruby, prospect| match prospect {
                Prospect::Step => Ok(ruby.qnil().as_value()),
                Prospect::Standstill { next_due, retrying, parked } => {
                    let next_due = next_due.map(|span| span.as_secs_f64());
                    let record = Record::new(ruby).set("next_due", next_due)?.set("retrying", retrying)?;
                    Ok(record.set("parked", parked)?.frozen().as_value())
                }
            }))
        })
    }

    fn die(&self) -> Result<Call, Failure> {
        guarded(|| {
            let core = self.core.clone();
            Ok(Call::unit(CoreCall::start(self.process.runtime(), async move { core.die().await })))
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

    fn set_quiet(&self, quiet: bool) -> Result<(), Failure> {
        guarded(|| {
            self.core.set_quiet(quiet);
            Ok(())
        })
    }

    fn is_quiet(&self) -> bool {
        self.core.is_quiet()
    }

    fn is_stopped(&self) -> bool {
        self.core.phase() == Phase::Stopped
    }

    fn is_working(&self) -> bool {
        self.core.phase() == Phase::Working
    }

    /// What went wrong where no thread could be told: exceptions, each with the assignment whose result broke its output
    /// schema, or nil.
    fn troubles(ruby: &Ruby, this: &Self) -> Result<RArray, Failure> {
        guarded(|| {
            let errors = ruby.ary_new();
            for trouble in this.core.troubles() {
                errors.push((exception(ruby, trouble.into())?, ruby.qnil()))?;
            }
            for Breach { ticket, faults } in this.core.breaches() {
                errors.push((exception(ruby, faults.into())?, ruby.obj_wrap(Assignment::new(ticket))))?;
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
    class.define_method("came_back", method!(Worker::came_back, 1))?;
    class.define_method("take_interrupts", method!(Worker::take_interrupts, 0))?;
    class.define_method("heartbeat", method!(Worker::heartbeat, 1))?;
    class.define_method("checkpoint", method!(Worker::checkpoint, 2))?;
    class.define_method("expired?", method!(Worker::is_expired, 1))?;
    class.define_method("taken_away?", method!(Worker::is_taken_away, 1))?;
    class.define_method("stop", method!(Worker::stop, 1))?;
    class.define_method("until_idle", method!(Worker::until_idle, 1))?;
    class.define_method("prospect", method!(Worker::prospect, 0))?;
    class.define_method("die", method!(Worker::die, 0))?;
    class.define_method("stats", method!(Worker::stats, 0))?;
    class.define_method("phase", method!(Worker::phase, 0))?;
    class.define_method("quiet=", method!(Worker::set_quiet, 1))?;
    class.define_method("quiet?", method!(Worker::is_quiet, 0))?;
    class.define_method("stopped?", method!(Worker::is_stopped, 0))?;
    class.define_method("working?", method!(Worker::is_working, 0))?;
    class.define_method("troubles", method!(Worker::troubles, 0))
}

//! Operations by hand, as methods of `TaskerCore::Task`, `TaskerCore::Step` and the handle.

use magnus::prelude::*;
use magnus::{Error, RClass, RHash, Ruby, Value, method};
use tasker_core::domain::operation::{StepOperation, TaskOperation};
use tasker_core::engine::error::EngineError;
use tasker_core::engine::operating::Bulk;
use tasker_core::ffi::shared::types::{BulkInput, ListTasksInput, NoteInput, ResolveInput, UpdateInput};

use crate::call::Call;
use crate::convert::input::FromRHash;
use crate::convert::output::strings;
use crate::errors::{Failure, guarded};
use crate::handle::Handle;
use crate::step::Step;
use crate::task::Task;
use crate::transition;

/// The operation of this name, of those that take nothing but who and why.
fn plain_operation(name: &str) -> Result<TaskOperation, Failure> {
    match name {
        "cancel" => Ok(TaskOperation::Cancel),
        "pause" => Ok(TaskOperation::Pause),
        "resume" => Ok(TaskOperation::Resume),
        "retry" => Ok(TaskOperation::Retry),
        "resolve" => Ok(TaskOperation::Resolve),
        other => Err(EngineError::internal(format!("there is no operation {other:?}")).into()),
    }
}

impl Task {
    fn operate(&self, name: String, options: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let asked = NoteInput::from_rhash(options, self.handle().limits())?.asking(plain_operation(&name)?);
            Ok(Self::call(self.handle(), self.handle().operate(self.view().row.id, asked)))
        })
    }

    fn restart_from(&self, step: String, options: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let asked = NoteInput::from_rhash(options, self.handle().limits())?.asking(step);
            Ok(Self::call(self.handle(), self.handle().restart_from(self.view().row.id, asked)))
        })
    }

    fn update(&self, options: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let asked = UpdateInput::from_rhash(options, self.handle().limits())?.into_asked();
            Ok(Self::call(self.handle(), self.handle().operate(self.view().row.id, asked)))
        })
    }
}

impl Step {
    fn retry(&self, options: RHash) -> Result<Call, Failure> {
        guarded(|| {
            Ok(self.operate(NoteInput::from_rhash(options, self.handle().limits())?.asking(StepOperation::Retry)))
        })
    }

    fn skip(&self, options: RHash) -> Result<Call, Failure> {
        guarded(
            || Ok(self.operate(NoteInput::from_rhash(options, self.handle().limits())?.asking(StepOperation::Skip))),
        )
    }

    fn resolve(&self, options: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let asked = ResolveInput::from_rhash(options, self.handle().limits())?.into_asked(self.view());
            Ok(self.operate(asked))
        })
    }

    fn history(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Call::new(self.handle().step_history(self.view()), transition::objects)))
    }
}

impl Handle {
    /// An operation on every task that matches: `[ids of the changed, messages of the refused by id]`.
    fn operate_on_many(&self, name: String, filter: RHash, options: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let filter = ListTasksInput::from_rhash(filter, self.core().limits())?;
            let asked = BulkInput::from_rhash(options, self.core().limits())?;
            let done = self.core().operate_on_many(filter, plain_operation(&name)?, asked);
            Ok(Call::new(done, bulk))
        })
    }
}

fn bulk(ruby: &Ruby, done: Bulk) -> Result<Value, Failure> {
    let changed: Vec<String> = done.changed.iter().map(ToString::to_string).collect();
    let refused = ruby.hash_new();
    for refusal in &done.refused {
        refused.aset(refusal.task.to_string(), refusal.to_string())?;
    }
    refused.freeze();
    let both =
        ruby.ary_new_from_values(&[strings(ruby, changed.iter().map(String::as_str))?.as_value(), refused.as_value()]);
    Ok(both.as_value())
}

pub fn init_task(task: RClass) -> Result<(), Error> {
    task.define_private_method("native_operate", method!(Task::operate, 2))?;
    task.define_private_method("native_restart_from", method!(Task::restart_from, 2))?;
    task.define_private_method("native_update", method!(Task::update, 1))
}

pub fn init_step(step: RClass) -> Result<(), Error> {
    step.define_private_method("native_retry", method!(Step::retry, 1))?;
    step.define_private_method("native_skip", method!(Step::skip, 1))?;
    step.define_private_method("native_resolve", method!(Step::resolve, 1))?;
    step.define_private_method("native_history", method!(Step::history, 0))
}

pub fn init_handle(handle: RClass) -> Result<(), Error> {
    handle.define_method("operate_on_many", method!(Handle::operate_on_many, 3))
}

//! `TaskerCore::Step`: a snapshot of a step. A field is converted when it is read.

use magnus::prelude::*;
use magnus::{Error, RArray, RModule, Ruby, Value, method};
use tasker_core::ffi::shared::types::StepView;

use crate::convert::json_out::to_ruby_or_nil;
use crate::convert::output::{strings, time_or_nil};
use crate::errors::Failure;

#[magnus::wrap(class = "TaskerCore::Step", free_immediately, size, frozen_shareable)]
pub struct Step {
    view: StepView,
}

impl Step {
    /// The snapshot as a Ruby object.
    pub fn object(ruby: &Ruby, view: StepView) -> Value {
        let step = ruby.obj_wrap(Self { view });
        step.freeze();
        step.as_value()
    }

    fn id(&self) -> String {
        format!("{}/{}", self.view.task.row.id, self.view.name())
    }

    fn task_id(&self) -> String {
        self.view.task.row.id.to_string()
    }

    fn name(&self) -> &str {
        self.view.name()
    }

    fn status(&self) -> &str {
        self.view.row.state.as_str()
    }

    fn result(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        to_ruby_or_nil(ruby, this.view.row.result.as_ref())
    }

    fn attempts(&self) -> u16 {
        self.view.row.attempts
    }

    fn error(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        to_ruby_or_nil(ruby, this.view.row.error.as_ref())
    }

    fn depends_on(ruby: &Ruby, this: &Self) -> Result<RArray, Error> {
        strings(ruby, this.view.depends_on())
    }

    fn queue(&self) -> &str {
        self.view.queue()
    }

    fn priority(&self) -> i16 {
        self.view.priority()
    }

    fn config(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        to_ruby_or_nil(ruby, this.view.definition().map(|step| &step.config))
    }

    fn started_at(ruby: &Ruby, this: &Self) -> Result<Value, Error> {
        time_or_nil(ruby, this.view.row.started_at)
    }

    fn finished_at(ruby: &Ruby, this: &Self) -> Result<Value, Error> {
        time_or_nil(ruby, this.view.row.finished_at)
    }

    fn next_retry_at(ruby: &Ruby, this: &Self) -> Result<Value, Error> {
        time_or_nil(ruby, this.view.row.next_retry_at)
    }
}

/// The snapshots of a task's steps.
pub fn objects(ruby: &Ruby, views: Vec<StepView>) -> Result<Value, Failure> {
    let steps = ruby.ary_new_capa(views.len());
    for view in views {
        steps.push(Step::object(ruby, view))?;
    }
    Ok(steps.as_value())
}

pub fn init(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Step", ruby.class_object())?;
    class.define_method("id", method!(Step::id, 0))?;
    class.define_method("task_id", method!(Step::task_id, 0))?;
    class.define_method("name", method!(Step::name, 0))?;
    class.define_method("status", method!(Step::status, 0))?;
    class.define_method("result", method!(Step::result, 0))?;
    class.define_method("attempts", method!(Step::attempts, 0))?;
    class.define_method("error", method!(Step::error, 0))?;
    class.define_method("depends_on", method!(Step::depends_on, 0))?;
    class.define_method("queue", method!(Step::queue, 0))?;
    class.define_method("priority", method!(Step::priority, 0))?;
    class.define_method("config", method!(Step::config, 0))?;
    class.define_method("started_at", method!(Step::started_at, 0))?;
    class.define_method("finished_at", method!(Step::finished_at, 0))?;
    class.define_method("next_retry_at", method!(Step::next_retry_at, 0))
}

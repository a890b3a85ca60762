//! `TaskerCore::Task`: a snapshot of a task. A field is converted when it is read.

use std::sync::Arc;

use magnus::prelude::*;
use magnus::{Error, RArray, RModule, Ruby, Value, method};
use tasker_core::ffi::shared::call::Call as CoreCall;
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::types::TaskView;

use crate::call::Call;
use crate::convert::json_out::{to_ruby, to_ruby_or_nil};
use crate::convert::output::{strings, time, time_or_nil};
use crate::errors::Failure;

#[magnus::wrap(class = "TaskerCore::Task", free_immediately, size, frozen_shareable)]
pub struct Task {
    handle: Arc<OrchestrationHandle>,
    view: Arc<TaskView>,
}

impl Task {
    /// The snapshot as a Ruby object.
    pub fn object(ruby: &Ruby, handle: &Arc<OrchestrationHandle>, view: TaskView) -> Value {
        let task = ruby.obj_wrap(Self { handle: handle.clone(), view: Arc::new(view) });
        task.freeze();
        task.as_value()
    }

    /// A call that ends with a task.
    pub fn call(handle: &Arc<OrchestrationHandle>, core: CoreCall<TaskView>) -> Call {
        let handle = handle.clone();
        Call::new(core, move |ruby, view| Ok(Self::object(ruby, &handle, view)))
    }

    pub fn handle(&self) -> &Arc<OrchestrationHandle> {
        &self.handle
    }

    pub fn view(&self) -> &TaskView {
        &self.view
    }

    fn id(&self) -> String {
        self.view.row.id.to_string()
    }

    fn namespace(&self) -> &str {
        &self.view.row.namespace
    }

    fn name(&self) -> &str {
        &self.view.row.name
    }

    fn version(&self) -> &str {
        &self.view.row.version
    }

    fn status(&self) -> &str {
        self.view.row.state.as_str()
    }

    fn context(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        to_ruby(ruby, &this.view.row.context)
    }

    fn key(&self) -> Option<&str> {
        self.view.row.key.as_deref()
    }

    fn priority(&self) -> i16 {
        self.view.priority()
    }

    fn queue(&self) -> &str {
        self.view.queue()
    }

    fn tags(ruby: &Ruby, this: &Self) -> Result<RArray, Error> {
        strings(ruby, this.view.row.tags.iter().map(String::as_str))
    }

    fn initiator(&self) -> Option<&str> {
        self.view.row.initiator.as_deref()
    }

    fn reason(&self) -> Option<&str> {
        self.view.row.reason.as_deref()
    }

    fn run_at(ruby: &Ruby, this: &Self) -> Result<Value, Error> {
        time_or_nil(ruby, this.view.row.run_at)
    }

    fn created_at(ruby: &Ruby, this: &Self) -> Result<Value, Error> {
        time(ruby, this.view.row.created_at)
    }

    fn started_at(ruby: &Ruby, this: &Self) -> Result<Value, Error> {
        time_or_nil(ruby, this.view.row.started_at)
    }

    fn finished_at(ruby: &Ruby, this: &Self) -> Result<Value, Error> {
        time_or_nil(ruby, this.view.row.finished_at)
    }

    fn error(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        to_ruby_or_nil(ruby, this.view.row.error.as_ref())
    }
}

pub fn init(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Task", ruby.class_object())?;
    class.define_method("id", method!(Task::id, 0))?;
    class.define_method("namespace", method!(Task::namespace, 0))?;
    class.define_method("name", method!(Task::name, 0))?;
    class.define_method("version", method!(Task::version, 0))?;
    class.define_method("status", method!(Task::status, 0))?;
    class.define_method("context", method!(Task::context, 0))?;
    class.define_method("key", method!(Task::key, 0))?;
    class.define_method("priority", method!(Task::priority, 0))?;
    class.define_method("queue", method!(Task::queue, 0))?;
    class.define_method("tags", method!(Task::tags, 0))?;
    class.define_method("initiator", method!(Task::initiator, 0))?;
    class.define_method("reason", method!(Task::reason, 0))?;
    class.define_method("run_at", method!(Task::run_at, 0))?;
    class.define_method("created_at", method!(Task::created_at, 0))?;
    class.define_method("started_at", method!(Task::started_at, 0))?;
    class.define_method("finished_at", method!(Task::finished_at, 0))?;
    class.define_method("error", method!(Task::error, 0))?;
    crate::handle::init_task(class)
}

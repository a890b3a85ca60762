//! `TaskerCore::Task`: a snapshot of a task. A field is converted when it is read.

use std::sync::Arc;

use magnus::prelude::*;
use magnus::{DataTypeFunctions, Error, RModule, Ruby, TypedData, Value};
use tasker_core::ffi::shared::call::Call as CoreCall;
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::types::TaskView;

use crate::burden::Burden;
use crate::call::Call;
use crate::convert::fields::{Read, fields};
use crate::convert::json_out::{json_text, to_ruby, to_ruby_or_nil};
use crate::convert::keys::name_of;
use crate::convert::output::{self, strings, text_or_nil, time, time_or_nil};
use crate::errors::Failure;

#[derive(TypedData)]
#[magnus(class = "TaskerCore::Task", free_immediately, size, frozen_shareable)]
pub struct Task {
    handle: Arc<OrchestrationHandle>,
    view: Arc<TaskView>,
    burden: Burden,
}

impl DataTypeFunctions for Task {
    /// Without the handle and the template, which all tasks share.
    fn size(&self) -> usize {
        size_of::<Self>() + size_of::<TaskView>() + self.burden.bytes()
    }
}

impl Task {
    /// The snapshot as a Ruby object.
    pub fn object(ruby: &Ruby, handle: &Arc<OrchestrationHandle>, view: TaskView) -> Value {
        Self::holding(ruby, handle, Arc::new(view))
    }

    fn holding(ruby: &Ruby, handle: &Arc<OrchestrationHandle>, view: Arc<TaskView>) -> Value {
        let burden = Burden::new(ruby, view.heap_bytes());
        let task = ruby.obj_wrap(Self { handle: handle.clone(), view, burden });
        task.freeze();
        task.as_value()
    }

    /// A call that ends with a task.
    pub fn call(handle: &Arc<OrchestrationHandle>, core: CoreCall<TaskView>) -> Call {
        let handle = handle.clone();
        Call::new(core, move |ruby, view| Ok(Self::object(ruby, &handle, view)))
    }

    /// Another object that holds the same snapshot.
    pub fn again(ruby: &Ruby, this: &Self) -> Value {
        Self::holding(ruby, &this.handle, this.view.clone())
    }

    pub fn handle(&self) -> &Arc<OrchestrationHandle> {
        &self.handle
    }

    pub fn view(&self) -> &TaskView {
        &self.view
    }

    fn id(ruby: &Ruby, this: &Self) -> Read {
        Ok(output::id(ruby, this.view.row.id))
    }

    fn namespace(ruby: &Ruby, this: &Self) -> Read {
        name_of(ruby, &this.view.template().namespace)
    }

    fn name(ruby: &Ruby, this: &Self) -> Read {
        name_of(ruby, &this.view.template().name)
    }

    fn version(ruby: &Ruby, this: &Self) -> Read {
        name_of(ruby, &this.view.template().version)
    }

    fn status(ruby: &Ruby, this: &Self) -> Read {
        Ok(output::task_state(ruby, this.view.row.state)?)
    }

    fn context(ruby: &Ruby, this: &Self) -> Read {
        to_ruby(ruby, &this.view.row.context)
    }

    fn key(ruby: &Ruby, this: &Self) -> Read {
        Ok(text_or_nil(ruby, this.view.row.key.as_deref()))
    }

    fn priority(ruby: &Ruby, this: &Self) -> Read {
        Ok(ruby.into_value(this.view.priority()))
    }

    fn queue(ruby: &Ruby, this: &Self) -> Read {
        name_of(ruby, this.view.queue())
    }

    fn tags(ruby: &Ruby, this: &Self) -> Read {
        Ok(strings(ruby, this.view.row.tags.iter().map(AsRef::as_ref))?.as_value())
    }

    fn initiator(ruby: &Ruby, this: &Self) -> Read {
        Ok(text_or_nil(ruby, this.view.row.initiator.as_deref()))
    }

    fn reason(ruby: &Ruby, this: &Self) -> Read {
        Ok(text_or_nil(ruby, this.view.row.reason.as_deref()))
    }

    fn run_at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time_or_nil(ruby, this.view.row.run_at)?)
    }

    fn created_at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time(ruby, this.view.row.created_at)?)
    }

    fn started_at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time_or_nil(ruby, this.view.row.started_at)?)
    }

    fn finished_at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time_or_nil(ruby, this.view.row.finished_at)?)
    }

    fn error(ruby: &Ruby, this: &Self) -> Read {
        to_ruby_or_nil(ruby, this.view.row.error.as_ref())
    }

    fn json(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        json_text(ruby, &*this.view)
    }
}

fields!(Task: id, namespace, name, version, status, context, key, priority, queue, tags, initiator, reason, run_at,
    created_at, started_at, finished_at, error);

pub fn init(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Task", ruby.class_object())?;
    crate::raw::ractor_safe(|| {
        Task::define_fields(ruby, class)?;
        class.define_private_method("plain_json", magnus::method!(Task::json, 0))
    })?;
    crate::handle::init_task(class)?;
    crate::operations::init_task(class)
}

//! `TaskerCore::Step`: a snapshot of a step. A field is converted when it is read.

use std::sync::Arc;

use magnus::prelude::*;
use magnus::{DataTypeFunctions, Error, RModule, Ruby, TypedData, Value};
use tasker_core::domain::fault::Faults;
use tasker_core::domain::operation::StepOperation;
use tasker_core::engine::transactions::operate::Note;
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::types::StepView;

use crate::burden::Burden;
use crate::call::Call;
use crate::convert::fields::{Read, fields};
use crate::convert::json_out::{json_text, to_ruby_or_nil};
use crate::convert::keys::name_of;
use crate::convert::output::{self, strings, text, time_or_nil};
use crate::errors::Failure;

#[derive(TypedData)]
#[magnus(class = "TaskerCore::Step", free_immediately, size, frozen_shareable)]
pub struct Step {
    handle: Arc<OrchestrationHandle>,
    view: StepView,
    burden: Burden,
}

impl DataTypeFunctions for Step {
    fn size(&self) -> usize {
        size_of::<Self>() + self.burden.bytes()
    }
}

impl Step {
    fn object(ruby: &Ruby, handle: &Arc<OrchestrationHandle>, view: StepView, bytes: usize) -> Value {
        let step = ruby.obj_wrap(Self { handle: handle.clone(), view, burden: Burden::new(ruby, bytes) });
        step.freeze();
        step.as_value()
    }

    pub fn handle(&self) -> &Arc<OrchestrationHandle> {
        &self.handle
    }

    pub fn view(&self) -> &StepView {
        &self.view
    }

    /// A call that ends with this step as an operation left it.
    pub fn operate(&self, asked: Result<(StepOperation, Note), Faults>) -> Call {
        let handle = self.handle.clone();
        Call::new(self.handle.operate_on_step(&self.view, asked), move |ruby, view| {
            let bytes = view.heap_bytes();
            Ok(Self::object(ruby, &handle, view, bytes))
        })
    }

    fn id(ruby: &Ruby, this: &Self) -> Read {
        Ok(text(ruby, &this.view.id()))
    }

    fn task_id(ruby: &Ruby, this: &Self) -> Read {
        Ok(output::id(ruby, this.view.task.row.id))
    }

    fn name(ruby: &Ruby, this: &Self) -> Read {
        name_of(ruby, &this.view.name())
    }

    fn status(ruby: &Ruby, this: &Self) -> Read {
        Ok(output::step_state(ruby, this.view.row.state)?)
    }

    fn result(ruby: &Ruby, this: &Self) -> Read {
        to_ruby_or_nil(ruby, this.view.row.result.as_ref())
    }

    fn attempts(ruby: &Ruby, this: &Self) -> Read {
        Ok(ruby.into_value(this.view.row.attempts))
    }

    fn error(ruby: &Ruby, this: &Self) -> Read {
        to_ruby_or_nil(ruby, this.view.row.error.as_ref())
    }

    fn depends_on(ruby: &Ruby, this: &Self) -> Read {
        Ok(strings(ruby, this.view.depends_on())?.as_value())
    }

    fn queue(ruby: &Ruby, this: &Self) -> Read {
        name_of(ruby, this.view.queue())
    }

    fn priority(ruby: &Ruby, this: &Self) -> Read {
        Ok(ruby.into_value(this.view.priority()))
    }

    fn config(ruby: &Ruby, this: &Self) -> Read {
        to_ruby_or_nil(ruby, this.view.definition().map(|step| &step.config))
    }

    fn started_at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time_or_nil(ruby, this.view.row.started_at)?)
    }

    fn finished_at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time_or_nil(ruby, this.view.row.finished_at)?)
    }

    fn next_retry_at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time_or_nil(ruby, this.view.row.next_retry_at)?)
    }

    fn checkpoint(ruby: &Ruby, this: &Self) -> Read {
        to_ruby_or_nil(ruby, this.view.row.checkpoint.as_ref())
    }

    fn route(ruby: &Ruby, this: &Self) -> Read {
        match this.view.route() {
            Some(route) => Ok(strings(ruby, route)?.as_value()),
            None => Ok(ruby.qnil().as_value()),
        }
    }

    fn item(ruby: &Ruby, this: &Self) -> Read {
        to_ruby_or_nil(ruby, this.view.row.item.as_ref())
    }

    /// Its name doesn't tell: a step that is no item may be called like one.
    fn item_of(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        Ok(match this.view.item_of() {
            Some(name) => name_of(ruby, name)?,
            None => ruby.qnil().as_value(),
        })
    }

    fn json(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        json_text(ruby, &this.view)
    }
}

fields!(Step: id, task_id, name, status, result, attempts, error, depends_on, queue, priority, started_at,
    finished_at, next_retry_at, config, checkpoint, route, item);

/// The snapshots of a task's steps.
pub fn objects(ruby: &Ruby, handle: &Arc<OrchestrationHandle>, views: Vec<StepView>) -> Result<Value, Failure> {
    // Weighed before the first is handed over: each bears its part of the task that all of them share.
    let weighed: Vec<_> = views.iter().map(StepView::heap_bytes).collect();
    let steps = ruby.ary_new_capa(views.len());
    for (view, bytes) in views.into_iter().zip(weighed) {
        steps.push(Step::object(ruby, handle, view, bytes))?;
    }
    Ok(steps.as_value())
}

pub fn init(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Step", ruby.class_object())?;
    crate::raw::ractor_safe(|| {
        Step::define_fields(ruby, class)?;
        class.define_private_method("native_item_of", magnus::method!(Step::item_of, 0))?;
        class.define_private_method("plain_json", magnus::method!(Step::json, 0))
    })?;
    crate::operations::init_step(class)
}

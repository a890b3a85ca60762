//! `TaskerCore::Transition`: one recorded change of a task's or a step's state.

use magnus::prelude::*;
use magnus::{Error, RModule, Ruby, Value, method};
use tasker_core::domain::id::TaskId;
use tasker_core::ffi::shared::types::HistoryView;

use crate::convert::json_out::to_ruby_or_nil;
use crate::convert::output::time;
use crate::errors::Failure;

#[magnus::wrap(class = "TaskerCore::Transition", free_immediately, size, frozen_shareable)]
pub struct Transition {
    task: TaskId,
    view: HistoryView,
}

impl Transition {
    fn task_id(&self) -> String {
        self.task.to_string()
    }

    fn step_name(&self) -> Option<&str> {
        self.view.step.as_deref()
    }

    fn from(&self) -> Option<&str> {
        self.view.row.from.as_deref()
    }

    fn to(&self) -> &str {
        &self.view.row.to
    }

    fn at(ruby: &Ruby, this: &Self) -> Result<Value, Error> {
        time(ruby, this.view.row.at)
    }

    fn attempt(&self) -> Option<u16> {
        self.view.step.as_ref().map(|_| self.view.row.attempt)
    }

    fn session_id(&self) -> Option<String> {
        self.view.row.by.map(|session| session.0.to_string())
    }

    fn metadata(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        to_ruby_or_nil(ruby, this.view.row.detail.as_ref())
    }
}

/// The history of `task` as Ruby objects.
pub fn objects(ruby: &Ruby, task: TaskId, views: Vec<HistoryView>) -> Result<Value, Failure> {
    let history = ruby.ary_new_capa(views.len());
    for view in views {
        let transition = ruby.obj_wrap(Transition { task, view });
        transition.freeze();
        history.push(transition)?;
    }
    Ok(history.as_value())
}

pub fn init(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Transition", ruby.class_object())?;
    class.define_method("task_id", method!(Transition::task_id, 0))?;
    class.define_method("step_name", method!(Transition::step_name, 0))?;
    class.define_method("from", method!(Transition::from, 0))?;
    class.define_method("to", method!(Transition::to, 0))?;
    class.define_method("at", method!(Transition::at, 0))?;
    class.define_method("attempt", method!(Transition::attempt, 0))?;
    class.define_method("session_id", method!(Transition::session_id, 0))?;
    class.define_method("metadata", method!(Transition::metadata, 0))
}

//! `TaskerCore::Transition`: one recorded change of a task's or a step's state.

use magnus::prelude::*;
use magnus::{DataTypeFunctions, Error, RModule, Ruby, TypedData, Value};
use tasker_core::ffi::shared::types::HistoryView;

use crate::burden::Burden;
use crate::convert::fields::{Read, fields};
use crate::convert::json_out::{json_text, to_ruby_or_nil};
use crate::convert::output::{self, text, text_or_nil, time};
use crate::errors::Failure;

#[derive(TypedData)]
#[magnus(class = "TaskerCore::Transition", free_immediately, size, frozen_shareable)]
pub struct Transition {
    view: HistoryView,
    burden: Burden,
}

impl DataTypeFunctions for Transition {
    fn size(&self) -> usize {
        size_of::<Self>() + self.burden.bytes()
    }
}

impl Transition {
    fn task_id(ruby: &Ruby, this: &Self) -> Read {
        Ok(output::id(ruby, this.view.task))
    }

    fn step_name(ruby: &Ruby, this: &Self) -> Read {
        Ok(text_or_nil(ruby, this.view.step.as_deref()))
    }

    fn from(ruby: &Ruby, this: &Self) -> Read {
        Ok(text_or_nil(ruby, this.view.row.from.as_deref()))
    }

    fn to(ruby: &Ruby, this: &Self) -> Read {
        Ok(text(ruby, &this.view.row.to))
    }

    fn at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time(ruby, this.view.row.at)?)
    }

    fn by(ruby: &Ruby, this: &Self) -> Read {
        Ok(text_or_nil(ruby, this.view.by().as_deref()))
    }

    fn reason(ruby: &Ruby, this: &Self) -> Read {
        Ok(text_or_nil(ruby, this.view.reason().as_deref()))
    }

    fn error(ruby: &Ruby, this: &Self) -> Read {
        to_ruby_or_nil(ruby, this.view.error().as_ref())
    }

    fn attempt(ruby: &Ruby, this: &Self) -> Read {
        Ok(ruby.into_value(this.view.attempt()))
    }

    fn session_id(ruby: &Ruby, this: &Self) -> Read {
        let session = this.view.row.by.map(|session| session.0.to_string());
        Ok(text_or_nil(ruby, session.as_deref()))
    }

    fn metadata(ruby: &Ruby, this: &Self) -> Read {
        to_ruby_or_nil(ruby, this.view.row.detail.as_ref())
    }

    fn json(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        json_text(ruby, &this.view)
    }
}

fields!(Transition: task_id, step_name, from, to, at, by, reason, attempt, error, session_id, metadata);

/// A history as Ruby objects.
pub fn objects(ruby: &Ruby, views: Vec<HistoryView>) -> Result<Value, Failure> {
    let history = ruby.ary_new_capa(views.len());
    for view in views {
        let burden = Burden::new(ruby, view.heap_bytes());
        let transition = ruby.obj_wrap(Transition { view, burden });
        transition.freeze();
        history.push(transition)?;
    }
    Ok(history.as_value())
}

pub fn init(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Transition", ruby.class_object())?;
    crate::raw::ractor_safe(|| {
        Transition::define_fields(ruby, class)?;
        class.define_private_method("plain_json", magnus::method!(Transition::json, 0))
    })
}

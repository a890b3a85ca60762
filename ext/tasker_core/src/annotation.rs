//! `TaskerCore::Annotation`: a snapshot of a remark on a task. A field is converted when it is read.

use magnus::prelude::*;
use magnus::{DataTypeFunctions, Error, RModule, Ruby, TypedData, Value};
use tasker_core::ffi::shared::types::AnnotationView;

use crate::burden::Burden;
use crate::convert::fields::{Read, fields};
use crate::convert::json_out::{json_text, to_ruby};
use crate::convert::output::{self, text, text_or_nil, time};
use crate::errors::Failure;

#[derive(TypedData)]
#[magnus(class = "TaskerCore::Annotation", free_immediately, size, frozen_shareable)]
pub struct Annotation {
    view: AnnotationView,
    burden: Burden,
}

impl DataTypeFunctions for Annotation {
    fn size(&self) -> usize {
        size_of::<Self>() + self.burden.bytes()
    }
}

impl Annotation {
    fn task_id(ruby: &Ruby, this: &Self) -> Read {
        Ok(output::id(ruby, this.view.task))
    }

    fn r#type(ruby: &Ruby, this: &Self) -> Read {
        Ok(text(ruby, &this.view.row.kind))
    }

    fn value(ruby: &Ruby, this: &Self) -> Read {
        to_ruby(ruby, &this.view.row.value)
    }

    fn by(ruby: &Ruby, this: &Self) -> Read {
        Ok(text_or_nil(ruby, this.view.row.by.as_deref()))
    }

    fn at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time(ruby, this.view.row.at)?)
    }

    fn json(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        json_text(ruby, &this.view)
    }
}

fields!(Annotation: task_id, r#type, value, by, at);

/// An annotation as a Ruby object.
pub fn object(ruby: &Ruby, view: AnnotationView) -> Result<Value, Failure> {
    let burden = Burden::new(ruby, view.heap_bytes());
    let annotation = ruby.obj_wrap(Annotation { view, burden });
    annotation.freeze();
    Ok(annotation.as_value())
}

/// Annotations as Ruby objects.
pub fn objects(ruby: &Ruby, views: Vec<AnnotationView>) -> Result<Value, Failure> {
    let annotations = ruby.ary_new_capa(views.len());
    for view in views {
        annotations.push(object(ruby, view)?)?;
    }
    Ok(annotations.as_value())
}

pub fn init(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Annotation", ruby.class_object())?;
    crate::raw::ractor_safe(|| {
        Annotation::define_fields(ruby, class)?;
        class.define_private_method("plain_json", magnus::method!(Annotation::json, 0))
    })
}

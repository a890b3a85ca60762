//! `TaskerCore::Event`: something that happened, as a subscriber sees it. A field is converted when
//! it is read.

use magnus::prelude::*;
use magnus::{Error, RArray, RModule, Ruby, Value, function};
use tasker_core::domain::template::Template;
use tasker_core::engine::events::{Event as CoreEvent, EventKind};
use tasker_core::ffi::shared::event_bridge::Heard;

use crate::convert::fields::{Read, fields};
use crate::convert::json_out::to_ruby_or_nil;
use crate::convert::keys::name_of;
use crate::convert::output::{id_or_nil, strings, text_or_nil, time};

#[magnus::wrap(class = "TaskerCore::Event", free_immediately, size, frozen_shareable)]
pub struct Event(Heard);

impl Event {
    /// The event as a Ruby object.
    pub fn object(ruby: &Ruby, heard: Heard) -> Value {
        let event = ruby.obj_wrap(Self(heard));
        event.freeze();
        event.as_value()
    }

    fn core(&self) -> &CoreEvent {
        &self.0.event
    }

    fn template(&self) -> Option<&Template> {
        self.core().template.as_ref().map(|stored| &stored.template)
    }

    fn name(ruby: &Ruby, this: &Self) -> Read {
        name_of(ruby, this.core().kind.name())
    }

    fn sequence(ruby: &Ruby, this: &Self) -> Read {
        Ok(ruby.into_value(this.0.sequence))
    }

    fn task_id(ruby: &Ruby, this: &Self) -> Read {
        Ok(id_or_nil(ruby, this.core().task))
    }

    fn namespace(ruby: &Ruby, this: &Self) -> Read {
        name_or_nil(ruby, this.template().map(|template| template.namespace.as_str()))
    }

    fn task_name(ruby: &Ruby, this: &Self) -> Read {
        name_or_nil(ruby, this.template().map(|template| template.name.as_str()))
    }

    fn version(ruby: &Ruby, this: &Self) -> Read {
        name_or_nil(ruby, this.template().map(|template| template.version.as_str()))
    }

    fn step_name(ruby: &Ruby, this: &Self) -> Read {
        name_or_nil(ruby, this.core().step_name().as_deref())
    }

    fn from(ruby: &Ruby, this: &Self) -> Read {
        name_or_nil(ruby, this.core().from)
    }

    fn to(ruby: &Ruby, this: &Self) -> Read {
        name_or_nil(ruby, this.core().to)
    }

    fn at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time(ruby, this.core().at)?)
    }

    fn attempt(ruby: &Ruby, this: &Self) -> Read {
        Ok(ruby.into_value(this.core().attempt))
    }

    fn session_id(ruby: &Ruby, this: &Self) -> Read {
        let session = this.core().session.map(|session| session.0.to_string());
        Ok(text_or_nil(ruby, session.as_deref()))
    }

    fn metadata(ruby: &Ruby, this: &Self) -> Read {
        to_ruby_or_nil(ruby, this.core().metadata.as_ref())
    }

    /// The names of all events there are.
    fn names(ruby: &Ruby) -> Result<RArray, Error> {
        strings(ruby, EventKind::ALL.iter().map(|kind| kind.name()))
    }
}

fn name_or_nil(ruby: &Ruby, name: Option<&str>) -> Read {
    name.map_or_else(|| Ok(ruby.qnil().as_value()), |name| name_of(ruby, name))
}

fields!(Event: name, sequence, task_id, namespace, task_name, version, step_name, from, to, at, attempt, session_id,
    metadata);

pub fn init(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Event", ruby.class_object())?;
    crate::raw::ractor_safe(|| {
        class.define_singleton_method("names", function!(Event::names, 0))?;
        Event::define_fields(ruby, class)
    })
}

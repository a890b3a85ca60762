//! `TaskerCore::Event`: something that happened, as a subscriber sees it. A field is converted when
//! it is read.

use magnus::prelude::*;
use magnus::{Error, RArray, RModule, Ruby, Value, method};
use tasker_core::domain::template::Template;
use tasker_core::engine::events::{Event as CoreEvent, EventKind};
use tasker_core::ffi::shared::event_bridge::Heard;

use crate::convert::json_out::to_ruby_or_nil;
use crate::convert::output::{strings, time};
use crate::errors::Failure;

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

    fn name(&self) -> &'static str {
        self.core().kind.name()
    }

    fn sequence(&self) -> u64 {
        self.0.sequence
    }

    fn task_id(&self) -> Option<String> {
        self.core().task.map(|task| task.to_string())
    }

    fn namespace(&self) -> Option<&str> {
        Some(&self.template()?.namespace)
    }

    fn task_name(&self) -> Option<&str> {
        Some(&self.template()?.name)
    }

    fn version(&self) -> Option<&str> {
        Some(&self.template()?.version)
    }

    fn step_name(&self) -> Option<&str> {
        self.core().step_name()
    }

    fn from(&self) -> Option<&'static str> {
        self.core().from
    }

    fn to(&self) -> Option<&'static str> {
        self.core().to
    }

    fn at(ruby: &Ruby, this: &Self) -> Result<Value, Error> {
        time(ruby, this.core().at)
    }

    fn attempt(&self) -> Option<u16> {
        self.core().attempt
    }

    fn session_id(&self) -> Option<String> {
        self.core().session.map(|session| session.0.to_string())
    }

    fn metadata(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        to_ruby_or_nil(ruby, this.core().metadata.as_ref())
    }

    /// The names of all events there are.
    fn names(ruby: &Ruby) -> Result<RArray, Error> {
        strings(ruby, EventKind::ALL.iter().map(|kind| kind.name()))
    }
}

pub fn init(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Event", ruby.class_object())?;
    class.define_singleton_method("names", magnus::function!(Event::names, 0))?;
    class.define_method("name", method!(Event::name, 0))?;
    class.define_method("sequence", method!(Event::sequence, 0))?;
    class.define_method("task_id", method!(Event::task_id, 0))?;
    class.define_method("namespace", method!(Event::namespace, 0))?;
    class.define_method("task_name", method!(Event::task_name, 0))?;
    class.define_method("version", method!(Event::version, 0))?;
    class.define_method("step_name", method!(Event::step_name, 0))?;
    class.define_method("from", method!(Event::from, 0))?;
    class.define_method("to", method!(Event::to, 0))?;
    class.define_method("at", method!(Event::at, 0))?;
    class.define_method("attempt", method!(Event::attempt, 0))?;
    class.define_method("session_id", method!(Event::session_id, 0))?;
    class.define_method("metadata", method!(Event::metadata, 0))
}

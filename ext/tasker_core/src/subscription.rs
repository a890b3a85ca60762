//! `TaskerCore::Native::Subscription`: what a subscriber's thread takes events from.

use std::sync::Arc;

use magnus::prelude::*;
use magnus::{Error, RArray, RModule, Ruby, method};
use tasker_core::engine::events::Kinds;
use tasker_core::ffi::shared::event_bridge::Subscription as CoreSubscription;

use crate::errors::{Failure, guarded};
use crate::event::Event;

#[magnus::wrap(class = "TaskerCore::Native::Subscription", free_immediately, size)]
pub struct Subscription(Arc<CoreSubscription>);

impl Subscription {
    pub fn new(core: Arc<CoreSubscription>) -> Self {
        Self(core)
    }

    fn take(ruby: &Ruby, this: &Self, limit: usize) -> Result<RArray, Failure> {
        guarded(|| {
            let heard = this.0.take(limit);
            let events = ruby.ary_new_capa(heard.len());
            for heard in heard {
                events.push(Event::object(ruby, heard))?;
            }
            Ok(events)
        })
    }

    fn want(&self, names: RArray) -> Result<(), Failure> {
        guarded(|| {
            let names: Vec<String> = names.to_vec()?;
            self.0.want(Kinds::matching(names.iter().map(String::as_str))?);
            Ok(())
        })
    }

    fn cancel(&self) -> Result<(), Failure> {
        guarded(|| {
            self.0.cancel();
            Ok(())
        })
    }

    fn is_ended(&self) -> bool {
        self.0.is_ended()
    }

    fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    fn last_sequence(&self) -> u64 {
        self.0.last_sequence()
    }
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Subscription", ruby.class_object())?;
    class.define_method("take", method!(Subscription::take, 1))?;
    class.define_method("want", method!(Subscription::want, 1))?;
    class.define_method("cancel", method!(Subscription::cancel, 0))?;
    class.define_method("ended?", method!(Subscription::is_ended, 0))?;
    class.define_method("dropped", method!(Subscription::dropped, 0))?;
    class.define_method("last_sequence", method!(Subscription::last_sequence, 0))
}

//! `TaskerCore::HandleInfo`: what a handle said about itself. A field is converted when it is read.

use magnus::prelude::*;
use magnus::{Error, RModule, Ruby, Value};
use tasker_core::ffi::shared::handle_info::HandleInfo as CoreInfo;

use crate::convert::fields::{Read, fields};
use crate::convert::output::{Record, text, time, time_or_nil, timestamp};

#[magnus::wrap(class = "TaskerCore::HandleInfo", free_immediately, size, frozen_shareable)]
pub struct HandleInfo(CoreInfo);

impl HandleInfo {
    /// The snapshot as a Ruby object.
    pub fn object(ruby: &Ruby, info: CoreInfo) -> Value {
        let info = ruby.obj_wrap(Self(info));
        info.freeze();
        info.as_value()
    }

    pub fn core(&self) -> &CoreInfo {
        &self.0
    }

    fn id(ruby: &Ruby, this: &Self) -> Read {
        Ok(text(ruby, &this.0.id().to_string()))
    }

    fn created_at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time(ruby, timestamp(this.0.created_at()))?)
    }

    fn expires_at(ruby: &Ruby, this: &Self) -> Read {
        Ok(time_or_nil(ruby, this.0.expires_at().map(timestamp))?)
    }

    fn status(ruby: &Ruby, this: &Self) -> Read {
        Ok(text(ruby, this.0.status().as_str()))
    }

    fn backend(ruby: &Ruby, this: &Self) -> Read {
        Ok(text(ruby, this.0.backend()))
    }

    fn database(ruby: &Ruby, this: &Self) -> Read {
        Ok(text(ruby, &this.0.database()))
    }

    fn pool(ruby: &Ruby, this: &Self) -> Read {
        let Some(facts) = this.0.pool() else { return Ok(ruby.qnil().as_value()) };
        let record = Record::new(ruby)
            .set("size", facts.size)?
            .set("idle", facts.idle)?
            .set("in_use", facts.size.saturating_sub(facts.idle))?
            .set("max", facts.max)?;
        Ok(record.frozen().as_value())
    }

    fn pid(ruby: &Ruby, this: &Self) -> Read {
        Ok(ruby.into_value(this.0.pid()))
    }
}

fields!(HandleInfo: id, created_at, expires_at, status, backend, database, pool, pid);

pub fn init(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("HandleInfo", ruby.class_object())?;
    crate::raw::ractor_safe(|| HandleInfo::define_fields(ruby, class))
}

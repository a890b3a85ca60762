//! `TaskerCore::Native::Probes`: how this process is, told over HTTP.

use std::sync::Arc;

use magnus::prelude::*;
use magnus::{Error, RModule, Ruby, method};
use tasker_core::ffi::shared::probes::Probes as CoreProbes;

use crate::call::Call;
use crate::errors::{Failure, guarded};

#[magnus::wrap(class = "TaskerCore::Native::Probes", free_immediately, size)]
pub struct Probes(Arc<CoreProbes>);

impl Probes {
    pub fn new(core: Arc<CoreProbes>) -> Self {
        Self(core)
    }

    fn address(&self) -> String {
        self.0.address().to_string()
    }

    fn port(&self) -> u16 {
        self.0.address().port()
    }

    fn beat(&self) -> Result<(), Failure> {
        guarded(|| {
            self.0.beat();
            Ok(())
        })
    }

    fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }

    fn stop(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Call::unit(self.0.stop())))
    }
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Probes", ruby.class_object())?;
    class.define_method("address", method!(Probes::address, 0))?;
    class.define_method("port", method!(Probes::port, 0))?;
    class.define_method("beat", method!(Probes::beat, 0))?;
    class.define_method("stopped?", method!(Probes::is_stopped, 0))?;
    class.define_method("stop", method!(Probes::stop, 0))
}

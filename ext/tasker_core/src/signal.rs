//! `TaskerCore::Native::Signal`: what a waiting Ruby thread is woken with. Ruby owns the readable
//! end of its pipe.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use magnus::prelude::*;
use magnus::{Error, RModule, Ruby, function, method};
use tasker_core::engine::error::EngineError;
use tasker_core::ffi::shared::signal::Signal as CoreSignal;

use crate::errors::Failure;

#[magnus::wrap(class = "TaskerCore::Native::Signal", free_immediately, size)]
pub struct Signal {
    /// None once it is closed.
    core: Mutex<Option<Arc<CoreSignal>>>,
    fileno: AtomicI32,
}

const GIVEN: RawFd = -1;

impl Signal {
    fn new() -> Result<Self, Failure> {
        let failed = |error| EngineError::internal(format!("the process has no descriptors left: {error}"));
        let (core, fileno) = CoreSignal::new().map_err(failed)?;
        Ok(Self { core: Mutex::new(Some(Arc::new(core))), fileno: AtomicI32::new(fileno) })
    }

    /// The descriptor that becomes readable. It is handed over: the caller closes it.
    fn fileno(&self) -> Option<RawFd> {
        Some(self.fileno.swap(GIVEN, Ordering::AcqRel)).filter(|&fileno| fileno != GIVEN)
    }

    fn clear(&self) {
        if let Some(core) = self.core() {
            core.clear();
        }
    }

    /// Lets go of the other end.
    fn close(&self) {
        self.core.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// What raises it until it is closed: whoever keeps this keeps no descriptor.
    ///
    /// # Errors
    /// When it is closed.
    pub fn raiser(&self) -> Result<impl Fn() + Send + Sync + use<>, EngineError> {
        let closed = || EngineError::internal("this signal was closed before it was used");
        let core = Arc::downgrade(&self.core().ok_or_else(closed)?);
        Ok(move || {
            if let Some(core) = core.upgrade() {
                core.raise();
            }
        })
    }

    pub fn core(&self) -> Option<Arc<CoreSignal>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Signal", ruby.class_object())?;
    class.define_singleton_method("new", function!(Signal::new, 0))?;
    class.define_method("fileno", method!(Signal::fileno, 0))?;
    class.define_method("clear", method!(Signal::clear, 0))?;
    class.define_method("close", method!(Signal::close, 0))
}

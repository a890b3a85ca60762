//! `TaskerCore::Native::Call`: an operation under way. A Ruby thread asks whether it is done; its
//! value is converted by the thread that takes it.

use std::sync::Arc;

use magnus::prelude::*;
use magnus::{Error, RModule, Ruby, Value, method};
use tasker_core::engine::error::EngineError;
use tasker_core::fault_point;
use tasker_core::ffi::shared::call::Call as CoreCall;
use tasker_core::ffi::shared::signal::Signal as CoreSignal;

use crate::errors::{Failure, guarded};
use crate::signal::Signal;

#[magnus::wrap(class = "TaskerCore::Native::Call", free_immediately, size)]
pub struct Call(Box<dyn Pending>);

trait Pending: Send {
    fn is_done(&self) -> bool;
    fn arm(&self, signal: Arc<CoreSignal>) -> bool;
    fn abandon(&self);
    fn take(&self, ruby: &Ruby) -> Option<Result<Value, Failure>>;
    /// Lets go of what came of it.
    fn let_go(&self);
}

struct Converted<T, C> {
    core: CoreCall<T>,
    convert: C,
}

impl<T, C> Pending for Converted<T, C>
where
    T: Send + 'static,
    C: Fn(&Ruby, T) -> Result<Value, Failure> + Send,
{
    fn is_done(&self) -> bool {
        self.core.is_done()
    }

    fn arm(&self, signal: Arc<CoreSignal>) -> bool {
        self.core.arm(signal)
    }

    fn abandon(&self) {
        self.core.abandon();
    }

    fn take(&self, ruby: &Ruby) -> Option<Result<Value, Failure>> {
        let convert = |value| {
            fault_point!(ConversionOut);
            (self.convert)(ruby, value)
        };
        Some(self.core.take()?.map_err(Failure::from).and_then(convert))
    }

    fn let_go(&self) {
        drop(self.core.take());
    }
}

impl Call {
    /// A call whose value `convert` makes a Ruby value of.
    pub fn new<T, C>(core: CoreCall<T>, convert: C) -> Self
    where
        T: Send + 'static,
        C: Fn(&Ruby, T) -> Result<Value, Failure> + Send + 'static,
    {
        Self(Box::new(Converted { core, convert }))
    }

    /// A call that has nothing to say at its end.
    pub fn unit(core: CoreCall<()>) -> Self {
        Self::new(core, |ruby, ()| Ok(ruby.qnil().as_value()))
    }

    /// Whether it is done. If not, `signal` is raised when it is.
    fn is_done(&self, signal: Option<&Signal>) -> bool {
        self.0.is_done() || signal.and_then(Signal::core).is_some_and(|signal| !self.0.arm(signal))
    }

    /// Says that its wait was given up.
    fn abandon(&self) {
        self.0.abandon();
    }

    /// What came of it, once. What could not be given is let go of at once, and not when Ruby collects the call: it may
    /// be a worker, which has begun to claim steps.
    fn value(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        let not_there = || EngineError::internal("a call was asked for a value that it does not have");
        guarded(|| this.0.take(ruby).ok_or_else(not_there)?).inspect_err(|_| this.0.let_go())
    }
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Call", ruby.class_object())?;
    class.define_method("done?", method!(Call::is_done, 1))?;
    class.define_method("abandon", method!(Call::abandon, 0))?;
    class.define_method("value", method!(Call::value, 0))
}

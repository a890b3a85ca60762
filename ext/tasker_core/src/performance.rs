//! What `TaskerCore::Performance` asks of a handle. Each answer is a Hash with Symbol keys, of which Ruby makes one of
//! its classes.

use magnus::prelude::*;
use magnus::{Error, RClass, RHash, method};
use serde::Serialize;
use tasker_core::ffi::shared::call::Call as CoreCall;

use crate::call::Call;
use crate::convert::record::record;
use crate::errors::{Failure, guarded};
use crate::handle::Handle;

/// A call that ends with a record.
fn call<T: Serialize + Send + 'static>(call: CoreCall<T>) -> Call {
    Call::new(call, |ruby, found| record(ruby, &found))
}

impl Handle {
    fn task_execution_context(&self, id: String) -> Result<Call, Failure> {
        guarded(|| Ok(call(self.core().task_execution_context(&id))))
    }

    fn viable_steps(&self, id: String) -> Result<Call, Failure> {
        guarded(|| Ok(call(self.core().viable_steps(&id))))
    }

    fn dependencies(&self, id: String) -> Result<Call, Failure> {
        guarded(|| Ok(call(self.core().dependencies(&id))))
    }

    fn system_health(&self) -> Result<Call, Failure> {
        guarded(|| Ok(call(self.core().system_health())))
    }

    fn analytics(&self, window: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(call(self.core().analytics(self.read(window)?))))
    }

    fn slowest_steps(&self, window: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(call(self.core().slowest_steps(self.read(window)?))))
    }

    fn slowest_tasks(&self, window: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(call(self.core().slowest_tasks(self.read(window)?))))
    }
}

pub fn init(handle: RClass) -> Result<(), Error> {
    handle.define_method("task_execution_context", method!(Handle::task_execution_context, 1))?;
    handle.define_method("viable_steps", method!(Handle::viable_steps, 1))?;
    handle.define_method("dependencies", method!(Handle::dependencies, 1))?;
    handle.define_method("system_health", method!(Handle::system_health, 0))?;
    handle.define_method("analytics", method!(Handle::analytics, 1))?;
    handle.define_method("slowest_steps", method!(Handle::slowest_steps, 1))?;
    handle.define_method("slowest_tasks", method!(Handle::slowest_tasks, 1))
}

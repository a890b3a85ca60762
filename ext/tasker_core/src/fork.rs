//! What a fork needs, as functions of `TaskerCore::Native`; `lib/tasker_core/fork_hook.rb` calls them.

use magnus::prelude::*;
use magnus::{Error, RModule, function};
use tasker_core::ffi::shared::forks::Forks;

use crate::call::Call;
use crate::errors::{Failure, guarded};

fn must_prepare() -> bool {
    Forks::must_be_prepared()
}

fn prepare() -> Result<Call, Failure> {
    guarded(|| Ok(Call::unit(Forks::prepare()?)))
}

fn forked() -> Result<(), Failure> {
    guarded(|| Ok(Forks::end()?))
}

pub fn init(native: RModule) -> Result<(), Error> {
    native.define_singleton_method("must_prepare_fork?", function!(must_prepare, 0))?;
    native.define_singleton_method("prepare_fork", function!(prepare, 0))?;
    native.define_singleton_method("forked", function!(forked, 0))
}

//! Graphs as pictures, as functions of `TaskerCore::Native`.

use magnus::prelude::*;
use magnus::{Error, RHash, RModule, Ruby, Value, function};
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::types::DrawInput;

use crate::convert::input::FromRHash;
use crate::convert::record::record;
use crate::errors::{Failure, guarded};

fn read(input: RHash) -> Result<DrawInput, Failure> {
    Ok(DrawInput::from_rhash(input, &Limits::default())?)
}

fn draw(input: RHash) -> Result<String, Failure> {
    guarded(|| Ok(read(input)?.draw()?))
}

fn lay_out(ruby: &Ruby, input: RHash) -> Result<Value, Failure> {
    guarded(|| record(ruby, &read(input)?.layout()?))
}

fn rails(ruby: &Ruby, input: RHash) -> Result<Value, Failure> {
    guarded(|| record(ruby, &read(input)?.rails()?))
}

pub fn init(native: RModule) -> Result<(), Error> {
    native.define_singleton_method("draw", function!(draw, 1))?;
    native.define_singleton_method("lay_out", function!(lay_out, 1))?;
    native.define_singleton_method("rails", function!(rails, 1))
}

//! `TaskerCore::Native::Bench`: the crossings of the boundary alone, without a database behind them. `bench/ffi`
//! measures them in the extension as it is shipped, and specs hold the typed ones and their JSON twins equal.

use magnus::prelude::*;
use magnus::{Error, RHash, RModule, RString, function};
use tasker_core::domain::fault::Fault;
use tasker_core::ffi::shared::types::CreateTaskInput;

use crate::convert::input::FromRHash;
use crate::errors::{Failure, guarded};
use crate::task::Task;

/// Does nothing: what any call costs.
fn nothing() {}

/// Reads the options of `create_task`, and lets go of them.
fn read_task(input: RHash) -> Result<(), Failure> {
    guarded(|| {
        CreateTaskInput::from_rhash(input)?;
        Ok(())
    })
}

/// The slow twin of `read_task`: the same from JSON text.
fn read_task_json(text: RString) -> Result<(), Failure> {
    guarded(|| {
        task_from_json(&text.to_string()?)?;
        Ok(())
    })
}

/// The options of `create_task` in JSON text.
pub fn task_from_json(text: &str) -> Result<CreateTaskInput, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::new("", error.to_string()))
}

pub fn init(native: RModule) -> Result<(), Error> {
    let module = native.define_module("Bench")?;
    module.define_singleton_method("nothing", function!(nothing, 0))?;
    module.define_singleton_method("read_task", function!(read_task, 1))?;
    module.define_singleton_method("read_task_json", function!(read_task_json, 1))?;
    // Its JSON twin is Task#to_json.
    module.define_singleton_method("return_task", function!(Task::again, 1))
}

//! `TaskerCore::Native::Bench`: the crossings of the boundary alone, without a database behind them. `bench/ffi`
//! measures them in the extension as it is shipped, and specs hold the typed ones and their JSON twins equal. Each
//! has one object of Rust's to look at, as a handle's and a task's methods have.

use magnus::prelude::*;
use magnus::{Error, RHash, RModule, RString, Ruby, function, method};
use tasker_core::ffi::shared::json_text::read_json;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::types::CreateTaskInput;

use crate::call::Call;
use crate::convert::input::FromRHash;
use crate::errors::{Failure, guarded};
use crate::handle::Handle;
use crate::task::Task;

#[magnus::wrap(class = "TaskerCore::Native::Bench", free_immediately, size)]
pub struct Bench;

impl Bench {
    fn new() -> Self {
        Self
    }

    /// A transaction on the handle's database that writes one small row.
    fn commit(handle: &Handle) -> Result<Call, Failure> {
        guarded(|| Ok(Call::unit(handle.core().bare_commit())))
    }

    /// What any call costs.
    fn nothing(&self) {}

    /// Reads the options of `create_task`, and lets go of them.
    fn read_task(&self, input: RHash) -> Result<(), Failure> {
        guarded(|| {
            CreateTaskInput::from_rhash(input, &Limits::default())?;
            Ok(())
        })
    }

    /// The slow twin of `read_task`: the same from JSON text.
    fn read_task_json(&self, text: RString) -> Result<(), Failure> {
        guarded(|| {
            read_json::<CreateTaskInput>(&text.to_string()?, &Limits::default())?;
            Ok(())
        })
    }
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Bench", ruby.class_object())?;
    class.define_singleton_method("new", function!(Bench::new, 0))?;
    class.define_singleton_method("commit", function!(Bench::commit, 1))?;
    class.define_method("nothing", method!(Bench::nothing, 0))?;
    class.define_method("read_task", method!(Bench::read_task, 1))?;
    class.define_method("read_task_json", method!(Bench::read_task_json, 1))?;
    // Hands its argument's snapshot out again, in an object of its own; the JSON twin is Task#to_json.
    class.define_singleton_method("return_task", function!(Task::again, 1))
}

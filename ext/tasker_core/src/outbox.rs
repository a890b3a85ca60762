//! `TaskerCore::Native::Prepared`: tasks that were checked, and have ids, and are not created yet. And what a handle does
//! with them and with outboxes.

use magnus::prelude::*;
use magnus::{Error, RArray, RClass, RHash, RModule, RString, Ruby, method};
use tasker_core::ffi::shared::call::Call as CoreCall;
use tasker_core::ffi::shared::orchestration_handle::outbox::PreparedTasks;

use crate::call::Call;
use crate::convert::output::{id, strings, text_or_nil};
use crate::errors::{Failure, guarded};
use crate::handle::Handle;
use crate::task::Task;

#[magnus::wrap(class = "TaskerCore::Native::Prepared", free_immediately, size)]
pub struct Prepared {
    tasks: PreparedTasks,
}

impl Prepared {
    fn call(core: CoreCall<PreparedTasks>) -> Call {
        Call::new(core, |ruby, tasks| Ok(ruby.obj_wrap(Self { tasks }).as_value()))
    }

    fn ids(ruby: &Ruby, this: &Self) -> Result<RArray, Failure> {
        let ids: Vec<String> = this.tasks.ids().map(|id| id.to_string()).collect();
        Ok(strings(ruby, ids.iter().map(String::as_str))?)
    }

    /// Each as it is to be.
    fn views(ruby: &Ruby, this: &Self, handle: &Handle) -> Result<RArray, Failure> {
        let views = ruby.ary_new();
        for view in this.tasks.views() {
            views.push(Task::object(ruby, handle.core(), view))?;
        }
        Ok(views)
    }

    /// Each as text, for an outbox.
    fn letters(ruby: &Ruby, this: &Self) -> Result<RArray, Failure> {
        guarded(|| {
            let letters = this.tasks.letters()?;
            Ok(strings(ruby, letters.iter().map(String::as_str))?)
        })
    }
}

impl Handle {
    fn prepare_task(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(Prepared::call(self.core().prepare_task(self.read(input)?))))
    }

    fn prepare_tasks(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(Prepared::call(self.core().prepare_tasks(self.read(input)?))))
    }

    fn create_prepared(&self, prepared: &Prepared) -> Result<Call, Failure> {
        guarded(|| {
            Ok(Call::new(self.core().create_prepared(&prepared.tasks), |ruby, ids| {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                Ok(strings(ruby, ids.iter().map(String::as_str))?.as_value())
            }))
        })
    }

    fn create_from_outbox(&self, task: String, letter: RString) -> Result<Call, Failure> {
        guarded(|| {
            let made = self.core().create_from_outbox(&task, &letter.to_string()?);
            Ok(Call::new(made, |ruby, task| Ok(id(ruby, task))))
        })
    }

    fn expand_outbox(&self, ids: Option<RArray>) -> Result<Call, Failure> {
        guarded(|| {
            let ids: Option<Vec<String>> = ids.map(RArray::to_vec).transpose()?;
            Ok(Call::new(self.core().expand_outbox(ids), |ruby, made| {
                let tasks = ruby.hash_new();
                for (row, task) in made {
                    tasks.aset(id(ruby, row), id(ruby, task))?;
                }
                Ok(tasks.as_value())
            }))
        })
    }

    fn outbox_place(&self) -> Result<Call, Failure> {
        guarded(|| {
            let place = self.core().outbox_place();
            Ok(Call::new(place, |ruby, place| Ok(text_or_nil(ruby, place.as_deref()))))
        })
    }
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Prepared", ruby.class_object())?;
    class.define_method("ids", method!(Prepared::ids, 0))?;
    class.define_method("views", method!(Prepared::views, 1))?;
    class.define_method("letters", method!(Prepared::letters, 0))?;
    let handle: RClass = native.const_get("Handle")?;
    handle.define_method("prepare_task", method!(Handle::prepare_task, 1))?;
    handle.define_method("prepare_tasks", method!(Handle::prepare_tasks, 1))?;
    handle.define_method("create_prepared", method!(Handle::create_prepared, 1))?;
    handle.define_method("create_from_outbox", method!(Handle::create_from_outbox, 2))?;
    handle.define_method("expand_outbox", method!(Handle::expand_outbox, 1))?;
    handle.define_method("outbox_place", method!(Handle::outbox_place, 0))
}

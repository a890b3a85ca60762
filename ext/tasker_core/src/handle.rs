//! `TaskerCore::Native::Handle`: the hold on one open engine. Its methods return at once, most of
//! them with a Call.

use std::sync::Arc;

use magnus::prelude::*;
use magnus::{Error, RArray, RHash, RModule, RString, Ruby, Value, function, method};
use tasker_core::domain::fault::Faults;
use tasker_core::domain::json::Json;
use tasker_core::engine::catalog::StoredTemplate;
use tasker_core::engine::error::EngineError;
use tasker_core::ffi::shared::json_text::read_json;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::types::{AnnotateInput, AnnotationsInput, OpenInput, WaitInput, WorkerInput};
use tasker_core::storage::rows::QueuePause;

use crate::call::Call;
use crate::check::key_of;
use crate::convert::input::FromRHash;
use crate::convert::json_out::to_ruby;
use crate::convert::output::{Record, strings, text, text_or_nil, time};
use crate::errors::{Failure, guarded};
use crate::handle_info::HandleInfo;
use crate::probes::Probes;
use crate::signal::Signal;
use crate::subscription::Subscription;
use crate::task::Task;
use crate::worker::Worker;
use crate::{annotation, step, transition};

#[magnus::wrap(class = "TaskerCore::Native::Handle", free_immediately, size, frozen_shareable)]
pub struct Handle(Arc<OrchestrationHandle>);

impl Handle {
    pub fn core(&self) -> &Arc<OrchestrationHandle> {
        &self.0
    }

    fn open(options: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let (place, options) = OpenInput::from_rhash(options, &Limits::default())?.into_place()?;
            let opened = OrchestrationHandle::open(place, options)?;
            Ok(Call::new(opened, |ruby, handle| Ok(ruby.obj_wrap(Self(handle)).as_value())))
        })
    }

    /// Checks a template without a database; gives its namespace, name and version.
    fn check_template(ruby: &Ruby, this: &Self, template: RHash) -> Result<RArray, Failure> {
        guarded(|| key_of(ruby, this.read(template)?))
    }

    fn register(&self, template: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(Call::new(self.0.register(self.read(template)?), normal_of)))
    }

    /// Checks a template against the database as well.
    fn compare(&self, template: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(Call::unit(self.0.compare(self.read(template)?))))
    }

    fn find_template(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(Call::new(self.0.find_template(self.read(input)?), normal_of)))
    }

    fn create_task(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(Task::call(&self.0, self.0.create_task(self.read(input)?))))
    }

    /// The slow twin of `create_task`: the same from JSON text.
    fn create_task_json(&self, text: RString) -> Result<Call, Failure> {
        guarded(|| {
            let input = read_json(&text.to_string()?, self.0.limits())?;
            Ok(Task::call(&self.0, self.0.create_task(input)))
        })
    }

    fn create_tasks(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let created = self.0.create_tasks(self.read(input)?);
            Ok(Call::new(created, |ruby, ids| {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                Ok(strings(ruby, ids.iter().map(String::as_str))?.as_value())
            }))
        })
    }

    fn task(&self, id: String) -> Result<Call, Failure> {
        guarded(|| Ok(Task::call(&self.0, self.0.task(&id))))
    }

    fn tasks(&self, filter: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let handle = self.0.clone();
            Ok(Call::new(self.0.tasks(self.read(filter)?), move |ruby, views| {
                let tasks = ruby.ary_new_capa(views.len());
                for view in views {
                    tasks.push(Task::object(ruby, &handle, view))?;
                }
                Ok(tasks.as_value())
            }))
        })
    }

    fn count(&self, filter: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let counted = self.0.count(self.read(filter)?);
            Ok(Call::new(counted, |ruby, count| Ok(ruby.integer_from_u64(count).as_value())))
        })
    }

    /// Purges for a while: how many tasks were deleted, and where to go on, nil at the end.
    fn purge(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| {
            Ok(Call::new(self.0.purge(self.read(input)?), |ruby, purged| {
                let next = purged.next.map(|moment| moment.0);
                Ok(Record::new(ruby).set("deleted", purged.deleted)?.set("from", next)?.frozen().as_value())
            }))
        })
    }

    /// Pauses a queue; the fields of the pause.
    fn pause_queue(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| {
            Ok(Call::new(self.0.pause_queue(self.read(input)?), |ruby, pause| Ok(pause_of(ruby, &pause)?.as_value())))
        })
    }

    fn resume_queue(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(Call::new(self.0.resume_queue(self.read(input)?), |ruby, resumed| Ok(ruby.into_value(resumed)))))
    }

    fn paused_queues(&self) -> Result<Call, Failure> {
        guarded(|| {
            Ok(Call::new(self.0.paused_queues(), |ruby, pauses| {
                let found = ruby.ary_new_capa(pauses.len());
                for pause in &pauses {
                    found.push(pause_of(ruby, pause)?)?;
                }
                Ok(found.as_value())
            }))
        })
    }

    /// Checks that what a filter searches for is declared searchable.
    fn check_search(&self, filter: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(Call::unit(self.0.check_search(self.read(filter)?))))
    }

    fn worker(&self, options: RHash, wake: &Signal, interrupt: &Signal) -> Result<Call, Failure> {
        guarded(|| {
            let input: WorkerInput = self.read(options)?;
            let options = input.into_options(Arc::new(wake.raiser()?), Arc::new(interrupt.raiser()?))?;
            let handle = self.0.clone();
            Ok(Call::new(self.0.worker(options), move |ruby, started| {
                handle.adopt(started.worker());
                let worker = ruby.obj_wrap(Worker::new(started.worker().clone(), *handle.limits())?);
                started.keep();
                Ok(worker.as_value())
            }))
        })
    }

    fn info(ruby: &Ruby, this: &Self) -> Value {
        HandleInfo::object(ruby, this.0.info())
    }

    /// Whether `info` would say the same again.
    fn is_still(&self, before: Option<&HandleInfo>) -> bool {
        before.is_some_and(|before| self.0.is_still(before.core()))
    }

    fn subscribe(&self, options: RHash, wake: &Signal) -> Result<Call, Failure> {
        guarded(|| {
            let input = self.read(options)?;
            let subscribed = self.0.subscribe(input, Box::new(wake.raiser()?));
            Ok(Call::new(subscribed, |ruby, subscription| {
                Ok(ruby.obj_wrap(Subscription::new(subscription)).as_value())
            }))
        })
    }

    fn serve_probes(&self, options: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let served = self.0.serve_probes(self.read(options)?);
            Ok(Call::new(served, |ruby, probes| Ok(ruby.obj_wrap(Probes::new(probes)).as_value())))
        })
    }

    fn metrics(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Call::new(self.0.metrics(), |ruby, text| Ok(ruby.str_new(&text).as_value()))))
    }

    fn engine_id(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Call::new(self.0.engine_id(), |ruby, id| Ok(ruby.integer_from_u64(id).as_value()))))
    }

    fn id(&self) -> String {
        self.0.id().to_string()
    }

    fn expires_in(&self) -> Option<f64> {
        self.0.expires_in().map(|left| left.as_secs_f64())
    }

    fn is_expired(&self) -> bool {
        self.0.is_expired()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn is_valid(&self) -> bool {
        self.0.is_valid()
    }

    fn validate(&self) -> Result<(), Failure> {
        Ok(self.0.validate()?)
    }

    fn refresh(&self) -> Result<Self, Failure> {
        guarded(|| Ok(Self(self.0.refresh()?)))
    }

    fn close(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Call::unit(self.0.close())))
    }

    /// Reads an input within this handle's limits.
    pub fn read<T: FromRHash>(&self, input: RHash) -> Result<T, Faults> {
        T::from_rhash(input, self.0.limits())
    }
}

impl Task {
    fn reload(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Self::call(self.handle(), self.handle().task(&self.view().row.id.to_string()))))
    }

    fn steps(&self) -> Result<Call, Failure> {
        guarded(|| {
            let handle = self.handle().clone();
            let steps = self.handle().steps(self.view().row.id);
            Ok(Call::new(steps, move |ruby, views| step::objects(ruby, &handle, views)))
        })
    }

    fn history(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Call::new(self.handle().history(self.view().row.id), transition::objects)))
    }

    fn annotate(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let input = AnnotateInput::from_rhash(input, self.handle().limits())?;
            Ok(Call::new(self.handle().annotate(self.view().row.id, input), annotation::object))
        })
    }

    fn annotations(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let input = AnnotationsInput::from_rhash(input, self.handle().limits())?;
            Ok(Call::new(self.handle().annotations(self.view().row.id, input), annotation::objects))
        })
    }

    fn wait(&self, options: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let limit = WaitInput::from_rhash(options, self.handle().limits())?.into_limit()?;
            Ok(Self::call(self.handle(), self.handle().wait(self.view().row.id, limit)))
        })
    }
}

/// The operations of a task that query: they stand beside the handle's.
pub fn init_task(task: magnus::RClass) -> Result<(), Error> {
    task.define_private_method("native_reload", method!(Task::reload, 0))?;
    task.define_private_method("native_steps", method!(Task::steps, 0))?;
    task.define_private_method("native_history", method!(Task::history, 0))?;
    task.define_private_method("native_annotate", method!(Task::annotate, 1))?;
    task.define_private_method("native_annotations", method!(Task::annotations, 1))?;
    task.define_private_method("native_wait", method!(Task::wait, 1))
}

/// The normalised form of a template.
fn normal_of(ruby: &Ruby, stored: Arc<StoredTemplate>) -> Result<Value, Failure> {
    let normal = Json::of(stored.template.normal());
    to_ruby(ruby, &normal.map_err(|error| EngineError::internal(error.to_string()))?)
}

fn pause_of(ruby: &Ruby, pause: &QueuePause) -> Result<RHash, Error> {
    let record = Record::new(ruby)
        .set("queue", text(ruby, &pause.queue))?
        .set("namespace", text_or_nil(ruby, pause.namespace.as_deref()))?
        .set("paused_at", time(ruby, pause.at)?)?
        .set("by", text_or_nil(ruby, pause.by.as_deref()))?
        .set("reason", text_or_nil(ruby, pause.reason.as_deref()))?;
    Ok(record.frozen())
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Handle", ruby.class_object())?;
    class.define_singleton_method("open", function!(Handle::open, 1))?;
    class.define_method("check_template", method!(Handle::check_template, 1))?;
    class.define_method("register", method!(Handle::register, 1))?;
    class.define_method("compare", method!(Handle::compare, 1))?;
    class.define_method("find_template", method!(Handle::find_template, 1))?;
    class.define_method("create_task", method!(Handle::create_task, 1))?;
    class.define_method("create_task_json", method!(Handle::create_task_json, 1))?;
    class.define_method("create_tasks", method!(Handle::create_tasks, 1))?;
    class.define_method("task", method!(Handle::task, 1))?;
    class.define_method("tasks", method!(Handle::tasks, 1))?;
    class.define_method("count", method!(Handle::count, 1))?;
    class.define_method("purge", method!(Handle::purge, 1))?;
    class.define_method("pause_queue", method!(Handle::pause_queue, 1))?;
    class.define_method("resume_queue", method!(Handle::resume_queue, 1))?;
    class.define_method("paused_queues", method!(Handle::paused_queues, 0))?;
    class.define_method("check_search", method!(Handle::check_search, 1))?;
    class.define_method("worker", method!(Handle::worker, 3))?;
    class.define_method("subscribe", method!(Handle::subscribe, 2))?;
    class.define_method("serve_probes", method!(Handle::serve_probes, 1))?;
    class.define_method("metrics", method!(Handle::metrics, 0))?;
    class.define_method("engine_id", method!(Handle::engine_id, 0))?;
    class.define_method("info", method!(Handle::info, 0))?;
    class.define_method("still?", method!(Handle::is_still, 1))?;
    class.define_method("id", method!(Handle::id, 0))?;
    class.define_method("expires_in", method!(Handle::expires_in, 0))?;
    class.define_method("expired?", method!(Handle::is_expired, 0))?;
    class.define_method("closed?", method!(Handle::is_closed, 0))?;
    class.define_method("valid?", method!(Handle::is_valid, 0))?;
    class.define_method("validate!", method!(Handle::validate, 0))?;
    class.define_method("refresh", method!(Handle::refresh, 0))?;
    class.define_method("close", method!(Handle::close, 0))?;
    crate::operations::init_handle(class)?;
    crate::performance::init(class)
}

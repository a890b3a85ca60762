//! `TaskerCore::Native::Handle`: the hold on one open engine. Its methods return at once, most of
//! them with a Call.

use std::sync::Arc;
use std::time::Duration;

use magnus::prelude::*;
use magnus::{Error, RHash, RModule, RString, Ruby, Value, function, method};
use serde::Deserialize;
use tasker_core::domain::fault::Fault;
use tasker_core::domain::json::Json;
use tasker_core::domain::template::TemplateInput;
use tasker_core::domain::time::seconds;
use tasker_core::engine::EngineOptions;
use tasker_core::engine::error::EngineError;
use tasker_core::engine::worker::WorkerOptions;
use tasker_core::ffi::shared::event_bridge::SubscribeInput;
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::orchestration_system::Place;
use tasker_core::ffi::shared::types::{CreateTaskInput, CreateTasksInput, ListTasksInput};
use tasker_core::storage::url::{DatabaseUrl, StoreOptions};

use crate::bench::task_from_json;
use crate::call::Call;
use crate::convert::input::FromRHash;
use crate::convert::json_out::to_ruby;
use crate::convert::output::strings;
use crate::errors::{Failure, guarded};
use crate::handle_info::HandleInfo;
use crate::signal::Signal;
use crate::subscription::Subscription;
use crate::task::Task;
use crate::worker::Worker;
use crate::{step, transition};

#[magnus::wrap(class = "TaskerCore::Native::Handle", free_immediately, size, frozen_shareable)]
pub struct Handle(Arc<OrchestrationHandle>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenInput {
    url: String,
    ttl: Option<f64>,
    pool: Option<i64>,
    acquire_timeout: Option<f64>,
    lease: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkerInput {
    threads: i64,
    queues: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitInput {
    timeout: Option<f64>,
}

/// A span in seconds above zero.
fn span(path: &str, value: Option<f64>) -> Result<Option<Duration>, Fault> {
    let Some(value) = value else { return Ok(None) };
    let found = seconds(value).filter(|span| !span.is_zero());
    let wrong = || Fault::new(path, "is a number of seconds above 0").with("seconds above 0", value.to_string());
    found.map(Some).ok_or_else(wrong)
}

/// A span in seconds, zero among them.
pub fn timeout(value: Option<f64>) -> Result<Option<Duration>, Fault> {
    let Some(value) = value else { return Ok(None) };
    let wrong = || Fault::new("timeout", "is a number of seconds").with("seconds", value.to_string());
    seconds(value).map(Some).ok_or_else(wrong)
}

impl OpenInput {
    fn place(&self) -> Result<Place, Failure> {
        let mut store = StoreOptions::default();
        let mut engine = EngineOptions::default();
        if let Some(pool) = self.pool {
            let fits = u32::try_from(pool).ok().filter(|pool| (1..=1_000).contains(pool));
            store.pool = fits.ok_or_else(|| Fault::new("pool", "is 1 to 1000").with("1 to 1000", pool.to_string()))?;
        }
        if let Some(limit) = span("acquire_timeout", self.acquire_timeout)? {
            store.acquire_timeout = limit;
        }
        if let Some(lease) = span("lease", self.lease)? {
            engine.lease = lease;
        }
        let url = DatabaseUrl::parse(&self.url).map_err(EngineError::from)?;
        Ok(Place { url, store, engine })
    }
}

impl Handle {
    fn open(options: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let input = OpenInput::from_rhash(options)?;
            let opened = OrchestrationHandle::open(input.place()?, span("ttl", input.ttl)?)?;
            Ok(Call::new(opened, |ruby, handle| Ok(ruby.obj_wrap(Self(handle)).as_value())))
        })
    }

    fn register(&self, template: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let registered = self.0.register(TemplateInput::from_rhash(template)?);
            Ok(Call::new(registered, |ruby, stored| {
                let normal = Json::of(stored.template.normal());
                let normal = normal.map_err(|error| EngineError::Internal(error.to_string()))?;
                to_ruby(ruby, &normal)
            }))
        })
    }

    fn create_task(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| Ok(Task::call(&self.0, self.0.create_task(CreateTaskInput::from_rhash(input)?))))
    }

    /// The slow twin of `create_task`: the same from JSON text.
    fn create_task_json(&self, text: RString) -> Result<Call, Failure> {
        guarded(|| Ok(Task::call(&self.0, self.0.create_task(task_from_json(&text.to_string()?)?))))
    }

    fn create_tasks(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let created = self.0.create_tasks(CreateTasksInput::from_rhash(input)?);
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
            Ok(Call::new(self.0.tasks(ListTasksInput::from_rhash(filter)?), move |ruby, views| {
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
            let counted = self.0.count(ListTasksInput::from_rhash(filter)?);
            Ok(Call::new(counted, |ruby, count| Ok(ruby.integer_from_u64(count).as_value())))
        })
    }

    fn worker(&self, options: RHash, wake: &Signal) -> Result<Call, Failure> {
        guarded(|| {
            let input = WorkerInput::from_rhash(options)?;
            let threads = usize::try_from(input.threads).ok().filter(|threads| (1..=1_000).contains(threads));
            let wrong = || Fault::new("threads", "is 1 to 1000").with("1 to 1000", input.threads.to_string());
            let threads = threads.ok_or_else(wrong)?;
            let signal = wake.open()?;
            let options = WorkerOptions { threads, queues: input.queues, wake: Arc::new(move || signal.raise()) };
            let handle = self.0.clone();
            Ok(Call::new(self.0.worker(options), move |ruby, worker| {
                handle.adopt(&worker);
                Ok(ruby.obj_wrap(Worker::new(worker)?).as_value())
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
            let input = SubscribeInput::from_rhash(options)?;
            let signal = wake.open()?;
            let subscribed = self.0.subscribe(input, Box::new(move || signal.raise()));
            Ok(Call::new(subscribed, |ruby, subscription| {
                Ok(ruby.obj_wrap(Subscription::new(subscription)).as_value())
            }))
        })
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
}

impl Task {
    fn reload(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Self::call(self.handle(), self.handle().task(&self.view().row.id.to_string()))))
    }

    fn steps(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Call::new(self.handle().steps(self.view().row.id), step::objects)))
    }

    fn history(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Call::new(self.handle().history(self.view().row.id), transition::objects)))
    }

    fn wait(&self, options: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let limit = timeout(WaitInput::from_rhash(options)?.timeout)?;
            Ok(Self::call(self.handle(), self.handle().wait(self.view().row.id, limit)))
        })
    }
}

/// The operations of a task that query: they stand beside the handle's.
pub fn init_task(task: magnus::RClass) -> Result<(), Error> {
    task.define_private_method("native_reload", method!(Task::reload, 0))?;
    task.define_private_method("native_steps", method!(Task::steps, 0))?;
    task.define_private_method("native_history", method!(Task::history, 0))?;
    task.define_private_method("native_wait", method!(Task::wait, 1))
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Handle", ruby.class_object())?;
    class.define_singleton_method("open", function!(Handle::open, 1))?;
    class.define_method("register", method!(Handle::register, 1))?;
    class.define_method("create_task", method!(Handle::create_task, 1))?;
    class.define_method("create_task_json", method!(Handle::create_task_json, 1))?;
    class.define_method("create_tasks", method!(Handle::create_tasks, 1))?;
    class.define_method("task", method!(Handle::task, 1))?;
    class.define_method("tasks", method!(Handle::tasks, 1))?;
    class.define_method("count", method!(Handle::count, 1))?;
    class.define_method("worker", method!(Handle::worker, 2))?;
    class.define_method("subscribe", method!(Handle::subscribe, 2))?;
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
    class.define_method("close", method!(Handle::close, 0))
}

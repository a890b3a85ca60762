//! What a suite made through one handle, and its way back: templates with all their tasks, tasks of
//! other templates, and the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use validator::Validate;

use super::database_name;
use crate::domain::fault::{Fault, Faults};
use crate::domain::id::TaskId;
use crate::domain::time::{Timestamp, seconds};
use crate::engine::Engine;
use crate::engine::catalog::Registry;
use crate::engine::error::{EngineError, Result};
use crate::engine::transactions::look::Versions;
use crate::engine::transactions::remove::{RemoveTasks, RemoveTemplate};
use crate::ffi::shared::call::Call;
use crate::ffi::shared::orchestration_handle::OrchestrationHandle;
use crate::ffi::shared::orchestration_system::OrchestrationSystem;
use crate::ffi::shared::reading::Input;
use crate::ffi::shared::types::{parse_task_id, rules};
use crate::ffi::shared::validation;
use crate::storage::Store;
use crate::storage::url::DatabaseUrl;

/// How many tasks one transaction removes.
const CHUNK: usize = 500;
/// How far the clock can be moved in all.
const CENTURY: Duration = Duration::from_secs(100 * 366 * 86_400);

/// How far to move the clock.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct AdvanceInput {
    #[validate(custom(function = "rules::limit"))]
    seconds: f64,
    /// Whether it goes back.
    #[serde(default)]
    back: bool,
}

impl Input for AdvanceInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl AdvanceInput {
    /// So far, and whether back.
    ///
    /// # Errors
    /// When it breaks its rule.
    pub fn into_span(self) -> Result<(Duration, bool), Faults> {
        self.check()?;
        Ok((seconds(self.seconds).unwrap_or_default(), self.back))
    }
}

/// The key of a stored template version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Input for TemplateKey {
    /// It is that of a template, whose own rules it has kept.
    fn check(&self) -> Result<(), Faults> {
        Ok(())
    }
}

/// See the module.
pub struct Factories {
    handle: Arc<OrchestrationHandle>,
    made: Arc<Mutex<Made>>,
}

#[derive(Default)]
struct Made {
    templates: Vec<TemplateKey>,
    tasks: Vec<TaskId>,
    /// The clocks that were moved, and how far, in microseconds: a database that is opened again has another.
    moved: Vec<(Arc<AtomicI64>, i64)>,
}

impl Factories {
    /// Factories on a handle's database. `force` lets them be on one whose name does not say that it is for tests.
    ///
    /// # Errors
    /// See [`database_name::check`].
    pub fn on(handle: Arc<OrchestrationHandle>, force: bool) -> Result<Self> {
        if !force {
            database_name::check(handle.url())?;
        }
        Ok(Self { handle, made: Arc::default() })
    }

    /// Says that this template version is about to be registered. It goes with the rest if it is not
    /// stored by now; true then.
    pub fn note_template(&self, key: TemplateKey) -> Call<bool> {
        let made = self.made.clone();
        self.handle.run(|engine, _| async move {
            let stored = Versions { namespace: key.namespace.clone(), name: key.name.clone() };
            let is_new = engine.store().read(stored).await?.iter().all(|row| row.version != key.version);
            if is_new {
                made.lock().templates.push(key);
            }
            Ok(is_new)
        })
    }

    /// Says that this task was made.
    ///
    /// # Errors
    /// When it is no task's id.
    pub fn note_task(&self, id: &str) -> Result<()> {
        let id = parse_task_id(id)?;
        self.made.lock().tasks.push(id);
        Ok(())
    }

    /// The database's clock.
    pub fn now(&self) -> Call<Timestamp> {
        self.handle.run(|engine, _| async move { engine.now().await })
    }

    /// Moves the clock, forward or `back`, for every handle of this process on the database, has everything
    /// looked at that has fallen due, and gives the new time. Other processes keep their time.
    ///
    /// # Errors
    /// The call's: [`EngineError::Validation`] when the clock would be over a hundred years off.
    pub fn advance(&self, span: Duration, back: bool) -> Call<Timestamp> {
        let made = self.made.clone();
        self.handle.run_on_system(move |system, _| async move {
            let clock = system.clock_offset();
            let span_us = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
            let step = if back { -span_us } else { span_us };
            let off = clock.load(Ordering::Relaxed).saturating_add(step);
            if off.unsigned_abs() > CENTURY.as_micros() as u64 {
                let way = if back { "behind" } else { "ahead" };
                let fault = Fault::new("seconds", format!("the clock would be over a hundred years {way}"));
                return Err(fault.with("less than a hundred years in all", span.as_secs().to_string()).into());
            }
            let shift = || {
                clock.fetch_add(step, Ordering::Relaxed);
                made.lock().moved.push((clock.clone(), step));
            };
            system.engine().move_clock(shift).await;
            system.engine().now().await
        })
    }

    /// Removes what was made and moves the clock back. Steps that a worker holds are removed too: what
    /// it reports of them is late. An expired or closed handle is no hindrance, nor a file that is
    /// gone. What could not be removed is tried again by the next call.
    pub fn clean_up(&self) -> Call<()> {
        let made = self.made.clone();
        if self.handle.is_closed() && is_gone(self.handle.url()) {
            let gone = std::mem::take(&mut *made.lock());
            put_back(&gone.moved);
            return Call::done(Ok(()));
        }
        self.handle.run_anyway(|system: Arc<OrchestrationSystem>, handle| async move {
            let engine = system.engine();
            engine.move_clock(|| put_back(&std::mem::take(&mut made.lock().moved))).await;
            remove_templates(engine, handle.registry(), &made).await?;
            remove_tasks(engine, &made).await
        })
    }
}

/// Moves clocks back by what they were moved.
fn put_back(moved: &[(Arc<AtomicI64>, i64)]) {
    for (clock, step) in moved {
        clock.fetch_sub(*step, Ordering::Relaxed);
    }
}

/// Whether the database that nobody of this process has open is no more: opening it would make another.
fn is_gone(url: &DatabaseUrl) -> bool {
    match url {
        DatabaseUrl::Sqlite(place) => place.path.as_ref().is_none_or(|path| !path.exists()),
        DatabaseUrl::Postgres(_) => false,
    }
}

async fn remove_templates(engine: &Engine, registry: &Registry, made: &Mutex<Made>) -> Result<()> {
    loop {
        let Some(key) = made.lock().templates.last().cloned() else { return Ok(()) };
        let TemplateKey { namespace, name, version } = key.clone();
        registry.remove(&namespace, &name, &version);
        engine.store().write(RemoveTemplate { namespace, name, version }).await?;
        made.lock().templates.retain(|other| *other != key);
    }
}

async fn remove_tasks(engine: &Engine, made: &Mutex<Made>) -> Result<()> {
    loop {
        let ids: Vec<TaskId> = made.lock().tasks.iter().rev().take(CHUNK).copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        engine.store().write(RemoveTasks { ids: ids.clone() }).await.map_err(EngineError::from)?;
        made.lock().tasks.retain(|id| !ids.contains(id));
    }
}

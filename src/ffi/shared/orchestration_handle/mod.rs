//! The user's hold on one open engine. It holds `Arc`s of everything an operation needs, so that
//! no operation looks anything up in a global; only a fork makes it look again.
//!
//! Its methods are called on the host's threads and return at once, with a [`Call`]. Its life is here;
//! what is done through it is in `operations`, what is asked about how things go in `performance`.

mod annotations;
mod operations;
pub mod outbox;
mod performance;
mod upkeep;
mod watching;

use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OnceCell, watch};
use uuid::Uuid;

use super::call::Call;
use super::event_bridge::Subscription;
use super::handle_info::{HandleFacts, HandleInfo, HandleStatus, Pool};
use super::limits::Limits;
use super::orchestration_system::{OrchestrationSystem, Place};
use super::probes::Probes;
use super::process::Process;
use super::types::{DatabaseState, HandleOptions};
use crate::engine::Engine;
use crate::engine::catalog::Registry;
use crate::engine::error::{EngineError, Result};
use crate::engine::worker::Worker;
use crate::fault_point;
use crate::storage::url::DatabaseUrl;
use crate::storage::{AnyStore, Store};

/// See the module.
pub struct OrchestrationHandle {
    facts: Arc<HandleFacts>,
    registry: Arc<Registry>,
    state: Mutex<State>,
    /// Ends the waits on this handle when it is closed.
    closed: watch::Sender<bool>,
}

impl State {
    /// All that it holds, which it then has no more.
    fn take_all(&mut self) -> Self {
        mem::replace(self, Self::of(None))
    }

    fn of(attachment: Option<Attachment>) -> Self {
        Self { attachment, workers: Vec::new(), subscriptions: Vec::new(), probes: Vec::new() }
    }
}

/// Touched by the host's threads only; see [`super::process`].
struct State {
    attachment: Option<Attachment>,
    workers: Vec<Weak<Worker>>,
    subscriptions: Vec<Weak<Subscription>>,
    probes: Vec<Arc<Probes>>,
}

/// A handle's hold on a system of one process.
struct Attachment {
    process: &'static Process,
    system: Arc<OnceCell<Arc<OrchestrationSystem>>>,
}

impl OrchestrationHandle {
    /// Opens a database, or joins the pool of another handle on it.
    ///
    /// # Errors
    /// When there is no runtime and none can be started; the rest comes with the call.
    pub fn open(place: Place, options: HandleOptions) -> Result<Call<Arc<Self>>> {
        let process = Process::current()?;
        let handle = Arc::new(Self::new(place.fixed()?, options, Arc::default(), Attachment::new(process)));
        let opened = handle.run(|engine, handle| async move {
            drop(engine);
            Ok(handle)
        });
        Ok(opened)
    }

    /// Looks at a database without opening it: nothing is created, nothing migrated.
    ///
    /// # Errors
    /// When there is no runtime and none can be started; the rest comes with the call.
    pub fn examine(url: DatabaseUrl, commits: usize) -> Result<Call<DatabaseState>> {
        let process = Process::current()?;
        let looking = async move { Ok(DatabaseState::of(AnyStore::examine(&url, commits).await?)) };
        Ok(Call::start(process.runtime(), looking))
    }

    fn new(place: Place, options: HandleOptions, registry: Arc<Registry>, attachment: Attachment) -> Self {
        let facts = Arc::new(HandleFacts::new(place, options));
        Self { facts, registry, state: Mutex::new(State::of(Some(attachment))), closed: watch::Sender::new(false) }
    }

    /// Runs an operation on the runtime, with the engine of this process.
    pub(in crate::ffi) fn run<T, F>(
        self: &Arc<Self>,
        operation: impl FnOnce(Arc<Engine>, Arc<Self>) -> F + Send + 'static,
    ) -> Call<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.run_on_system(|system, handle| operation(system.engine().clone(), handle))
    }

    /// The same with all that this process has of the database.
    pub(in crate::ffi) fn run_on_system<T, F>(
        self: &Arc<Self>,
        operation: impl FnOnce(Arc<OrchestrationSystem>, Arc<Self>) -> F + Send + 'static,
    ) -> Call<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        match self.attach() {
            Err(error) => Call::done(Err(error)),
            Ok(Attachment { process, system: cell }) => {
                let handle = self.clone();
                Call::start(process.runtime(), async move {
                    fault_point!(Call);
                    let system =
                        cell.get_or_try_init(|| OrchestrationSystem::open(process, &handle.facts.place)).await?;
                    let done = operation(system.clone(), handle).await?;
                    fault_point!(Answer);
                    Ok(done)
                })
            }
        }
    }

    /// Runs an operation on its database even after it expired or was closed, as tests do that clean
    /// up. A closed one in memory has no database any more.
    pub(in crate::ffi) fn run_anyway<T, F>(
        self: &Arc<Self>,
        operation: impl FnOnce(Arc<OrchestrationSystem>, Arc<Self>) -> F + Send + 'static,
    ) -> Call<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let process = match Process::current() {
            Err(error) => return Call::done(Err(error)),
            Ok(process) => process,
        };
        let attached = self.state.lock().attachment.as_ref().filter(|at| at.process.pid() == process.pid()).cloned();
        if attached.is_none() && self.is_in_memory() {
            return Call::done(Err(EngineError::HandleClosed));
        }
        let handle = self.clone();
        let Attachment { system: cell, .. } = attached.unwrap_or_else(|| Attachment::new(process));
        Call::start(process.runtime(), async move {
            let system =
                cell.get_or_try_init(|| OrchestrationSystem::open(process, &handle.facts.place)).await?.clone();
            let done = operation(system.clone(), handle).await;
            // What was opened for this operation alone is closed when it has ended.
            drop(cell);
            OrchestrationSystem::release(system).await;
            done
        })
    }

    /// Whether its database lives in the memory of the process that opened it.
    pub fn is_in_memory(&self) -> bool {
        matches!(&self.facts.place.url, DatabaseUrl::Sqlite(url) if url.path.is_none())
    }

    /// The database.
    pub fn url(&self) -> &DatabaseUrl {
        &self.facts.place.url
    }

    /// The attachment of this process: made anew after a fork, whose parent's is left alone.
    fn attach(&self) -> Result<Attachment> {
        let mut state = self.state.lock();
        self.check(&state)?;
        match &state.attachment {
            None => Err(EngineError::HandleClosed),
            // Asking for the pid is all that a call pays for forks; nothing is looked up.
            Some(attachment) if attachment.process.pid() == std::process::id() => Ok(attachment.clone()),
            Some(_) if self.is_in_memory() => {
                let message = "a handle on sqlite::memory: cannot follow a fork: its database lives in the parent's \
                               memory; open a file, or open another handle in the child";
                Err(EngineError::Configuration(message.into()))
            }
            Some(_) => {
                let process = Process::current()?;
                mem::forget(state.take_all());
                Ok(state.attachment.insert(Attachment::new(process)).clone())
            }
        }
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.facts.id
    }

    /// How deep and large the free values may be that go through it.
    pub fn limits(&self) -> &Limits {
        &self.facts.options.limits
    }

    /// The templates registered on it.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// How long it is still valid; `None` when it does not expire.
    pub fn expires_in(&self) -> Option<Duration> {
        self.facts.options.ttl.map(|ttl| ttl.saturating_sub(self.facts.created.elapsed()))
    }

    /// Whether its ttl is over.
    pub fn is_expired(&self) -> bool {
        self.facts.is_expired()
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.state.lock().attachment.is_none()
    }

    /// Whether it can be used.
    pub fn is_valid(&self) -> bool {
        !self.is_closed() && !self.is_expired()
    }

    /// Says why it can't be used.
    ///
    /// # Errors
    /// [`EngineError::HandleClosed`] or [`EngineError::HandleExpired`].
    pub fn validate(&self) -> Result<()> {
        self.check(&self.state.lock())
    }

    fn check(&self, state: &State) -> Result<()> {
        match self.facts.options.ttl {
            _ if state.attachment.is_none() => Err(EngineError::HandleClosed),
            Some(ttl) if self.is_expired() => {
                Err(EngineError::HandleExpired { id: self.facts.id, age: self.facts.created.elapsed(), ttl })
            }
            _ => Ok(()),
        }
    }

    /// A new handle on the same database, with the same templates, ttl and limits.
    ///
    /// # Errors
    /// When this one is closed, or there is no runtime and none can be started.
    pub fn refresh(&self) -> Result<Arc<Self>> {
        let process = Process::current()?;
        let state = self.state.lock();
        let attachment = match &state.attachment {
            None => return Err(EngineError::HandleClosed),
            Some(attachment) if attachment.process.pid() == process.pid() => attachment.share(),
            Some(_) => Attachment::new(process),
        };
        Ok(Arc::new(Self::new(self.facts.place.clone(), self.facts.options, self.registry.clone(), attachment)))
    }

    /// What it is. It takes no lock that another thread might have held at a fork, and asks the system nothing.
    pub fn info(&self) -> HandleInfo {
        let (status, pool) = self.standing();
        HandleInfo::new(self.facts.clone(), status, pool)
    }

    /// Whether [`OrchestrationHandle::info`] would say the same as it did when it gave `before`.
    #[inline]
    pub fn is_still(&self, before: &HandleInfo) -> bool {
        let (status, pool) = self.standing();
        before.still_holds(&self.facts, status, pool.as_ref())
    }

    #[inline]
    fn standing(&self) -> (HandleStatus, Option<Pool>) {
        let state = self.state.lock();
        let status = match () {
            () if state.attachment.is_none() => HandleStatus::Closed,
            () if self.is_expired() => HandleStatus::Expired,
            () => HandleStatus::Active,
        };
        let pool = state.attachment.as_ref().and_then(|Attachment { process, system }| {
            Some(Pool { pid: process.pid(), facts: system.get()?.engine().store().facts() })
        });
        (status, pool)
    }

    /// Stops the workers started on it, ends its subscriptions and lets go of the database; the last
    /// handle on one closes it. Closing a closed handle does nothing.
    pub fn close(&self) -> Call<()> {
        let pid = std::process::id();
        let mut held = self.state.lock().take_all();
        let Some(attachment) = held.attachment.take() else { return Call::done(Ok(())) };
        self.closed.send_replace(true);
        if attachment.process.pid() != pid {
            mem::forget((attachment, held));
            return Call::done(Ok(()));
        }
        let State { workers, subscriptions, probes, .. } = held;
        Call::start(attachment.process.runtime(), async move {
            for worker in workers.iter().filter_map(Weak::upgrade) {
                worker.stop(Duration::ZERO).await;
            }
            subscriptions.iter().filter_map(Weak::upgrade).for_each(|subscription| subscription.finish());
            for probes in &probes {
                probes.end().await;
            }
            // Operations under way hold the cell too: they end normally, and the last of them closes.
            if let Some(system) = Arc::into_inner(attachment.system).and_then(OnceCell::into_inner) {
                OrchestrationSystem::release(system).await;
            }
            Ok(())
        })
    }
}

impl Attachment {
    fn new(process: &'static Process) -> Self {
        Self { process, system: Arc::default() }
    }

    /// A hold of its own on the same system.
    fn share(&self) -> Self {
        let system = self.system.get().map_or_else(OnceCell::new, |system| OnceCell::new_with(Some(system.clone())));
        Self { process: self.process, system: Arc::new(system) }
    }
}

impl Clone for Attachment {
    fn clone(&self) -> Self {
        Self { process: self.process, system: self.system.clone() }
    }
}

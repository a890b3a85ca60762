//! What happens to tasks: they are created, claimed, completed, recovered, looked at.
//!
//! * [`Engine`]: one open database of this process, shared by every handle on it.
//! * [`transactions`]: what changes in one commit. Start with [`transactions::settle`].
//! * [`worker`]: claimed steps in memory, and the loop that feeds and settles them.
//! * [`session`]: this process's lease, and the recovery of others'. [`waiting`]: `Task#wait`.
//! * [`events`]: what was committed, for those who listen. [`clock`]: time that tests move.
//! * [`meters`]: what is counted. [`operating`]: what people do by hand.
//! * [`creation`]: new tasks, gathered. [`checkpoints`]: what handlers save on their way, gathered.
//! * [`retention`]: tasks that go.
//! * [`outbox`]: tasks that applications asked for within transactions of their own.
//! * `queues`: which lanes a worker takes steps from, and pausing them.
//! * [`search`]: whether what is searched for was declared.
//! * [`catalog`]: templates in memory. `comparison`: whether one may be stored. [`intent`]: what a caller asks to create.

pub mod catalog;
mod checkpoints;
mod clock;
mod comparison;
pub mod creation;
pub mod error;
pub mod events;
pub mod intent;
pub mod meters;
pub mod operating;
pub mod outbox;
mod queues;
pub mod retention;
mod search;
pub mod session;
pub mod transactions;
pub mod waiting;
pub mod worker;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::id::TaskId;
use crate::domain::json::Json;
use crate::domain::template::Template;
use crate::storage::rows::TaskMoved;
use crate::storage::{AnyStore, Store};
use crate::troubles::Troubles;
use catalog::{Catalog, Registry, StoredTemplate, highest, unknown_template};
use checkpoints::Checkpoints;
use creation::Creations;
use error::{EngineError, Missing, Result};
use events::{Event, EventKind, Events};
use meters::Meters;
use session::Keeper;
use transactions::look::{Revision, TemplateNames, Versions};
use transactions::register::{Register, Registered};
use waiting::Waiters;
use worker::{Phase, Worker};

/// How the engine behaves.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How long this process's leases last without renewal. Renewed at a third of it.
    pub lease: Duration,
    /// How often an idle worker looks at the database, whatever it was told.
    pub poll: Duration,
    /// How long a task that ended is kept, by the workers of any process that says so; for ever where `None`.
    pub retention: Option<Duration>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { lease: Duration::from_secs(15), poll: Duration::from_secs(1), retention: None }
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One open database of this process.
pub struct Engine {
    store: AnyStore,
    options: EngineOptions,
    catalog: Arc<Catalog>,
    keeper: Keeper,
    waiters: Waiters,
    workers: Mutex<Vec<Weak<Worker>>>,
    bell: watch::Sender<u64>,
    revocations: watch::Sender<u64>,
    creations: Creations,
    checkpoints: Checkpoints,
    /// Counts what this process changes of paused queues.
    pauses: AtomicU64,
    /// Whether tasks are being made of the outbox in the background.
    expanding: AtomicBool,
    events: Arc<Events>,
    meters: Arc<Meters>,
    id: u64,
}

impl Engine {
    /// Takes an open store into service.
    pub fn new(store: AnyStore, options: EngineOptions) -> Arc<Self> {
        let catalog: Arc<Catalog> = Arc::default();
        let events = Events::new(store.feed().clone(), catalog.clone());
        Arc::new(Self {
            store,
            options,
            catalog,
            keeper: Keeper::default(),
            waiters: Waiters::default(),
            workers: Mutex::default(),
            bell: watch::Sender::new(0),
            revocations: watch::Sender::new(0),
            creations: Creations::default(),
            checkpoints: Checkpoints::default(),
            pauses: AtomicU64::new(0),
            expanding: AtomicBool::new(false),
            events,
            meters: Arc::default(),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// A number that no other engine of this process has or had.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The store.
    pub fn store(&self) -> &AnyStore {
        &self.store
    }

    /// Every template that this process has met.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Those who listen to what happens.
    pub fn events(&self) -> &Arc<Events> {
        &self.events
    }

    /// What this process counts.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// What went wrong in the background, to be shown to people.
    pub fn troubles(&self) -> &Troubles {
        self.store.troubles()
    }

    /// Stores a template and registers it on a handle.
    ///
    /// # Errors
    /// [`EngineError::Validation`], with every difference, when a task uses this version with another graph or
    /// other schemas.
    pub async fn register(&self, registry: &Registry, template: Template) -> Result<Arc<StoredTemplate>> {
        let json = |value: serde_json::Result<Json>| value.map_err(|error| EngineError::internal(error.to_string()));
        let (normal, fixed) = (json(Json::of(template.normal()))?, json(Json::of(&template.fixed()))?);
        let template = Arc::new(template);
        let registered = self.store.write(Register { template: template.clone(), normal, fixed }).await?;
        let (named_task, revision, lanes) = match registered {
            Registered::Done { named_task, revision, lanes } => (named_task, revision, lanes),
            Registered::InUse { fixed } => return Err(template.conflict(&fixed).into()),
        };
        self.catalog.keep_lanes(lanes);
        let template = Arc::try_unwrap(template).unwrap_or_else(|shared| (*shared).clone());
        let stored = Arc::new(StoredTemplate { template, named_task, revision });
        self.catalog.keep(stored.clone());
        registry.add(stored.clone());
        self.events.tell(EventKind::HandlerRegistered, |event| Event { template: Some(stored.clone()), ..event });
        self.ring();
        Ok(stored)
    }

    /// The template that a new task is to run: the handle's own registration, else the latest of
    /// the database; without a version the highest one.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], with the nearest known name.
    pub async fn template(
        &self,
        registry: &Registry,
        namespace: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Arc<StoredTemplate>> {
        if let Some(stored) = registry.find(namespace, name, version) {
            return Ok(stored);
        }
        let stored = Versions { namespace: namespace.into(), name: name.into() };
        let stored = self.store.read(stored).await?;
        let found = match version {
            Some(version) => stored.iter().find(|row| row.version == version),
            None => highest(stored.iter().map(|row| (row.version.as_str(), row))),
        };
        let Some(found) = found else {
            if let Some(version) = version.filter(|_| !stored.is_empty()) {
                let known: Vec<&str> = stored.iter().map(|row| row.version.as_str()).collect();
                let message = format!(
                    "the task {name:?} in the namespace {namespace:?} has no version {version:?}; there are: {}",
                    known.join(", ")
                );
                return Err(EngineError::not_found(Missing::Version, version, message));
            }
            let mut known = self.store.read(TemplateNames {}).await?;
            known.extend(
                registry.all().iter().map(|stored| (stored.template.namespace.clone(), stored.template.name.clone())),
            );
            known.sort_unstable();
            known.dedup();
            return Err(unknown_template(namespace, name, &known));
        };
        let wanted = Revision { id: found.revision, catalog: self.catalog.clone() };
        let gone = || {
            let message = format!("the task {name:?} in the namespace {namespace:?} was just replaced");
            EngineError::not_found(Missing::Template, name, message)
        };
        self.store.read(wanted).await?.ok_or_else(gone)
    }

    /// Adds a worker that new tasks may be handed to.
    fn enlist(&self, worker: &Arc<Worker>) {
        let mut workers = self.workers.lock();
        workers.retain(|worker| worker.strong_count() > 0);
        workers.push(Arc::downgrade(worker));
    }

    /// The workers of this process that have not ended.
    pub fn workers(&self) -> Vec<Arc<Worker>> {
        let workers = self.workers.lock();
        workers.iter().filter_map(Weak::upgrade).filter(|worker| worker.phase() != Phase::Stopped).collect()
    }

    /// Whether this process has a session whose lease is not about to run out.
    pub fn is_leased(&self) -> bool {
        self.keeper.key().is_some_and(|key| self.keeper.is_fresh(key, self.options.lease))
    }

    /// Wakes the workers of this process.
    fn ring(&self) {
        self.bell.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Wakes the workers of this process and, soon, those of others.
    fn ready_for_others(&self) {
        self.ring();
        self.store.announce();
    }

    /// Says that steps were moved which a worker, of this process or another, may hold: each looks at
    /// once which of its own they are, drops them and tells their handlers.
    pub fn revoked(&self) {
        self.revocations.send_modify(|n| *n = n.wrapping_add(1));
        self.store.announce();
    }

    /// Tells those who wait that tasks ended.
    fn tasks_moved(&self, moved: &[TaskMoved]) {
        let ended: HashSet<TaskId> = moved.iter().filter(|task| task.to.is_ended()).map(|task| task.id).collect();
        if !ended.is_empty() {
            self.waiters.ended(&ended);
            self.store.announce();
        }
    }

    /// Ends the workers, gives back what they hold, and closes the store.
    pub async fn close(&self) {
        let workers: Vec<Arc<Worker>> = self.workers.lock().drain(..).filter_map(|worker| worker.upgrade()).collect();
        for worker in workers {
            worker.stop(Duration::ZERO).await;
        }
        self.keeper.close(&self.store).await;
        self.store.close().await;
        self.waiters.close();
        self.events.close();
    }
}

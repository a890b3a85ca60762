//! What this process committed, told to those who listen: every transition of tasks and steps in the
//! order of the commits, and what happens to handlers, leases and workers.
//!
//! A [`Listener`] is called on the thread that committed and must not block. What it does with an
//! event (a bounded queue, another thread) is its own affair. While nobody listens nothing is gathered.

mod kind;

use std::borrow::Cow;
use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;

pub use kind::{EventKind, Kinds};

use super::catalog::{Catalog, StoredTemplate};
use crate::domain::id::{SessionId, StepIndex, TaskId};
use crate::domain::json::Json;
use crate::domain::time::Timestamp;
use crate::storage::feed::{Feed, Recorded, Told};
use crate::storage::rows::{StepTransition, TaskTransition};

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// When: by the database's clock for a transition, by this process's for the rest.
    pub at: Timestamp,
    /// The task.
    pub task: Option<TaskId>,
    /// The template, of a task, a step or a handler.
    pub template: Option<Arc<StoredTemplate>>,
    /// The step's index.
    pub step: Option<StepIndex>,
    /// The state before; none at a creation.
    pub from: Option<&'static str>,
    /// The state after.
    pub to: Option<&'static str>,
    /// The attempt of a step; 0 before the first.
    pub attempt: Option<u16>,
    /// The session of the process that did it, or that it happened to.
    pub session: Option<SessionId>,
    /// Error, reason and the like; an object.
    pub metadata: Option<Json>,
}

impl Event {
    fn new(kind: EventKind, at: Timestamp) -> Self {
        Self {
            kind,
            at,
            task: None,
            template: None,
            step: None,
            from: None,
            to: None,
            attempt: None,
            session: None,
            metadata: None,
        }
    }

    fn of_task(row: TaskTransition, at: Timestamp) -> Self {
        Self {
            task: Some(row.id),
            from: row.from.map(|state| state.as_str()),
            to: Some(row.to.as_str()),
            metadata: row.detail,
            ..Self::new(EventKind::of_task(row.from, row.to), at)
        }
    }

    fn of_step(row: StepTransition, at: Timestamp) -> Self {
        Self {
            task: Some(row.key.task),
            step: Some(row.key.index),
            from: row.from.map(|state| state.as_str()),
            to: Some(row.to.as_str()),
            attempt: Some(row.attempt),
            session: row.by,
            metadata: row.detail,
            ..Self::new(EventKind::of_step(row.from, row.to), at)
        }
    }

    /// The step's name.
    pub fn step_name(&self) -> Option<Cow<'_, str>> {
        self.template.as_ref()?.template.name_of(self.step?)
    }
}

/// Who is told.
pub trait Listener: Send + Sync {
    /// Which kinds it wants now; see [`Events::reconsider`].
    fn wanted(&self) -> Kinds;
    /// One of those happened.
    fn hear(&self, event: &Arc<Event>);
    /// One of those may have happened: the answer to its commit was lost.
    fn miss(&self);
    /// Nothing more will come.
    fn end(&self);
}

/// Those who listen to one open database of this process.
pub struct Events {
    feed: Arc<Feed>,
    catalog: Arc<Catalog>,
    listeners: RwLock<Listeners>,
}

#[derive(Default)]
struct Listeners {
    /// Weak: one that nobody takes events from any more is gone, however that came about.
    all: Vec<Weak<dyn Listener>>,
    closed: bool,
}

impl Events {
    /// The events of the store whose `feed` this is.
    pub fn new(feed: Arc<Feed>, catalog: Arc<Catalog>) -> Arc<Self> {
        Arc::new_cyclic(|events: &Weak<Self>| {
            let events = events.clone();
            feed.listen(move |told| {
                if let Some(events) = events.upgrade() {
                    events.relay(told);
                }
            });
            Self { feed, catalog, listeners: RwLock::default() }
        })
    }

    /// Adds a listener, from now on; it ends at once when the database is closed.
    pub fn listen(&self, listener: &Arc<dyn Listener>) {
        let mut listeners = self.listeners.write();
        if listeners.closed {
            return listener.end();
        }
        listeners.all.retain(|other| other.strong_count() > 0);
        listeners.all.push(Arc::downgrade(listener));
        self.open_feed(&listeners);
    }

    /// Removes a listener.
    pub fn leave(&self, listener: &Arc<dyn Listener>) {
        let mut listeners = self.listeners.write();
        let leaving = Arc::downgrade(listener);
        listeners.all.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&leaving));
        self.open_feed(&listeners);
    }

    /// Asks every listener anew what it wants.
    pub fn reconsider(&self) {
        self.open_feed(&self.listeners.read());
    }

    fn open_feed(&self, listeners: &Listeners) {
        self.feed.set_open(!listeners.wanted().is_empty());
    }

    /// Tells of something that is no transition. `event` is made only if somebody wants it.
    pub fn tell(&self, kind: EventKind, event: impl FnOnce(Event) -> Event) {
        let listeners = self.listeners.read();
        if listeners.wanted().has(kind) {
            listeners.tell(&Arc::new(event(Event::new(kind, now()))));
        }
    }

    /// Ends every listener.
    pub fn close(&self) {
        let mut listeners = self.listeners.write();
        listeners.closed = true;
        listeners.each().for_each(|listener| listener.end());
        listeners.all.clear();
    }

    fn relay(&self, told: Told) {
        let listeners = self.listeners.read();
        let wanted = listeners.wanted();
        match told {
            Told::Committed(batch) => {
                for row in batch.into_iter().filter(|row| wanted.has(kind_of(row))) {
                    listeners.tell(&Arc::new(self.event(row)));
                }
            }
            Told::InDoubt(batch) => {
                for listener in listeners.each() {
                    let missed = batch.iter().filter(|row| listener.wanted().has(kind_of(row)));
                    missed.for_each(|_| listener.miss());
                }
            }
        }
    }

    fn event(&self, row: Recorded) -> Event {
        let (revision, event) = match row {
            Recorded::Task(row, at) => (row.revision, Event::of_task(row, at)),
            Recorded::Step(row, at) => (row.revision, Event::of_step(row, at)),
        };
        Event { template: self.catalog.known(revision), ..event }
    }
}

impl Listeners {
    fn each(&self) -> impl Iterator<Item = Arc<dyn Listener>> {
        self.all.iter().filter_map(Weak::upgrade)
    }

    fn wanted(&self) -> Kinds {
        self.each().fold(Kinds::default(), |wanted, listener| wanted.and(listener.wanted()))
    }

    fn tell(&self, event: &Arc<Event>) {
        self.each().filter(|listener| listener.wanted().has(event.kind)).for_each(|listener| listener.hear(event));
    }
}

fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

fn kind_of(row: &Recorded) -> EventKind {
    match row {
        Recorded::Task(row, _) => EventKind::of_task(row.from, row.to),
        Recorded::Step(row, _) => EventKind::of_step(row.from, row.to),
    }
}

//! From the engine's events to a host's thread: a bounded queue for each subscriber, which never
//! holds the engine up. What finds the queue full is dropped and counted, and its number is used up,
//! so that a subscriber sees from the numbers whether it missed anything.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::engine::Engine;
use crate::engine::events::{Event, Events, Kinds, Listener};
use crate::fault_point;

/// Called, from any thread, when a subscriber that found nothing should look again.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// An event as one subscriber sees it.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its number among all that this subscriber wanted; the first is 1.
    pub sequence: u64,
    /// The event.
    pub event: Arc<Event>,
}

/// One subscriber's queue.
pub struct Subscription {
    wanted: AtomicU32,
    capacity: usize,
    queue: Mutex<Queue>,
    dropped: AtomicU64,
    wake: Wake,
    events: Weak<Events>,
}

#[derive(Default)]
struct Queue {
    heard: VecDeque<Heard>,
    last: u64,
    ended: bool,
}

impl Subscription {
    /// Subscribes to what `engine` commits from now on.
    pub(super) fn start(engine: &Engine, wanted: Kinds, capacity: usize, wake: Wake) -> Arc<Self> {
        let subscription = Arc::new(Self {
            wanted: AtomicU32::new(wanted.bits()),
            capacity,
            queue: Mutex::default(),
            dropped: AtomicU64::new(0),
            wake,
            events: Arc::downgrade(engine.events()),
        });
        let listener: Arc<dyn Listener> = subscription.clone();
        engine.events().listen(&listener);
        subscription
    }

    /// Takes up to `limit` events, in order, without waiting.
    pub fn take(&self, limit: usize) -> Vec<Heard> {
        fault_point!(EventTaken or panic);
        let mut queue = self.queue.lock();
        let count = limit.min(queue.heard.len());
        queue.heard.drain(..count).collect()
    }

    /// Changes what it wants.
    pub fn want(&self, wanted: Kinds) {
        self.wanted.store(wanted.bits(), Ordering::Relaxed);
        if let Some(events) = self.events.upgrade() {
            events.reconsider();
        }
    }

    /// Takes no further events; those in the queue can still be taken.
    pub fn finish(self: &Arc<Self>) {
        if let Some(events) = self.events.upgrade() {
            let this: Arc<dyn Listener> = self.clone();
            events.leave(&this);
        }
        self.end();
    }

    /// Takes no further events, and drops those in the queue.
    pub fn cancel(self: &Arc<Self>) {
        self.finish();
        self.queue.lock().heard.clear();
    }

    /// Whether nothing is left to take and nothing will come.
    pub fn is_ended(&self) -> bool {
        let queue = self.queue.lock();
        queue.ended && queue.heard.is_empty()
    }

    /// How many events it missed: they found the queue full, or nobody knows whether they happened.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How many events were meant for it so far, dropped ones included.
    pub fn last_sequence(&self) -> u64 {
        self.queue.lock().last
    }
}

impl Listener for Subscription {
    fn wanted(&self) -> Kinds {
        Kinds::from_bits(self.wanted.load(Ordering::Relaxed))
    }

    fn hear(&self, event: &Arc<Event>) {
        fault_point!(EventHeard or panic);
        let mut queue = self.queue.lock();
        if queue.ended {
            return;
        }
        queue.last += 1;
        if queue.heard.len() >= self.capacity {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let heard = Heard { sequence: queue.last, event: event.clone() };
        queue.heard.push_back(heard);
        drop(queue);
        (self.wake)();
    }

    fn miss(&self) {
        self.queue.lock().last += 1;
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn end(&self) {
        self.queue.lock().ended = true;
        (self.wake)();
    }
}

//! This process's session: one row that is renewed for all the leases it holds; and the sweep that
//! returns what the sessions of dead processes held.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use uuid::Uuid;

use super::Engine;
use super::events::{Event, EventKind};
use super::retention;
use super::transactions::sessions::{Close, Open, Receipts, Recover, Renew};
use crate::domain::id::{SessionId, SessionKey};
use crate::domain::json::Json;
use crate::fault_point;
use crate::panics::caught;
use crate::storage::{Result, Store, StoreError};

/// How many receipts one look at a dead session reads.
const SWEEP: usize = 500;

/// The session, while there is one.
#[derive(Default)]
pub(super) struct Keeper {
    held: Mutex<Option<Held>>,
    /// Dead sessions that were told of: a sweep may come back to one. Few bytes for each.
    dead: Mutex<HashSet<SessionId>>,
    opening: tokio::sync::Mutex<()>,
    /// Held from the moment a renewal reads the clock until it is committed.
    renewing: tokio::sync::Mutex<()>,
    /// Held while dead sessions are swept.
    sweeping: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Copy)]
struct Held {
    key: SessionKey,
    renewed: Instant,
}

impl Keeper {
    /// Forgets a session that is not to be used any more; whether it was the session until now.
    pub(super) fn lose(&self, key: SessionKey) -> bool {
        let mut held = self.held.lock();
        let is_held = held.is_some_and(|held| held.key == key);
        if is_held {
            *held = None;
        }
        is_held
    }

    /// The session now, if there is one.
    pub(super) fn key(&self) -> Option<SessionKey> {
        self.held.lock().map(|held| held.key)
    }

    /// Whether `key` is the session now.
    pub(super) fn holds(&self, key: SessionKey) -> bool {
        self.held.lock().is_some_and(|held| held.key == key)
    }

    /// Whether `key` is the session now and its lease is not about to run out: past 70 % of it no
    /// step is started, lest it runs in two places.
    pub(super) fn is_fresh(&self, key: SessionKey, lease: Duration) -> bool {
        self.held.lock().is_some_and(|held| held.key == key && held.renewed.elapsed() < lease.mul_f64(0.7))
    }

    /// Ends the session.
    pub(super) async fn close(&self, store: &impl Store) {
        let held = self.held.lock().take();
        if let Some(held) = held {
            // A session that cannot be deleted now expires by itself.
            let _ = store.write(Close { session: held.key.id }).await;
        }
    }
}

impl Engine {
    /// This process's session, opened on first use and renewed from then on.
    pub(super) async fn session(self: &Arc<Self>) -> Result<SessionKey> {
        let _one_at_a_time = self.keeper.opening.lock().await;
        if let Some(held) = *self.keeper.held.lock() {
            return Ok(held.key);
        }
        let key = SessionKey { id: SessionId(Uuid::now_v7()), epoch: 0 };
        let renewed = Instant::now();
        self.store.write(Open { session: key.id, label: label(), ttl: self.options.lease }).await?;
        *self.keeper.held.lock() = Some(Held { key, renewed });
        tokio::spawn(keep(Arc::downgrade(self), key));
        retention::start(self, key);
        Ok(key)
    }

    /// Renews the session and sweeps; false when the session is lost or ended.
    pub(super) async fn renew(self: &Arc<Self>, key: SessionKey) -> bool {
        self.renew_after(key, || ()).await
    }

    /// The same, right after `shift` has moved the clock: no renewal by the time before is under way then, which would
    /// put the session's end back to where it is past already.
    pub(super) async fn renew_after(self: &Arc<Self>, key: SessionKey, shift: impl FnOnce() + Send) -> bool {
        let renewing = self.keeper.renewing.lock().await;
        shift();
        if !self.keeper.holds(key) {
            return false;
        }
        let sent = Instant::now();
        let extended = self.extend(key).await;
        drop(renewing);
        match extended {
            Ok((true, expired)) => {
                if let Some(held) = self.keeper.held.lock().as_mut().filter(|held| held.key == key) {
                    held.renewed = sent;
                }
                self.sweep_beside(expired, sent + self.options.lease / 3).await;
                true
            }
            Ok((false, _)) => {
                self.session_ended(key);
                false
            }
            Err(StoreError::Closed) => false,
            Err(error) => {
                self.troubles().add(format!("the session could not be renewed: {error}"));
                true
            }
        }
    }

    /// Another process has shut this session out: says so, once, and has the workers start over.
    pub(super) fn session_ended(&self, key: SessionKey) {
        if self.keeper.lose(key) {
            self.meters.session_lost();
            self.troubles().add("this process's session was ended by another one: it was not renewed in time");
            self.ring();
        }
    }

    /// Moves the session's end, and gives the sessions that were not renewed in time.
    async fn extend(&self, key: SessionKey) -> Result<(bool, Vec<SessionId>)> {
        fault_point!(Keeper);
        self.store.write(Renew { session: key, ttl: self.options.lease }).await
    }

    /// Has a session of this process that was given up expire now: the next one's first renewal finds
    /// it, and returns what it held.
    pub(super) async fn expire(&self, lost: SessionKey) {
        // Where this fails, its lease ends it.
        let _ = self.store.write(Renew { session: lost, ttl: Duration::ZERO }).await;
    }

    /// Sweeps dead sessions, and waits for that until `until`. A sweep that waits for a lock of somebody else's goes on
    /// beside the renewals, one at a time: it must not cost this process its own lease. What it leaves is found again.
    async fn sweep_beside(self: &Arc<Self>, sessions: Vec<SessionId>, until: Instant) {
        if sessions.is_empty() {
            return;
        }
        let Ok(turn) = self.keeper.sweeping.clone().try_lock_owned() else { return };
        let engine = self.clone();
        let sweep = tokio::spawn(async move {
            let _turn = turn;
            for session in sessions {
                if let Err(panic) = caught(engine.sweep(session, until)).await {
                    engine.troubles().fault("returning what a dead session held", panic);
                }
            }
        });
        // Late or done: a fault in it was told of.
        let _ = tokio::time::timeout_at(until.into(), sweep).await;
    }

    /// Returns what a dead session held, receipt by receipt: one that fails does not stop the rest.
    /// Begins no other after `until`: what is left then is found again.
    async fn sweep(&self, session: SessionId, until: Instant) {
        let receipts = match self.store.read(Receipts { session, limit: SWEEP }).await {
            Ok(receipts) => receipts,
            Err(error) => return self.troubles().add(format!("a dead session could not be read: {error}")),
        };
        if self.keeper.dead.lock().insert(session) {
            self.events.tell(EventKind::LeaseExpired, |event| Event { session: Some(session), ..event });
        }
        for receipt in receipts {
            if Instant::now() >= until {
                return;
            }
            match self.store.write(Recover { receipt, catalog: self.catalog.clone() }).await {
                Ok(recovered) => {
                    self.catalog.keep_lanes(recovered.lanes);
                    if recovered.made_ready {
                        self.ready_for_others();
                    }
                    self.tasks_moved(&recovered.moved);
                    self.tell_recovered(session, recovered.steps.len());
                }
                Err(error) => self.troubles().add(format!("a lost lease could not be returned: {error}")),
            }
        }
        if let Err(error) = self.store.write(Close { session }).await {
            self.troubles().add(format!("a dead session could not be deleted: {error}"));
        }
    }

    fn tell_recovered(&self, session: SessionId, steps: usize) {
        self.meters.recovered(steps);
        if steps > 0 {
            let metadata = Json::of(&serde_json::json!({ "steps": steps })).ok();
            let recovered = |event| Event { session: Some(session), metadata, ..event };
            self.events.tell(EventKind::LeaseRecovered, recovered);
        }
    }
}

/// Renews for as long as the engine lives and holds the session. A fault in that must not leave it
/// to expire unnoticed: it goes on, and what is not renewed in time is noticed by then.
async fn keep(engine: Weak<Engine>, key: SessionKey) {
    loop {
        let Some(engine) = engine.upgrade() else { return };
        let next = Instant::now() + engine.options.lease / 3;
        match caught(engine.renew(key)).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(panic) => engine.troubles().fault("keeping this process's session", panic),
        }
        drop(engine);
        tokio::time::sleep_until(next.into()).await;
    }
}

/// Host and process, for people.
fn label() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
}

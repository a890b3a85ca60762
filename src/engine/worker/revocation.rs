//! Hearing of what was moved by hand while this worker held it: a task was cancelled, a step was
//! resolved, by whichever process. What moves a step raises its token, and nothing tells its holder;
//! so the worker's loop looks, now and then, at steps that it has held for longer than most steps
//! take, and at once when somebody says that there is something to see.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Worker;
use crate::domain::id::{StepKey, Token};
use crate::engine::transactions::look::Superseded;
use crate::storage::Store;

/// What is held for less than this is not looked at unasked: a worker whose steps are quick pays nothing.
const MOMENT: Duration = Duration::from_millis(250);
/// How often to look. With [`MOMENT`], a handler hears of it within 0.65 s and a query.
const EVERY: Duration = Duration::from_millis(400);
/// How soon to look when other processes say that they committed something. Twice as late each time that there was
/// nothing to see, up to [`EVERY`]: what busy processes commit is mostly something else.
const SOON: Duration = Duration::from_millis(50);

/// When to look.
pub(super) struct Watch {
    looked: Instant,
    /// Something was committed since, by another process.
    told: bool,
    /// A step was moved since, by this process.
    revoked: bool,
    /// How long after the last look the next one is, when told.
    pause: Duration,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { looked: Instant::now(), told: false, revoked: false, pause: SOON }
    }

    pub(super) fn hear(&mut self, told: bool, revoked: bool) {
        self.told |= told;
        self.revoked |= revoked;
    }
}

impl Worker {
    /// When to look next; never while nothing is held.
    pub(super) fn look_at(&self, watch: &Watch) -> Option<Instant> {
        let oldest = Instant::from_std(self.hands.lock().holds_since()?);
        let pause = if watch.told { watch.pause } else { EVERY };
        Some(if watch.revoked { watch.looked } else { (watch.looked + pause).max(oldest + MOMENT) })
    }

    /// Looks which of the held steps were moved, and gives them up.
    pub(super) async fn look_for_revoked(&self, watch: &mut Watch) {
        let now = Instant::now();
        let since = if watch.revoked { now } else { now - MOMENT };
        let pause = if watch.told { (watch.pause * 2).min(EVERY) } else { SOON };
        *watch = Watch { looked: now, told: false, revoked: false, pause };
        let held = self.hands.lock().held_since(since.into_std());
        let numbers: HashMap<(StepKey, Token), u64> =
            held.iter().map(|holding| ((holding.key, holding.token), holding.number)).collect();
        let look = Superseded { held: numbers.keys().copied().collect() };
        // What cannot be seen now is seen the next time.
        let Ok(superseded) = self.engine.store.read(look).await else { return };
        let gone: HashSet<u64> = superseded.iter().filter_map(|held| numbers.get(held).copied()).collect();
        if !gone.is_empty() {
            watch.pause = SOON;
            self.hands.lock().take_away(&gone);
        }
    }
}

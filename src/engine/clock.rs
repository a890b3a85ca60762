//! What a test does to time: the database's clock is moved under the engine, which then looks at
//! everything that has fallen due.

use std::sync::{Arc, Weak};

use super::Engine;
use super::error::Result;
use super::transactions::look::Clock;
use crate::domain::time::Timestamp;
use crate::storage::Store;

impl Engine {
    /// The database's clock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn now(&self) -> Result<Timestamp> {
        Ok(self.store.read(Clock {}).await?)
    }

    /// Moves the clock by `shift`: this process's own session is renewed by the new time, the sessions
    /// of others that are past their end by now are swept, and workers look at the database again.
    pub async fn move_clock(self: &Arc<Self>, shift: impl FnOnce() + Send) {
        match self.keeper.key() {
            Some(session) => {
                self.renew_after(session, shift).await;
            }
            None => shift(),
        }
        let workers: Vec<_> = self.workers.lock().iter().filter_map(Weak::upgrade).collect();
        workers.iter().for_each(|worker| worker.clock_moved());
    }
}

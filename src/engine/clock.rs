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

    /// Looks at the clock, which was moved: this process's own session is renewed by it, the sessions
    /// of others that are past their end by now are swept, and workers look at the database again.
    pub async fn clock_moved(self: &Arc<Self>) {
        if let Some(session) = self.keeper.key() {
            self.renew(session).await;
        }
        let workers: Vec<_> = self.workers.lock().iter().filter_map(Weak::upgrade).collect();
        workers.iter().for_each(|worker| worker.clock_moved());
    }
}

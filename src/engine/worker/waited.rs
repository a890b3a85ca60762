//! For a host whose thread runs steps and waits for nothing else, as a test's does: what there is for it before time
//! passes, and a death of its worker when that is asked for.

use std::sync::Arc;
use std::time::Duration;

use super::{Phase, Worker};
use crate::engine::error::Result;
use crate::storage::StoreError;
use crate::storage::rows::Outlook;

/// What there is for a thread that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// A step to take.
    Step,
    /// Nothing that could go on now.
    Standstill {
        /// How long until the next timer is due, of any kind and any template: a retry or a task's `run_at`.
        next_due: Option<Duration>,
        /// Whether one of the worker's own steps waits for a retry.
        retrying: bool,
        /// Whether one of them waits because as many run as its limit allows.
        parked: bool,
    },
}

impl Worker {
    /// Waits until there is a step to take, or nothing that could go on without time: nothing is ready, held by
    /// anyone, due or still to be recorded, among the worker's lanes.
    ///
    /// # Errors
    /// When the database fails for good.
    pub async fn prospect(&self) -> Result<Prospect> {
        const LOOK_AGAIN: Duration = Duration::from_millis(20);
        let mut changes = self.hands.lock().settled.subscribe();
        loop {
            while !self.has_queued() && !self.is_empty_handed() && self.phase() == Phase::Working {
                if changes.changed().await.is_err() {
                    break;
                }
            }
            if self.has_queued() {
                return Ok(Prospect::Step);
            }
            match self.standstill().await {
                Ok(Some(standstill)) => return Ok(standstill),
                Ok(None) => {}
                Err(error) if error.is_retryable() => {}
                Err(error) => return Err(error.into()),
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
        }
    }

    /// What waits for time, if nothing else does.
    async fn standstill(&self) -> Result<Option<Prospect>, StoreError> {
        self.look_up_lanes().await?;
        let (outlook, _) = self.outlook().await?;
        let Outlook { ready, held, retrying, parked, outbox, next_due_us, .. } = outlook;
        let due = next_due_us == Some(0);
        if ready || due {
            // The loop looks at the timers, too.
            self.expect_work();
            self.clock_moved();
        }
        if outbox {
            self.engine.expand_beside();
        }
        let moving = ready || due || held || outbox || !self.is_empty_handed();
        let still = self.phase() != Phase::Working || !moving;
        let next_due = next_due_us.map(Duration::from_micros);
        Ok(still.then_some(Prospect::Standstill { next_due, retrying, parked }))
    }

    fn has_queued(&self) -> bool {
        self.hands.lock().stats().queued > 0
    }

    /// Loses the worker's session, as a process that dies does: what it holds is nobody's, and goes back as a crash.
    /// What its threads still report is late. It then works on under a new session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn die(self: &Arc<Self>) -> Result<()> {
        let lost = self.lose_session();
        self.engine.expire(lost).await;
        self.engine.session().await?;
        // The new session's renewal finds the old one.
        self.engine.move_clock(|| ()).await;
        Ok(())
    }
}

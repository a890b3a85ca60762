//! When a transaction is tried again, and when its failure is final.

use std::time::{Duration, Instant};

use crate::storage::{Result, StoreError};

/// How often a transaction that met another one is run.
const CONFLICTS: u32 = 10;
/// How long a transaction whose connection was lost is tried again.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How a try failed.
pub(super) struct Failure {
    /// Why.
    pub error: StoreError,
    /// Whether the transaction had begun, so that it may have been committed.
    pub begun: bool,
}

/// The tries of one transaction so far.
#[derive(Default)]
pub(super) struct Tries {
    conflicts: u32,
    losses: u32,
    lost_at: Option<Instant>,
    /// Whether an earlier try may have been committed.
    pub resent: bool,
}

impl Tries {
    /// Waits until the next try.
    ///
    /// # Errors
    /// The failure, when it is final. Once a try may have been committed, a server that stays away
    /// is [`StoreError::Disconnected`] and not unreachable, and so is a conflict or any other failure of the
    /// database: the outcome is unknown.
    pub async fn after(&mut self, failure: Failure) -> Result<()> {
        let Failure { error, begun } = failure;
        match &error {
            StoreError::Conflict(_) => {
                self.conflicts += 1;
                if self.conflicts >= CONFLICTS {
                    return Err(self.unknown(error));
                }
                pause(Duration::from_millis(1 << self.conflicts.min(6))).await;
                Ok(())
            }
            StoreError::Disconnected(said) => {
                self.resent |= begun;
                let final_error = match self.resent {
                    true => error.clone(),
                    false => StoreError::Unreachable(said.clone()),
                };
                self.lost(final_error).await
            }
            StoreError::Unreachable(said) if self.resent => {
                let said = said.clone();
                self.lost(StoreError::Disconnected(said)).await
            }
            StoreError::Configuration(_) | StoreError::PoolTimeout(_) if self.resent => {
                let message = error.to_string();
                self.lost(StoreError::Disconnected(message.into())).await
            }
            _ => Err(self.unknown(error)),
        }
    }

    /// The final failure of a try, when an earlier one may have been committed.
    fn unknown(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Conflict(said) | StoreError::Database(said) if self.resent => StoreError::Disconnected(said),
            error => error,
        }
    }

    /// A connection was lost, or none is to be had since one was. The first tries follow at once:
    /// after a restart of the server every idle connection of the pool is a dead one.
    async fn lost(&mut self, final_error: StoreError) -> Result<()> {
        let since = *self.lost_at.get_or_insert_with(Instant::now);
        if since.elapsed() >= PATIENCE {
            return Err(final_error);
        }
        self.losses += 1;
        if self.losses > 2 {
            pause(Duration::from_millis(10 << self.losses.min(8)).min(LONGEST_PAUSE)).await;
        }
        Ok(())
    }
}

/// Sleeps for half of `about` to the whole of it, so that those who met part ways.
async fn pause(about: Duration) {
    tokio::time::sleep(about.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
}

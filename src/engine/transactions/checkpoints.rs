//! What handlers save on their way, for the step's next attempt.

use crate::domain::id::StepKey;
use crate::storage::rows::Checkpoint;
use crate::storage::{Result, Transaction, Tx};

/// Saves checkpoints of held steps, those whose token still holds.
pub struct SaveCheckpoints {
    /// Of each step one.
    pub checkpoints: Vec<Checkpoint>,
}

impl Transaction for SaveCheckpoints {
    /// The steps whose checkpoint was saved; the others are in other hands.
    type Output = Vec<StepKey>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Output> {
        tx.save_checkpoints(&self.checkpoints).await
    }
}

//! Pausing queues, and ending that.

use crate::storage::rows::QueuePause;
use crate::storage::{Result, Transaction, Tx};

/// Pauses a queue. One that is paused already stays as it is.
pub struct PauseQueue {
    /// The pause; its time is that of the transaction.
    pub pause: QueuePause,
}

impl Transaction for PauseQueue {
    /// The pause as it stands.
    type Output = QueuePause;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<QueuePause> {
        let wanted = &self.pause;
        if tx.pause_queue(wanted).await? {
            return Ok(QueuePause { at: tx.now().await?, ..wanted.clone() });
        }
        let mut all = tx.paused_queues().await?;
        all.retain(|other| other.queue == wanted.queue && other.namespace == wanted.namespace);
        // None: somebody ended it this moment.
        Ok(all.pop().unwrap_or_else(|| wanted.clone()))
    }
}

/// Ends a pause.
pub struct ResumeQueue {
    /// The queue.
    pub queue: String,
    /// The namespace for which it was paused; `None` for all.
    pub namespace: Option<String>,
}

impl Transaction for ResumeQueue {
    /// Whether there was one.
    type Output = bool;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<bool> {
        tx.resume_queue(&self.queue, self.namespace.as_deref()).await
    }
}

//! Paused queues.

use crate::domain::time::Timestamp;

/// A queue of which nothing is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePause {
    /// The queue.
    pub queue: String,
    /// Of the templates of this namespace; of all where `None`.
    pub namespace: Option<String>,
    /// Since when.
    pub at: Timestamp,
    /// Who paused it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl QueuePause {
    /// Whether it pauses a queue of the templates of a namespace.
    pub fn covers(&self, queue: &str, namespace: &str) -> bool {
        self.queue == queue && self.namespace.as_deref().is_none_or(|own| own == namespace)
    }
}

//! What is done through a handle to its database as a whole.

use std::sync::Arc;
use std::time::Duration;

use super::OrchestrationHandle;
use crate::engine::transactions::purge::Purged;
use crate::ffi::shared::call::Call;
use crate::ffi::shared::types::{PauseQueueInput, PurgeInput, ResumeQueueInput};
use crate::storage::rows::QueuePause;

/// How long one call purges: the host's thread can be interrupted between two.
const PURGE_SLICE: Duration = Duration::from_millis(500);

impl OrchestrationHandle {
    /// Deletes tasks that ended long ago, for about half a second, and says where to go on.
    pub fn purge(self: &Arc<Self>, input: PurgeInput) -> Call<Purged> {
        self.run(|engine, _| async move {
            let (span, batch) = input.into_span()?;
            engine.purge(span, batch, PURGE_SLICE).await
        })
    }

    /// Pauses a queue and gives the pause as it stands.
    pub fn pause_queue(self: &Arc<Self>, input: PauseQueueInput) -> Call<QueuePause> {
        self.run(|engine, _| async move { engine.pause_queue(input.into_pause()?).await })
    }

    /// Ends a pause; whether there was one.
    pub fn resume_queue(self: &Arc<Self>, input: ResumeQueueInput) -> Call<bool> {
        self.run(|engine, _| async move {
            let (queue, namespace) = input.into_names()?;
            engine.resume_queue(queue, namespace).await
        })
    }

    /// Every pause.
    pub fn paused_queues(self: &Arc<Self>) -> Call<Vec<QueuePause>> {
        self.run(|engine, _| async move { engine.paused_queues().await })
    }
}

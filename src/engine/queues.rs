//! Which lanes a worker takes steps from: those of its templates and queues, without the ones that are
//! paused. A pause is a row; every worker sees it when it looks at the database next, within a second,
//! and those of this process at once. A claim looks at nothing for it.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use super::Engine;
use super::catalog::Registry;
use super::error::Result;
use super::transactions::look::{LanesOf, PausedQueues};
use super::transactions::pauses::{PauseQueue, ResumeQueue};
use crate::domain::id::{LaneId, NamedTaskId};
use crate::storage::rows::QueuePause;
use crate::storage::{Store, StoreError};

/// What a worker may take steps from.
pub(super) struct Sources {
    pub(super) lanes: Vec<LaneId>,
    /// What was left out for, to see whether that changes.
    pub(super) pauses: Vec<QueuePause>,
}

impl Engine {
    /// Pauses a queue: no step of it is claimed by any worker. Those under way end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pause_queue(&self, pause: QueuePause) -> Result<QueuePause> {
        let pause = self.store.write(PauseQueue { pause }).await?;
        self.pauses_changed();
        Ok(pause)
    }

    /// Ends a pause; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume_queue(&self, queue: String, namespace: Option<String>) -> Result<bool> {
        let resumed = self.store.write(ResumeQueue { queue, namespace }).await?;
        self.pauses_changed();
        Ok(resumed)
    }

    /// Every pause.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn paused_queues(&self) -> Result<Vec<QueuePause>> {
        Ok(self.store.read(PausedQueues {}).await?)
    }

    fn pauses_changed(&self) {
        self.pauses.fetch_add(1, Ordering::Relaxed);
        self.ready_for_others();
    }

    /// The lanes that `registry` can work, of these queues (all where `None`), but of paused ones.
    pub(super) async fn sources(&self, registry: &Registry, queues: Option<&[String]>) -> Result<Sources, StoreError> {
        let templates = registry.all();
        let namespaces: HashMap<NamedTaskId, &str> =
            templates.iter().map(|stored| (stored.named_task, stored.template.namespace.as_str())).collect();
        let mut ids: Vec<NamedTaskId> = namespaces.keys().copied().collect();
        ids.sort_unstable();
        let (rows, pauses) = self.store.read(LanesOf { ids }).await?;
        let wanted = |queue: &String| queues.is_none_or(|queues| queues.contains(queue));
        let paused = |queue: &str, id| {
            let namespace = namespaces.get(&id).copied().unwrap_or_default();
            pauses.iter().any(|pause| pause.covers(queue, namespace))
        };
        let open = rows.iter().filter(|row| wanted(&row.queue) && !paused(&row.queue, row.named_task));
        let lanes = open.map(|row| row.id).collect();
        self.catalog.keep_lanes(rows.into_iter().map(|row| ((row.named_task, row.queue), row.id)));
        Ok(Sources { lanes, pauses })
    }
}

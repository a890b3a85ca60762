//! Reading: tasks, steps, histories, templates, and what a worker may expect.

use std::sync::Arc;

use super::history;
use crate::domain::id::{LaneId, NamedTaskId, RevisionId, StepKey, TaskId, Token};
use crate::domain::time::Timestamp;
use crate::engine::catalog::{Catalog, StoredTemplate};
use crate::storage::rows::{
    AnnotationRow, Backlog, HistoryRow, LaneRow, Outlook, QueuePause, StepRow, TaskFilter, TaskRow, VersionRow,
};
use crate::storage::{Result, StoreError, Transaction, Tx};

/// A stored task with its template.
pub type FoundTask = (TaskRow, Arc<StoredTemplate>);

/// Declares a reading transaction: its fields, its output, its body.
macro_rules! look {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty),* $(,)? } -> $output:ty, |$self:ident, $tx:ident| $body:expr) => {
        $(#[$doc])*
        pub struct $name { $($(#[$fdoc])* pub $field: $type),* }

        impl Transaction for $name {
            type Output = $output;

            async fn run<T: Tx>(&$self, $tx: &mut T) -> Result<Self::Output> {
                $body
            }
        }
    };
}

async fn with_templates<T: Tx>(tx: &mut T, catalog: &Catalog, rows: Vec<TaskRow>) -> Result<Vec<FoundTask>> {
    let templates = catalog.revisions(tx, rows.iter().map(|row| row.revision)).await?;
    rows.into_iter()
        .map(|row| {
            let stored = templates.get(&row.revision).cloned();
            let stored = stored
                .ok_or_else(|| StoreError::Database(format!("the task {} has no stored template", row.id).into()))?;
            Ok((row, stored))
        })
        .collect()
}

look! {
    /// Whether the database answers: how many sessions live.
    Answering {} -> u64, |self, tx| tx.live_sessions().await
}

look! {
    /// What waits in the queues, and when that was.
    Waiting {} -> (Vec<Backlog>, Timestamp), |self, tx| Ok((tx.backlog().await?, tx.now().await?))
}

look! {
    /// Tasks by id, in the order of `ids`; those that do not exist are left out.
    Tasks {
        /// Their ids.
        ids: Vec<TaskId>,
        /// Known templates.
        catalog: Arc<Catalog>,
    } -> Vec<FoundTask>, |self, tx| {
        let mut rows = tx.tasks(&self.ids).await?;
        rows.sort_by_key(|row| self.ids.iter().position(|id| *id == row.id));
        with_templates(tx, &self.catalog, rows).await
    }
}

look! {
    /// A page of tasks, newest first.
    ListTasks {
        /// Which.
        filter: TaskFilter,
        /// Older than this one.
        before: Option<TaskId>,
        /// How many at the most.
        limit: usize,
        /// Known templates.
        catalog: Arc<Catalog>,
    } -> Vec<FoundTask>, |self, tx| {
        let rows = tx.list_tasks(&self.filter, self.before, self.limit).await?;
        with_templates(tx, &self.catalog, rows).await
    }
}

look! {
    /// How many tasks match.
    CountTasks {
        /// Which.
        filter: TaskFilter,
    } -> u64, |self, tx| tx.count_tasks(&self.filter).await
}

look! {
    /// The steps of a task.
    Steps {
        /// The task.
        task: TaskId,
    } -> Vec<StepRow>, |self, tx| tx.steps(self.task).await
}

look! {
    /// The transitions of a task and of its steps.
    History {
        /// The task.
        task: TaskId,
        /// When it was created.
        created_at: Timestamp,
        /// How many steps its template has.
        steps: usize,
    } -> Vec<HistoryRow>, |self, tx| {
        let (of_task, of_steps) = (tx.task_history(self.task).await?, tx.step_history(self.task).await?);
        let held = tx.held_now(self.task).await?;
        Ok(history::told(self.created_at, self.steps, of_task, of_steps, held))
    }
}

look! {
    /// The annotations of a task, oldest first.
    Annotations {
        /// The task.
        task: TaskId,
        /// Of this type only.
        kind: Option<String>,
    } -> Vec<AnnotationRow>, |self, tx| tx.annotations(self.task, self.kind.as_deref()).await
}

look! {
    /// The paths that tasks of the templates that match can be searched by.
    DeclaredPaths {
        /// Which.
        filter: TaskFilter,
    } -> Vec<String>, |self, tx| tx.declared_paths(&self.filter).await
}

look! {
    /// Every stored version of a template name.
    Versions {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    } -> Vec<VersionRow>, |self, tx| tx.versions(&self.namespace, &self.name).await
}

look! {
    /// The stored template names.
    TemplateNames {} -> Vec<(String, String)>, |self, tx| tx.template_names().await
}

look! {
    /// The template of a revision.
    Revision {
        /// Its id.
        id: RevisionId,
        /// Known templates.
        catalog: Arc<Catalog>,
    } -> Option<Arc<StoredTemplate>>, |self, tx| {
        Ok(self.catalog.revisions(tx, std::iter::once(self.id)).await?.remove(&self.id))
    }
}

look! {
    /// Whether tasks were created from a template version.
    IsUsed {
        /// The template version.
        id: NamedTaskId,
    } -> bool, |self, tx| tx.is_used(self.id).await
}

look! {
    /// The lanes of template versions, and which queues are paused.
    LanesOf {
        /// The template versions.
        ids: Vec<NamedTaskId>,
    } -> (Vec<LaneRow>, Vec<QueuePause>), |self, tx| Ok((tx.lanes_of(&self.ids).await?, tx.paused_queues().await?))
}

look! {
    /// What there is to wait for in some lanes, and which queues are paused.
    LookOut {
        /// The lanes.
        lanes: Vec<LaneId>,
    } -> (Outlook, Vec<QueuePause>), |self, tx| {
        let outlook = tx.outlook(&self.lanes).await?;
        let pauses = if outlook.paused { tx.paused_queues().await? } else { Vec::new() };
        Ok((outlook, pauses))
    }
}

look! {
    /// The queues that are paused.
    PausedQueues {} -> Vec<QueuePause>, |self, tx| tx.paused_queues().await
}

look! {
    /// Those of some tasks that ended.
    Ended {
        /// The tasks.
        ids: Vec<TaskId>,
    } -> Vec<TaskId>, |self, tx| tx.ended(&self.ids).await
}

look! {
    /// Those of some held steps that were moved since.
    Superseded {
        /// The steps, each with the token under which it is held.
        held: Vec<(StepKey, Token)>,
    } -> Vec<(StepKey, Token)>, |self, tx| tx.superseded(&self.held).await
}

look! {
    /// The database's clock.
    Clock {} -> Timestamp, |self, tx| tx.now().await
}

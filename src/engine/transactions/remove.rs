//! Removing tasks and templates: nothing but tests does that.

use crate::domain::id::{NamedTaskId, TaskId};
use crate::storage::rows::TaskFilter;
use crate::storage::{Result, Transaction, Tx};

/// How many tasks of a template are deleted by one statement.
const CHUNK: usize = 500;

/// Removes tasks in whatever state.
pub struct RemoveTasks {
    /// The tasks.
    pub ids: Vec<TaskId>,
}

impl Transaction for RemoveTasks {
    type Output = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<()> {
        tx.delete_tasks(&self.ids).await
    }
}

/// Removes a template version with every task of it, whoever created that.
pub struct RemoveTemplate {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Transaction for RemoveTemplate {
    /// The version's id, where there was one.
    type Output = Option<NamedTaskId>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Option<NamedTaskId>> {
        // The lock keeps creators out: none adds a task after the last look.
        let Some(stored) = tx.lock_named_task(&self.namespace, &self.name, &self.version).await? else {
            return Ok(None);
        };
        let filter = TaskFilter {
            namespace: Some(self.namespace.clone()),
            name: Some(self.name.clone()),
            version: Some(self.version.clone()),
            ..TaskFilter::default()
        };
        loop {
            let page = tx.list_tasks(&filter, None, CHUNK).await?;
            let ids: Vec<TaskId> = page.iter().map(|task| task.id).collect();
            tx.delete_tasks(&ids).await?;
            if ids.len() < CHUNK {
                break;
            }
        }
        tx.delete_named_task(stored.id).await?;
        Ok(Some(stored.id))
    }
}

//! Making tasks of the outbox's rows: what is created and what is deleted there is one transaction, so that each row
//! becomes a task once. A row of which none can be made says why, and does not stop the others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use super::create::{Create, Created, TaskPlan};
use crate::domain::id::TaskId;
use crate::engine::catalog::{Catalog, StoredTemplate};
use crate::engine::outbox::Letter;
use crate::storage::rows::{OutboxRefusal, OutboxRow};
use crate::storage::{Result, Transaction, Tx};

/// The longest that a row is left alone after a try.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// See the module.
pub struct ExpandOutbox {
    /// These rows, due or not; whatever is due where `None`.
    pub only: Option<Vec<TaskId>>,
    /// How many rows at the most.
    pub limit: usize,
    /// Known templates and lanes.
    pub catalog: Arc<Catalog>,
}

/// What became of some rows.
#[derive(Default)]
pub struct Expanded {
    /// How many rows there were.
    pub found: usize,
    /// Of those that are gone now, the row and the task, which is another one where a key says so.
    pub tasks: Vec<(TaskId, TaskId)>,
    /// What was created.
    pub created: Option<Created>,
    /// The rows that stay.
    pub refused: Vec<OutboxRefusal>,
}

impl Transaction for ExpandOutbox {
    type Output = Expanded;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Expanded> {
        let rows = tx.take_outbox(self.only.as_deref(), self.limit).await?;
        let mut expanded = Expanded { found: rows.len(), ..Expanded::default() };
        let mut templates = Templates { catalog: &self.catalog, found: HashMap::new() };
        let mut planned: Vec<&OutboxRow> = Vec::new();
        let mut parts: Vec<Arc<[TaskPlan]>> = Vec::new();
        for row in &rows {
            match self.plan(tx, &mut templates, row).await? {
                Ok(plan) => {
                    planned.push(row);
                    parts.push(Arc::new([plan]));
                }
                Err(error) => expanded.refused.push(refusal(row, error)),
            }
        }
        let mut done = Vec::new();
        if !parts.is_empty() {
            let mut created = Create { parts, taker: None, catalog: self.catalog.clone() }.run(tx).await?;
            for (row, made) in planned.into_iter().zip(std::mem::take(&mut created.made)) {
                match made {
                    Ok(tasks) => {
                        done.push(row.id);
                        expanded.tasks.extend(tasks.into_iter().map(|task| (row.id, task)));
                    }
                    Err(error) => expanded.refused.push(refusal(row, error.to_string())),
                }
            }
            expanded.created = Some(created);
        }
        tx.drop_outbox(&done).await?;
        tx.refuse_outbox(&expanded.refused).await?;
        Ok(expanded)
    }
}

impl ExpandOutbox {
    /// The plan of a row's task, or why there is none.
    async fn plan<T: Tx>(
        &self,
        tx: &mut T,
        templates: &mut Templates<'_>,
        row: &OutboxRow,
    ) -> Result<std::result::Result<TaskPlan, String>> {
        let letter = match Letter::read(&row.task) {
            Ok(letter) => letter,
            Err(error) => return Ok(Err(format!("the row can't be read: {error}"))),
        };
        let Some(stored) = templates.get(tx, &letter).await? else {
            return Ok(Err(format!("there is no task {}", letter.template())));
        };
        Ok(letter.plan(row.id, &stored).map_err(|faults| faults.to_string()))
    }
}

/// Keeps why one row alone fails, where the database itself refused it.
pub struct RefuseOutbox {
    /// The row.
    pub id: TaskId,
    /// Why.
    pub error: String,
}

impl Transaction for RefuseOutbox {
    type Output = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<()> {
        let rows = tx.take_outbox(Some(&[self.id]), 1).await?;
        let refused: Vec<_> = rows.iter().map(|row| refusal(row, self.error.clone())).collect();
        tx.refuse_outbox(&refused).await
    }
}

/// A second after the first try, and twice as long after each further one.
fn refusal(row: &OutboxRow, error: String) -> OutboxRefusal {
    let doublings = u32::try_from(row.attempts).unwrap_or(0).min(20);
    let rest = Duration::from_secs(1 << doublings).min(LONGEST_REST);
    OutboxRefusal { id: row.id, error, rest }
}

/// The templates of the rows of one transaction.
struct Templates<'a> {
    catalog: &'a Catalog,
    found: HashMap<(String, String, String), Option<Arc<StoredTemplate>>>,
}

impl Templates<'_> {
    async fn get<T: Tx>(&mut self, tx: &mut T, letter: &Letter) -> Result<Option<Arc<StoredTemplate>>> {
        let key = (letter.namespace.clone(), letter.name.clone(), letter.version.clone());
        match self.found.entry(key) {
            Entry::Occupied(found) => Ok(found.get().clone()),
            Entry::Vacant(place) => {
                let versions = tx.versions(&letter.namespace, &letter.name).await?;
                let revision = versions.iter().find(|row| row.version == letter.version).map(|row| row.revision);
                let mut stored = self.catalog.revisions(tx, revision.into_iter()).await?;
                let stored = revision.and_then(|revision| stored.remove(&revision));
                Ok(place.insert(stored).clone())
            }
        }
    }
}

/// The rows that are due.
pub struct DueRows {
    /// How many at the most.
    pub limit: usize,
}

impl Transaction for DueRows {
    type Output = Vec<TaskId>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Vec<TaskId>> {
        Ok(tx.take_outbox(None, self.limit).await?.into_iter().map(|row| row.id).collect())
    }
}

/// Which table the outbox is, among those of all servers.
pub struct OutboxPlace;

impl Transaction for OutboxPlace {
    type Output = Option<String>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Option<String>> {
        tx.outbox_place().await
    }
}

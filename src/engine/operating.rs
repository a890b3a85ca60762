//! Operations by hand, on one task or on many, and who has to hear of them.

use std::time::{Duration, Instant};

use super::Engine;
use super::error::{EngineError, Result};
use super::transactions::look::ListTasks;
use super::transactions::operate::{Note, Operate, Operated};
use super::transactions::tried::Tried;
use crate::domain::id::TaskId;
use crate::domain::operation::{Operation, Refused, TaskOperation};
use crate::storage::rows::TaskFilter;
use crate::storage::{Store, StoreError};

/// How long it waits for a step that others settle, once it was refused several times: the steps of a wide task are
/// hardly ever all free at once. Settlements that meet it meanwhile wait that long, too.
const PER_STEP: Duration = Duration::from_millis(250);
/// How long an operation tries to get hold of a task whose steps others are settling.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many tasks are looked up at a time.
const PAGE: usize = 200;

/// What an operation on many tasks did, or would do.
#[derive(Debug, Default)]
pub struct Bulk {
    /// The tasks that it changed, newest first.
    pub changed: Vec<TaskId>,
    /// Those that moved on between the look and the operation, so that it was not allowed any more.
    pub refused: Vec<Box<Refused>>,
}

impl Engine {
    /// Carries out an operation on a task; whether it changed anything. `None` where there is no such task.
    ///
    /// # Errors
    /// [`EngineError::StateTransition`] when the state of the task or step does not allow it; a retryable
    /// [`EngineError::Database`] when its steps are being settled without a pause.
    pub async fn operate(&self, task: TaskId, operation: Operation, note: Note) -> Result<Option<bool>> {
        let begun = Instant::now();
        let mut patience = Duration::ZERO;
        let tried = Tried::default();
        loop {
            let (operation, note, tried) = (operation.clone(), note.clone(), tried.clone());
            let catalog = self.catalog.clone();
            match self.store.write(Operate { task, operation, note, dry_run: false, patience, tried, catalog }).await {
                Ok(operated) => return Ok(operated.map(|operated| self.tell_of(operated))),
                // Where an earlier try was committed and its answer lost, this one finds what it wrote.
                Err(StoreError::Conflict(_) | StoreError::Disconnected(_)) if begun.elapsed() < PATIENCE => {
                    patience = PER_STEP;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Carries out an operation on every task that matches, each in a transaction of its own. Those that are
    /// in no state for it are passed over. A dry run changes nothing.
    ///
    /// # Errors
    /// When the database fails; what was done until then is done.
    pub async fn operate_on_many(
        &self,
        filter: TaskFilter,
        operation: TaskOperation,
        note: Note,
        dry_run: bool,
    ) -> Result<Bulk> {
        let mut bulk = Bulk::default();
        let mut states = operation.allowed_in();
        states.retain(|state| filter.states.is_empty() || filter.states.contains(state));
        if states.is_empty() {
            return Ok(bulk);
        }
        let filter = TaskFilter { states, ..filter };
        let mut before = None;
        loop {
            let catalog = self.catalog.clone();
            let page = ListTasks { filter: filter.clone(), before, limit: PAGE, catalog };
            let page = self.store.read(page).await?;
            for (row, _) in &page {
                let operation = Operation::Task(operation.clone());
                let done = match dry_run {
                    true => self.would(row.id, operation).await,
                    false => self.operate(row.id, operation, note.clone()).await,
                };
                match done {
                    Ok(Some(true)) => bulk.changed.push(row.id),
                    Ok(_) => {}
                    Err(EngineError::StateTransition(refused)) => bulk.refused.push(refused),
                    Err(error) => return Err(error),
                }
            }
            match page.last() {
                Some((last, _)) if page.len() == PAGE => before = Some(last.id),
                _ => return Ok(bulk),
            }
        }
    }

    /// Whether an operation would change anything.
    async fn would(&self, task: TaskId, operation: Operation) -> Result<Option<bool>> {
        let (note, catalog) = (Note::default(), self.catalog.clone());
        let (patience, tried) = (Duration::ZERO, Tried::default());
        let operate = Operate { task, operation, note, dry_run: true, patience, tried, catalog };
        let operated = self.store.read(operate).await?;
        Ok(operated.map(|operated| operated.changed))
    }

    fn tell_of(&self, operated: Operated) -> bool {
        self.catalog.keep_lanes(operated.lanes);
        if operated.queued {
            self.ready_for_others();
        }
        if operated.revoked {
            self.revoked();
        }
        self.tasks_moved(&operated.moved);
        operated.changed
    }
}

//! Operations by hand, on one task or on many, and who has to hear of them.

use std::cmp::Reverse;
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

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
/// How many tasks are operated on at once, at most. Each waits for its database most of the time; in SQLite they share
/// a commit.
const AT_ONCE: usize = 16;

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

    /// Carries out an operation on every task that matches, each in a transaction of its own, several at once. Those
    /// that are in no state for it are passed over. A dry run changes nothing.
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
            let ids = page.iter().map(|(row, _)| row.id).collect();
            self.operate_on_each(ids, &operation, &note, dry_run, &mut bulk).await?;
            match page.last() {
                Some((last, _)) if page.len() == PAGE => before = Some(last.id),
                _ => return Ok(bulk),
            }
        }
    }

    /// Several at once; a pool of several connections has one left for others. One transaction for many would hold the
    /// locks of one task while it takes those of the next. After a failure those under way end, and no others begin.
    async fn operate_on_each(
        &self,
        ids: Vec<TaskId>,
        operation: &TaskOperation,
        note: &Note,
        dry_run: bool,
        bulk: &mut Bulk,
    ) -> Result<()> {
        let failed = AtomicBool::new(false);
        let each = ids.into_iter().map(|id| (id, operation.clone(), note.clone()));
        let each = stream::iter(each).take_while(|_| ready(!failed.load(Ordering::Relaxed)));
        let each = each.map(|(id, operation, note)| {
            let failed = &failed;
            async move {
                let operation = Operation::Task(operation);
                let done = match dry_run {
                    true => self.would(id, operation).await,
                    false => self.operate(id, operation, note).await,
                };
                let fails = done.as_ref().is_err_and(|error| !matches!(error, EngineError::StateTransition(_)));
                failed.fetch_or(fails, Ordering::Relaxed);
                (id, done)
            }
        });
        // One that waits for others' locks holds up none of those behind it.
        let mut done: Vec<_> = each.buffer_unordered(self.at_once()).collect().await;
        done.sort_unstable_by_key(|(id, _)| Reverse(*id));
        let mut failure = None;
        for (id, done) in done {
            match done {
                Ok(Some(true)) => bulk.changed.push(id),
                Ok(_) => {}
                Err(EngineError::StateTransition(refused)) => bulk.refused.push(refused),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn at_once(&self) -> usize {
        let others = self.store.facts().max.saturating_sub(1);
        usize::try_from(others).unwrap_or(AT_ONCE).clamp(1, AT_ONCE)
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

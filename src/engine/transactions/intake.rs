//! Taking claimed steps in: the receipt that says who holds them, their transitions, and what
//! their handlers will want to see (context, results of parents).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::limits::Freed;
use super::work::{Work, works};
use crate::domain::id::{ReceiptId, RevisionId, SessionId, StepIndex, StepKey, TaskId, Token};
use crate::domain::json::Json;
use crate::domain::limit::{Limit, LimitKey};
use crate::domain::state::StepState;
use crate::domain::template::{StepTemplate, Template};
use crate::domain::time::Timestamp;
use crate::engine::catalog::{Catalog, StoredTemplate};
use crate::storage::rows::{NewReceipt, ReadyRow, Receipt, StepTransition, TaskHead};
use crate::storage::{Result, StoreError, Tx};

/// A task as its held steps see it.
#[derive(Debug)]
pub struct TaskInfo {
    /// What it says to every step.
    pub head: TaskHead,
    /// Its template.
    pub stored: Arc<StoredTemplate>,
}

impl TaskInfo {
    /// Its template.
    pub fn template(&self) -> &Template {
        &self.stored.template
    }
}

/// A step in this process's hands, with all that its handler may ask for.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The step as it was claimed.
    pub row: ReadyRow,
    /// Its task.
    pub task: Arc<TaskInfo>,
    /// The results of its parents by index; `None` for one that was skipped.
    pub parents: Vec<(StepIndex, Option<Json>)>,
    /// What an earlier attempt saved last.
    pub checkpoint: Option<Json>,
    /// The receipt that names it.
    pub receipt: ReceiptId,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// For how long it had been ready then; zero where it never waited, or that is not known.
    pub waited: Duration,
    /// What there is to do.
    pub work: Work,
    /// What the host made of it for its limit, where it makes the key.
    pub limit_key: Option<Json>,
}

impl Assignment {
    /// The number of this attempt; the first is 1.
    pub fn attempt(&self) -> u16 {
        match self.work {
            // It is none: nothing is tried.
            Work::Gather { attempts, .. } => attempts,
            _ => self.row.attempts + 1,
        }
    }

    /// When the attempt began, if this is one: a step whose results are put together began when its list was made.
    pub(super) fn began_at(&self) -> Option<Timestamp> {
        (!matches!(self.work, Work::Gather { .. })).then_some(self.claimed_at)
    }

    /// The step's name.
    pub fn step_name(&self) -> Cow<'_, str> {
        self.task.template().name_of(self.row.key.index).unwrap_or_default()
    }

    /// Its definition.
    pub fn step(&self) -> Option<&StepTemplate> {
        self.task.template().step(self.row.key.index)
    }

    /// Whether the claim of this step may be its task's first.
    fn may_start_task(&self) -> bool {
        self.row.token.0 == 0 && self.parents.is_empty()
    }
}

/// What a transaction knows already, so that it need not be read.
#[derive(Default)]
pub struct Known {
    /// Tasks.
    pub tasks: HashMap<TaskId, Arc<TaskInfo>>,
    /// Results; `None` for a step that was skipped.
    pub results: HashMap<StepKey, Option<Json>>,
    /// What the host made of steps for their limits, where it makes the key; `None` where it is to.
    pub limit_keys: HashMap<StepKey, Option<Json>>,
}

/// What was taken in.
#[derive(Default)]
pub struct TakenIn {
    /// The steps that may run.
    pub assignments: Vec<Assignment>,
    /// The tasks that this may have started, with their settings.
    pub started: Vec<(TaskId, RevisionId)>,
    /// Whether steps that had waited for their limit were made ready.
    pub made_ready: bool,
}

/// Records that `session` holds those of `rows` under the receipt `id` that their limits let run, and gathers
/// their inputs. What was `freed` goes to those that wait for it.
pub async fn take_in<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    session: SessionId,
    id: ReceiptId,
    rows: Vec<ReadyRow>,
    mut known: Known,
    freed: Freed,
) -> Result<TakenIn> {
    known.find_tasks(tx, catalog, &rows).await?;
    known.find_limit_keys(tx, &rows).await?;
    let (rows, made_ready) = freed.admit(tx, rows, |row| known.limit_of(row)).await?;
    if rows.is_empty() {
        return Ok(TakenIn { made_ready, ..TakenIn::default() });
    }
    let claim = NewReceipt { id, session, steps: rows };
    let claimed_at = tx.put_receipt(&claim).await?;
    let receipt = Receipt { id, session, steps: claim.steps, claimed_at };
    let assignments = gather(tx, catalog, &receipt, known).await?;
    if assignments.is_empty() {
        // Nothing will be reported that would end it.
        tx.drop_receipts(&[id]).await?;
    }
    if tx.is_heard() {
        let claims: Vec<StepTransition> = assignments.iter().map(|held| claim_of(held, session)).collect();
        tx.tell_steps(&claims);
    }
    let started = assignments.iter().filter(|step| step.may_start_task());
    let mut started: Vec<_> = started.map(|step| (step.row.key.task, step.task.stored.revision)).collect();
    started.sort_unstable();
    started.dedup();
    Ok(TakenIn { assignments, started, made_ready })
}

impl Known {
    /// Reads the tasks of these steps that are not known, with their templates. One that is gone stays unknown.
    async fn find_tasks<T: Tx>(&mut self, tx: &mut T, catalog: &Catalog, rows: &[ReadyRow]) -> Result<()> {
        let mut missing: Vec<TaskId> =
            rows.iter().map(|row| row.key.task).filter(|task| !self.tasks.contains_key(task)).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        let heads = tx.heads(&missing).await?;
        let templates = catalog.revisions(tx, heads.iter().map(|head| head.revision)).await?;
        for head in heads {
            let stored = templates
                .get(&head.revision)
                .ok_or_else(|| StoreError::Database(format!("the task {} has no stored template", head.id).into()))?;
            self.tasks.insert(head.id, Arc::new(TaskInfo { head, stored: stored.clone() }));
        }
        Ok(())
    }

    /// Reads what the host made of those of these steps for whose limit it makes a key.
    async fn find_limit_keys<T: Tx>(&mut self, tx: &mut T, rows: &[ReadyRow]) -> Result<()> {
        let is_wanted = |row: &&ReadyRow| {
            let limit = self.tasks.get(&row.key.task).and_then(|task| task.template().limit(row.key.index));
            limit.is_some_and(Limit::is_made_by_host) && !self.limit_keys.contains_key(&row.key)
        };
        let wanted: Vec<StepKey> = rows.iter().filter(is_wanted).map(|row| row.key).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let made = tx.limit_keys(&wanted).await?;
        self.limit_keys.extend(wanted.into_iter().map(|key| (key, None)));
        self.limit_keys.extend(made.into_iter().map(|(key, made)| (key, Some(made))));
        Ok(())
    }

    /// The limit of a step with its key; none where the host is still to make that: what is claimed for that
    /// needs no slot.
    fn limit_of(&self, row: &ReadyRow) -> Option<(LimitKey, usize)> {
        let made = self.limit_keys.get(&row.key);
        if made.is_some_and(Option::is_none) {
            return None;
        }
        let task = self.tasks.get(&row.key.task)?;
        task.template().limit_of(row.key.index, &task.head.context, made.and_then(Option::as_ref))
    }
}

fn claim_of(held: &Assignment, session: SessionId) -> StepTransition {
    let row = &held.row;
    StepTransition {
        key: row.key,
        revision: held.task.stored.revision,
        seq: row.token.claimed(),
        from: Some(row.state),
        to: StepState::InProgress,
        attempt: held.attempt(),
        by: Some(session),
        hold: None,
        detail: None,
    }
}

/// The assignments of a receipt's steps, but of those whose task is gone: tasks, templates and the
/// results of parents.
pub async fn gather<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    receipt: &Receipt,
    mut known: Known,
) -> Result<Vec<Assignment>> {
    known.find_tasks(tx, catalog, &receipt.steps).await?;
    known.find_limit_keys(tx, &receipt.steps).await?;
    let mut works = works(tx, &receipt.steps, &known).await?;
    // A task that ended and was purged since may still be named: what would be reported of it is late.
    let steps = receipt.steps.iter();
    let rows: Vec<(&ReadyRow, Arc<TaskInfo>)> =
        steps.filter_map(|row| Some((row, known.tasks.get(&row.key.task)?.clone()))).collect();
    let mut wanted: Vec<StepKey> = Vec::new();
    for (row, task) in rows.iter().filter(|(row, _)| !is_gather(works.get(&row.key))) {
        let parents = task.template().parents(row.key.index);
        wanted.extend(parents.iter().map(|&index| StepKey { task: row.key.task, index }));
    }
    wanted.retain(|key| !known.results.contains_key(key));
    wanted.sort_unstable();
    wanted.dedup();
    if !wanted.is_empty() {
        known.results.extend(tx.results(&wanted).await?.into_iter().map(|(key, result)| (key, Some(result))));
    }

    // A step that was never held has none, and most are in that case.
    let held_before = rows.iter().filter(|(row, _)| row.token > Token(0)).map(|(row, _)| row.key);
    let mut checkpoints: HashMap<StepKey, Json> =
        tx.checkpoints(&held_before.collect::<Vec<_>>()).await?.into_iter().collect();

    let held = rows.into_iter().map(|(row, task)| {
        let result = |index: StepIndex| known.results.get(&StepKey { task: row.key.task, index }).cloned().flatten();
        let limit_key = known.limit_keys.remove(&row.key);
        let work = match limit_key {
            Some(None) => Work::Key,
            _ => works.remove(&row.key).unwrap_or_default(),
        };
        let mut row = row.clone();
        let mut parents = Vec::new();
        match work {
            Work::Gather { attempts, .. } => row.attempts = attempts,
            _ => parents.extend(task.template().parents(row.key.index).iter().map(|&index| (index, result(index)))),
        }
        let checkpoint = checkpoints.remove(&row.key);
        let (receipt, claimed_at, limit_key) = (receipt.id, receipt.claimed_at, limit_key.flatten());
        let waited = Duration::ZERO;
        Assignment { row, task, parents, checkpoint, receipt, claimed_at, waited, work, limit_key }
    });
    Ok(held.collect())
}

fn is_gather(work: Option<&Work>) -> bool {
    matches!(work, Some(Work::Gather { .. }))
}

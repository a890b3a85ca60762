//! Creating tasks: tasks, steps and first transitions in one transaction. Root steps become ready,
//! wait for `run_at`, or go straight to an idle worker of this process.

use std::collections::HashSet;
use std::sync::Arc;

use super::apply::Touches;
use super::intake::{Assignment, Known, TakenIn, TaskInfo, gather, take_in};
use super::limits::Freed;
use crate::domain::id::{LaneId, NamedTaskId, ReceiptId, SessionKey, StepIndex, StepKey, TaskId, Token};
use crate::domain::search::Term;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;
use crate::engine::catalog::{Catalog, Lanes, StoredTemplate, lane_of};
use crate::engine::creation::MOST;
use crate::fault_point;
use crate::storage::rows::{
    KeyRow, NewTask, ReadyRow, StepTransition, TaskHead, TaskTransition, TermRow, TimerKind, TimerRow,
};
use crate::storage::{Repeated, Result, StoreError, Transaction, Tx};

/// See the module.
pub struct Create {
    /// What to create: each part whole or not at all.
    pub parts: Vec<Arc<[TaskPlan]>>,
    /// Who may take root steps at once.
    pub taker: Option<Taker>,
    /// Known templates and lanes.
    pub catalog: Arc<Catalog>,
}

/// One task to create.
#[derive(Clone)]
pub struct TaskPlan {
    /// The row.
    pub row: NewTask,
    /// Its template.
    pub stored: Arc<StoredTemplate>,
    /// What to do when its key belongs to another task: give that one (true), or fail.
    pub return_existing: bool,
    /// What it is found by, beside its tags.
    pub terms: Vec<Term>,
    /// Whether its id was given away before, so that the task may be there already: then nothing is to be done.
    pub promised: bool,
}

/// An idle worker of this process that takes root steps as they are created.
pub struct Taker {
    /// Its session.
    pub session: SessionKey,
    /// The receipt to write.
    pub receipt: ReceiptId,
    /// The lanes it works.
    pub lanes: HashSet<LaneId>,
    /// How many steps it takes.
    pub limit: usize,
}

/// What was created.
pub struct Created {
    /// What came of each part. For each of its plans in order: the task, which is another one than planned where a
    /// key was taken; or why the part is refused.
    pub made: Vec<Result<Vec<TaskId>>>,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// Those of the tasks that are new and in progress already.
    pub started: HashSet<TaskId>,
    /// Since when those are.
    pub claimed_at: Timestamp,
    /// What the taker has now.
    pub taken: Vec<Assignment>,
    /// Whether steps were made ready for others.
    pub made_ready: bool,
    /// The lanes that were used, to keep.
    pub lanes: Vec<((NamedTaskId, String), LaneId)>,
}

impl Transaction for Create {
    type Output = Created;

    /// Where a few tasks have nothing but their steps, which go into lanes that are known, and nobody takes them at once.
    fn is_single(&self) -> bool {
        let plans = || self.parts.iter().flat_map(|part| part.iter());
        self.taker.is_none()
            && plans().all(TaskPlan::is_plain)
            && plans().map(TaskPlan::weight).sum::<usize>() <= MOST
            && self.catalog.knows_lanes(plans().flat_map(TaskPlan::lanes))
    }

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Created> {
        let taker = match &self.taker {
            Some(taker) if tx.hold_session(taker.session, &[]).await? => Some(taker),
            _ => None,
        };
        let (made, plans) = self.take_keys(tx).await?;
        let lanes = self.lanes(tx, &plans).await?;

        let mut batch = Batch::default();
        for plan in &plans {
            batch.add(plan, taker, &lanes)?;
        }
        let promised = plans.iter().any(|plan| plan.promised);
        let inserted = tx.insert_tasks(&batch.tasks, &batch.ready).await;
        inserted.map_err(|error| if promised { error.or_conflict() } else { error })?;
        tx.put_terms(&batch.terms).await?;
        tx.put_timers(&batch.timers).await?;
        let at = tx.now().await?;
        if tx.is_heard() {
            let created = |plan: &&TaskPlan| TaskTransition::created(plan.row.id, plan.row.revision);
            tx.tell_tasks(&plans.iter().map(created).collect::<Vec<_>>());
            tx.tell_steps(&plans.iter().flat_map(|plan| plan.created_steps()).collect::<Vec<_>>());
        }
        fault_point!(Creating);
        let (taken, started) = match taker {
            Some(taker) => self.hand_over(tx, taker, batch.taken, &plans).await?,
            None => Default::default(),
        };
        let made_ready = !batch.ready.is_empty() || !batch.timers.is_empty();
        Ok(Created {
            made,
            at,
            claimed_at: tx.now().await?,
            started,
            taken,
            made_ready,
            lanes: lanes.into_iter().collect(),
        })
    }
}

impl Create {
    /// Takes the keys; gives what comes of each part, and the plans that are to be carried out.
    async fn take_keys<T: Tx>(&self, tx: &mut T) -> Result<(Vec<Result<Vec<TaskId>>>, Vec<&TaskPlan>)> {
        let keyed: Vec<KeyRow> = self.parts.iter().flat_map(|part| part.iter()).filter_map(TaskPlan::key_row).collect();
        let mut owners = tx.take_keys(&keyed).await?.into_iter();
        let mut made = Vec::with_capacity(self.parts.len());
        let mut plans = Vec::new();
        for part in &self.parts {
            let owner = |plan: &TaskPlan| plan.row.key.as_ref().and_then(|_| owners.next().flatten());
            let owned: Vec<Option<TaskId>> = part.iter().map(owner).collect();
            let planned = part.iter().zip(owned.iter().copied());
            match planned.clone().enumerate().find_map(|(i, (plan, owner))| plan.refusal(owner, i, part)) {
                None => {
                    made.push(Ok(planned.clone().map(|(plan, owner)| owner.unwrap_or(plan.row.id)).collect()));
                    plans.extend(planned.filter(|(_, owner)| owner.is_none()).map(|(plan, _)| plan));
                }
                // Its other keys are not to be kept: all is undone.
                Some(refusal) if planned.clone().any(|(plan, owner)| plan.row.key.is_some() && owner.is_none()) => {
                    return Err(refusal);
                }
                Some(refusal) => made.push(Err(refusal)),
            }
        }
        if tx.resent() || plans.iter().any(|plan| plan.promised) {
            let planned: Vec<TaskId> = plans.iter().map(|plan| plan.row.id).collect();
            let mut there: HashSet<TaskId> = tx.tasks(&planned).await?.into_iter().map(|row| row.id).collect();
            // Two may ask for the same one at once, and be gathered.
            plans.retain(|plan| there.insert(plan.row.id));
        }
        Ok((made, plans))
    }

    async fn lanes<T: Tx>(&self, tx: &mut T, plans: &[&TaskPlan]) -> Result<Lanes> {
        let wanted = plans.iter().flat_map(|plan| plan.lanes());
        self.catalog.lanes(tx, wanted).await
    }

    async fn hand_over<T: Tx>(
        &self,
        tx: &mut T,
        taker: &Taker,
        rows: Vec<ReadyRow>,
        plans: &[&TaskPlan],
    ) -> Result<(Vec<Assignment>, HashSet<TaskId>)> {
        if tx.resent()
            && let Some(receipt) = tx.find_receipt(taker.receipt).await?
        {
            // An earlier try was committed and its answer lost: what it took is under its receipt.
            let started = receipt.steps.iter().map(|row| row.key.task).collect();
            return Ok((gather(tx, &self.catalog, &receipt, Known::default()).await?, started));
        }
        let taken: HashSet<TaskId> = rows.iter().map(|row| row.key.task).collect();
        let tasks = plans.iter().filter(|plan| taken.contains(&plan.row.id)).map(|plan| (plan.row.id, plan.info()));
        let known = Known { tasks: tasks.collect(), ..Known::default() };
        let (session, receipt) = (taker.session.id, taker.receipt);
        let TakenIn { assignments, started, .. } =
            take_in(tx, &self.catalog, session, receipt, rows, known, Freed::default()).await?;
        let mut touches = Touches::default();
        for (id, revision) in started {
            touches.of(id, revision).start = true;
        }
        let started = touches.write(tx).await?.into_iter().map(|moved| moved.id).collect();
        Ok((assignments, started))
    }
}

impl TaskPlan {
    fn created_steps(&self) -> impl Iterator<Item = StepTransition> {
        let (task, revision) = (self.row.id, self.row.revision);
        let steps = 0..self.stored.template.graph.len() as StepIndex;
        steps.map(move |index| StepTransition::created(StepKey { task, index }, revision))
    }

    /// How much work it is to create: its steps, and the kilobytes of its context.
    pub fn weight(&self) -> usize {
        self.stored.template.graph.len() + self.row.context.as_str().len() / 1_024
    }

    /// The lanes of its root steps: the template version and the queue of each.
    fn lanes(&self) -> impl Iterator<Item = (NamedTaskId, &str)> {
        let template = &self.stored.template;
        let queue = |root| template.queue_of(root, self.row.queue.as_deref());
        template.graph.roots().map(move |root| (self.row.named_task, queue(root)))
    }

    /// Whether one statement creates it.
    fn is_plain(&self) -> bool {
        let NewTask { key, run_at, tags, .. } = &self.row;
        key.is_none() && run_at.is_none() && tags.is_empty() && self.terms.is_empty() && !self.promised
    }

    fn key_row(&self) -> Option<KeyRow> {
        let template = &self.stored.template;
        let (namespace, name) = (template.namespace.clone(), template.name.clone());
        Some(KeyRow { namespace, name, key: self.row.key.clone()?, task: self.row.id })
    }

    /// Why it, the plan `second` of a part, can't be created where its key has this owner. One that is its own was taken by
    /// an earlier try of this very transaction. One that is planned with it will not be there, since the part is refused.
    fn refusal(&self, owner: Option<TaskId>, second: usize, part: &[Self]) -> Option<StoreError> {
        let existing = owner.filter(|&owner| !self.return_existing && owner != self.row.id)?;
        let key = self.row.key.clone()?;
        Some(match part.iter().position(|plan| plan.row.id == existing) {
            Some(first) => StoreError::Repeated(Box::new(Repeated { key, first, second })),
            None => StoreError::Duplicate { key, existing },
        })
    }

    /// The task as its steps will see it.
    pub fn info(&self) -> Arc<TaskInfo> {
        let row = &self.row;
        let head = TaskHead {
            id: row.id,
            named_task: row.named_task,
            revision: row.revision,
            priority: row.priority,
            queue: row.queue.clone(),
            run: 1,
            context: row.context.clone(),
            headers: row.headers.clone(),
        };
        Arc::new(TaskInfo { head, stored: self.stored.clone() })
    }
}

/// The rows of many tasks, gathered for set-based statements.
#[derive(Default)]
struct Batch {
    tasks: Vec<NewTask>,
    ready: Vec<ReadyRow>,
    timers: Vec<TimerRow>,
    taken: Vec<ReadyRow>,
    terms: Vec<TermRow>,
}

impl Batch {
    fn add(&mut self, plan: &TaskPlan, taker: Option<&Taker>, lanes: &Lanes) -> Result<()> {
        let graph = &plan.stored.template.graph;
        let id = plan.row.id;
        let roots: Vec<StepIndex> = graph.roots().collect();
        let steps = 0..graph.len() as StepIndex;
        self.tasks.push(NewTask {
            live: roots.len() as i32,
            state: TaskState::Pending,
            waiting: steps.map(|index| graph.parents(index).len() as i32).collect(),
            ..plan.row.clone()
        });
        let tags = plan.row.tags.iter().map(|tag| Term::tag(tag));
        self.terms.extend(plan.terms.iter().cloned().chain(tags).map(|term| TermRow { task: id, term }));
        roots.into_iter().try_for_each(|root| self.place(plan, root, taker, lanes))
    }

    /// Puts a root step where it belongs: with the taker, on a timer, or with the ready ones.
    fn place(&mut self, plan: &TaskPlan, root: StepIndex, taker: Option<&Taker>, lanes: &Lanes) -> Result<()> {
        let template = &plan.stored.template;
        let queue = template.queue_of(root, plan.row.queue.as_deref()).to_owned();
        let lane = lane_of(lanes, plan.row.named_task, queue)?;
        let ready = ReadyRow {
            lane,
            priority: template.priority_of(root, plan.row.priority),
            key: StepKey { task: plan.row.id, index: root },
            token: Token(0),
            attempts: 0,
            state: StepState::Pending,
        };
        match (plan.row.run_at, taker) {
            (Some(due), _) => self.timers.push(TimerRow { due, kind: TimerKind::Start, ready }),
            (None, Some(taker)) if self.taken.len() < taker.limit && taker.lanes.contains(&lane) => {
                self.taken.push(ready);
            }
            (None, _) => self.ready.push(ready),
        }
        Ok(())
    }
}

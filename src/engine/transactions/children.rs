//! What finished steps mean to those that need them: their children are released, or skipped where a
//! decision leaves them out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::intake::TaskInfo;
use super::verdict::{Verdict, object};
use crate::domain::branches::bypassed;
use crate::domain::id::{RevisionId, StepIndex, StepKey, TaskId};
use crate::domain::json::Json;
use crate::domain::state::{StepEvent, StepState};
use crate::engine::catalog::{Catalog, Lanes, lane_of};
use crate::storage::rows::{HeldStep, ReadyRow, ReleasedStep, StepTransition};
use crate::storage::{Result, StoreError, Tx};

/// For each child, how many of its parents are finished now.
type Finished = BTreeMap<StepKey, i32>;

/// Takes finished parents off their children's counters (two parents of one child in one batch
/// count twice) and returns the children that wait for nothing, with their tasks' settings, in the
/// order of claiming.
pub(super) async fn release_children<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    verdicts: &[Verdict],
) -> Result<(Vec<(ReadyRow, RevisionId)>, Lanes)> {
    let mut finished = Finished::new();
    let mut decided: BTreeMap<TaskId, Decided> = BTreeMap::new();
    let mut task_of: HashMap<TaskId, &Arc<TaskInfo>> = HashMap::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.step_move.to.satisfies_children()) {
        let StepKey { task, index } = verdict.step_move.key;
        let info = &verdict.assignment.task;
        task_of.entry(task).or_insert(info);
        let left_out: BTreeSet<StepIndex> = match &verdict.route {
            Some(route) => info.template().branches.left_out(index, route),
            None => BTreeSet::new(),
        };
        for &child in info.template().children(index).iter().filter(|child| !left_out.contains(child)) {
            *finished.entry(StepKey { task, index: child }).or_default() += 1;
        }
        if !left_out.is_empty() {
            let of_task = decided.entry(task).or_insert_with(|| Decided { task: info, left_out: BTreeMap::new() });
            of_task.left_out.extend(left_out.into_iter().map(|step| (step, index)));
        }
    }
    if !decided.is_empty() {
        skip(tx, &decided, &mut finished).await?;
    }
    if finished.is_empty() {
        return Ok(Default::default());
    }
    let finished: Vec<_> = finished.into_iter().collect();
    let released = tx.release_steps(&finished).await?;
    queue(tx, catalog, released, &task_of).await
}

/// The rows with which released steps stand in the queue, in the order of claiming.
async fn queue<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    released: Vec<ReleasedStep>,
    task_of: &HashMap<TaskId, &Arc<TaskInfo>>,
) -> Result<(Vec<(ReadyRow, RevisionId)>, Lanes)> {
    let queue_of = |key: &StepKey| {
        let task = task_of.get(&key.task)?;
        Some((*task, task.template().queue_of(key.index, task.head.queue.as_deref())))
    };
    let wanted = released.iter().filter_map(|child| queue_of(&child.key));
    let lanes = catalog.lanes(tx, wanted.map(|(task, queue)| (task.head.named_task, queue))).await?;

    let mut children = Vec::with_capacity(released.len());
    for ReleasedStep { key, token } in released {
        let Some((task, queue)) = queue_of(&key) else { continue };
        let child = ReadyRow {
            lane: lane_of(&lanes, task.head.named_task, queue.to_owned())?,
            priority: task.template().priority_of(key.index, task.head.priority),
            key,
            token,
            attempts: 0,
            state: StepState::Pending,
        };
        children.push((child, task.stored.revision));
    }
    children.sort_unstable_by_key(|(row, _)| (-i32::from(row.priority), row.key));
    Ok((children, lanes))
}

/// What the decisions of one task leave out.
struct Decided<'a> {
    task: &'a Arc<TaskInfo>,
    /// Each with the decision that did not choose it.
    left_out: BTreeMap<StepIndex, StepIndex>,
}

impl Decided<'_> {
    fn key(&self, index: StepIndex) -> StepKey {
        StepKey { task: self.task.head.id, index }
    }

    /// What may be skipped, and what comes after that.
    fn reach(&self) -> (HashSet<StepIndex>, HashSet<StepIndex>) {
        let template = self.task.template();
        let left_out: Vec<StepIndex> = self.left_out.keys().copied().collect();
        let reach = template.branches.reach(&template.graph, &left_out);
        let after = reach.iter().flat_map(|&step| template.graph.children(step)).copied().collect();
        (reach.into_iter().collect(), after)
    }

    /// Why a step is skipped.
    fn reason(&self, step: StepIndex) -> Result<Json> {
        let template = self.task.template();
        let reason = match self.left_out.get(&step).and_then(|&decision| template.step(decision)) {
            Some(decision) => format!("the decision {:?} did not choose it", decision.name),
            None => "decisions skipped every step that it needs".to_owned(),
        };
        object("reason", &reason)
    }
}

/// Skips what decisions leave out, and counts it as finished for what comes after. How far that goes is
/// seen only under the locks; so whatever it may come to is locked first, with all other children of
/// the batch, in the one order.
async fn skip<T: Tx>(tx: &mut T, decided: &BTreeMap<TaskId, Decided<'_>>, finished: &mut Finished) -> Result<()> {
    let mut to_lock: Vec<StepKey> = finished.keys().copied().collect();
    let mut to_look: Vec<StepKey> = Vec::new();
    for of_task in decided.values() {
        let (reach, after) = of_task.reach();
        let parents = reach.iter().flat_map(|&step| of_task.task.template().graph.parents(step));
        to_look.extend(reach.iter().chain(parents).map(|&step| of_task.key(step)));
        to_lock.extend(reach.iter().chain(&after).map(|&step| of_task.key(step)));
    }
    for keys in [&mut to_lock, &mut to_look] {
        keys.sort_unstable();
        keys.dedup();
    }
    let blocked: HashMap<StepKey, HeldStep> =
        tx.lock_blocked(&to_lock).await?.into_iter().map(|step| (step.key, step)).collect();
    // After the locks: who skipped a parent meanwhile was waited for.
    to_look.retain(|key| !blocked.contains_key(key));
    let before: HashSet<StepKey> = tx.bypassed(&to_look).await?.into_iter().collect();

    let to = StepState::Pending.settle(StepEvent::Skip);
    let to = to.map_err(|refusal| StoreError::Database(refusal.to_string().into()))?;
    let (mut keys, mut transitions) = (Vec::new(), Vec::new());
    for of_task in decided.values() {
        let graph = &of_task.task.template().graph;
        let left_out: Vec<StepIndex> = of_task.left_out.keys().copied().collect();
        let is_blocked = |step| blocked.contains_key(&of_task.key(step));
        let skipped = bypassed(graph, &left_out, is_blocked, |step| before.contains(&of_task.key(step)));
        for &step in &skipped {
            for &child in graph.children(step).iter().filter(|child| !skipped.contains(child)) {
                *finished.entry(of_task.key(child)).or_default() += 1;
            }
            let Some(held) = blocked.get(&of_task.key(step)) else { continue };
            finished.remove(&held.key);
            keys.push(held.key);
            transitions.push(StepTransition {
                key: held.key,
                revision: of_task.task.stored.revision,
                seq: held.token.next().entered(),
                from: Some(held.state),
                to,
                attempt: held.attempts,
                by: None,
                hold: None,
                detail: Some(of_task.reason(step)?),
            });
        }
    }
    tx.bypass_steps(&keys, to).await?;
    tx.record_steps(&transitions).await
}

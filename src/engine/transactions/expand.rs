//! Making a step for each item of a list, all in the transaction that records the list.

use std::collections::{HashMap, HashSet};

use super::verdict::Verdict;
use crate::domain::id::{RevisionId, StepIndex, StepKey, Token};
use crate::domain::state::StepState;
use crate::storage::rows::{LastTransition, NewItems, ReadyRow, StepTransition};
use crate::storage::{Result, Tx};

/// Inserts the steps of the items of every list among the verdicts, and returns them as they stand in the
/// queue, with their tasks' settings. Those of a paused task, whose step is `parked`, do not.
pub(super) async fn expand<T: Tx>(
    tx: &mut T,
    verdicts: &[Verdict],
    parked: &HashSet<StepKey>,
) -> Result<Vec<(ReadyRow, RevisionId)>> {
    let lists: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.items.is_empty()).collect();
    if lists.is_empty() {
        return Ok(Vec::new());
    }
    // A step that was run again from a list on had items before, whose histories go on.
    let again = lists.iter().filter(|verdict| verdict.step_move.token > Token(0));
    let again: Vec<StepKey> = again.flat_map(|verdict| keys(verdict)).collect();
    let before: HashMap<StepKey, LastTransition> =
        tx.last_transitions(&again).await?.into_iter().map(|last| (last.key, last)).collect();

    let (mut rows, mut transitions, mut ready) = (Vec::new(), Vec::new(), Vec::new());
    for verdict in lists {
        let (group, held) = (verdict.step_move.key, &verdict.assignment.row);
        let revision = verdict.assignment.task.stored.revision;
        let is_parked = parked.contains(&group);
        let mut items = Vec::with_capacity(verdict.items.len());
        let mut first = None;
        for (key, item) in keys(verdict).zip(&verdict.items) {
            let last = before.get(&key);
            let token = last.map_or(Token(0), LastTransition::next_token);
            first = first.or(Some(key.index));
            items.push((item.clone(), token));
            let born = StepTransition::created(key, revision);
            transitions.push(StepTransition { seq: token.entered(), from: last.map(|last| last.to), ..born });
            if is_parked {
                continue;
            }
            ready.push((ReadyRow { key, token, attempts: 0, state: StepState::Pending, ..held.clone() }, revision));
        }
        if let Some(first) = first {
            rows.push(NewItems { group, first, waiting: i32::from(is_parked), items });
        }
    }
    tx.insert_items(&rows).await?;
    tx.record_steps(&transitions).await?;
    Ok(ready)
}

/// The steps of a list's items.
fn keys(verdict: &Verdict) -> impl Iterator<Item = StepKey> {
    let StepKey { task, index } = verdict.step_move.key;
    let groups = &verdict.assignment.task.template().groups;
    let positions = 0..verdict.items.len() as StepIndex;
    positions.filter_map(move |position| Some(StepKey { task, index: groups.item_index(index, position)? }))
}

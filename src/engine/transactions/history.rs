//! The whole history of a task out of what is stored of it: creations stand in the task's row, and a claim in its receipt
//! until it ends, then in the transition that ended it.

use std::collections::HashMap;

use crate::domain::id::StepIndex;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;
use crate::storage::rows::{HeldNow, HistoryRow, Hold, StoredTransition};

/// The transitions of a task and of its steps, of which `steps` were created with it: by time, but no transition before an
/// earlier one of the same step, whatever its clock said. Where creations and claims are stored, as the first version of
/// the schema had them, they are not told again.
pub fn told(
    created_at: Timestamp,
    steps: usize,
    of_task: Vec<HistoryRow>,
    of_steps: Vec<StoredTransition>,
    held: Vec<HeldNow>,
) -> Vec<HistoryRow> {
    let mut untold = vec![created(None, TaskState::Pending.as_str(), created_at)];
    untold.extend((0..steps).map(|index| created(Some(index as StepIndex), StepState::Pending.as_str(), created_at)));
    let mut rows = of_task;
    let mut states: HashMap<Option<StepIndex>, String> = HashMap::new();
    for StoredTransition { row, hold } in of_steps {
        if let Some(hold) = hold {
            let from = states.get(&row.index).map_or(StepState::Pending.as_str(), String::as_str).to_owned();
            let (seq, attempt) = (row.seq - 1, row.attempt);
            untold.push(claimed(row.index, seq, from, attempt, hold));
        }
        states.insert(row.index, row.to.clone());
        rows.push(row);
    }
    untold.extend(held.into_iter().map(|held| {
        claimed(Some(held.index), held.token.claimed(), held.from.as_str().to_owned(), held.attempt, held.hold)
    }));
    rows.extend(untold);
    rows.sort_by_key(|row| (row.index, row.seq));
    rows.dedup_by_key(|row| (row.index, row.seq));
    in_order(rows)
}

fn created(index: Option<StepIndex>, to: &str, at: Timestamp) -> HistoryRow {
    HistoryRow { index, seq: 0, from: None, to: to.to_owned(), at, attempt: 0, by: None, detail: None }
}

fn claimed(index: Option<StepIndex>, seq: i32, from: String, attempt: u16, hold: Hold) -> HistoryRow {
    let to = StepState::InProgress.as_str().to_owned();
    HistoryRow { index, seq, from: Some(from), to, at: hold.since, attempt, by: Some(hold.by), detail: None }
}

fn in_order(rows: Vec<HistoryRow>) -> Vec<HistoryRow> {
    let mut before: Option<(Option<StepIndex>, Timestamp)> = None;
    let timed = rows.into_iter().map(|row| {
        let at = before.filter(|(index, _)| *index == row.index).map_or(row.at, |(_, at)| at.max(row.at));
        before = Some((row.index, at));
        (at, row)
    });
    let mut timed: Vec<_> = timed.collect();
    timed.sort_by_key(|(at, row)| (*at, row.index.is_some(), row.index, row.seq));
    timed.into_iter().map(|(_, row)| row).collect()
}

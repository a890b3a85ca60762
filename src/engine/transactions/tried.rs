//! An operation by hand whose commit was not answered: whether it was made is read off the history.
//!
//! The present state doesn't tell: what was restarted may have ended again meanwhile.

use std::sync::Arc;

use parking_lot::Mutex;

use super::operate::Operated;
use crate::domain::id::{StepIndex, TaskId};
use crate::domain::time::Timestamp;
use crate::storage::rows::HistoryRow;
use crate::storage::{Result, Tx};

/// What the last try of an operation wrote. All tries of one operation share it.
#[derive(Clone, Default)]
pub struct Tried(Arc<Mutex<Option<Written>>>);

#[derive(Clone)]
struct Written {
    /// One of the transitions: of which step, or of the task; its place; and when.
    transition: (Option<StepIndex>, i32, Timestamp),
    operated: Operated,
}

impl Tried {
    /// Remembers what is about to be committed, with one of its transitions.
    pub(super) fn remember(&self, index: Option<StepIndex>, seq: i32, at: Timestamp, operated: &Operated) {
        *self.0.lock() = Some(Written { transition: (index, seq, at), operated: operated.clone() });
    }

    /// What the last try did, where it was committed. Reads nothing before there was one. Under the locks of the
    /// task's steps, so that one that is still being committed was waited for.
    pub(super) async fn committed<T: Tx>(&self, tx: &mut T, task: TaskId) -> Result<Option<Operated>> {
        let Some(Written { transition, operated }) = self.0.lock().clone() else { return Ok(None) };
        let is_it = |row: &HistoryRow| (row.index, row.seq, row.at) == transition;
        let is_there = match transition.0 {
            Some(_) => tx.step_history(task).await?.iter().any(|stored| is_it(&stored.row)),
            None => tx.task_history(task).await?.iter().any(is_it),
        };
        Ok(is_there.then_some(operated))
    }
}

//! What there is, counted, and what ended lately.

use crate::domain::id::{RevisionId, TaskId};
use crate::domain::state::TaskState;
use crate::domain::time::Timestamp;

/// What a store's pool looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFacts {
    /// `sqlite` or `postgres`.
    pub backend: &'static str,
    /// How many connections are open.
    pub size: u32,
    /// How many of them nobody uses.
    pub idle: u32,
    /// How many connections there may be.
    pub max: u32,
}

/// What there is, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Tasks by state, in the order of [`TaskState::ALL`].
    pub tasks: [u64; TaskState::ALL.len()],
    /// Steps that may be claimed.
    pub ready: u64,
    /// Since when the one of them that has waited the longest is ready, where that is known.
    pub ready_since: Option<Timestamp>,
    /// Steps that wait for a retry.
    pub retrying: u64,
    /// Steps that wait for their task's time.
    pub scheduled: u64,
    /// Steps that sessions hold.
    pub held: u64,
    /// Steps that sessions hold which are past their end.
    pub expired: u64,
    /// Sessions that are not.
    pub sessions: u64,
}

/// What waits in a queue to be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The queue.
    pub queue: String,
    /// How many steps.
    pub steps: u64,
    /// Since when the one of them that has waited the longest is ready, where that is known.
    pub since: Option<Timestamp>,
}

impl Census {
    /// Makes the tasks that are complete those that ended in no other way.
    pub(in crate::storage) fn rest_is_complete(&mut self, ended: u64) {
        let others: u64 = [TaskState::Error, TaskState::Cancelled, TaskState::ResolvedManually]
            .iter()
            .map(|&state| self.tasks[state as usize])
            .sum();
        self.tasks[TaskState::Complete as usize] = ended.saturating_sub(others);
    }

    /// Makes the tasks that are pending those of `all` that were counted in no other state.
    pub(in crate::storage) fn rest_is_pending(&mut self, all: u64) {
        self.tasks[TaskState::Pending as usize] = all.saturating_sub(self.tasks.iter().sum());
    }
}

/// Which ended tasks to sum up.
#[derive(Clone, Debug)]
pub struct Window {
    /// Those that ended at this moment or later.
    pub since: Timestamp,
    /// Of this namespace.
    pub namespace: Option<String>,
    /// Of this template name.
    pub name: Option<String>,
}

/// A task that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedTask {
    /// Its id.
    pub id: TaskId,
    /// Its settings.
    pub revision: RevisionId,
    /// How it ended.
    pub state: TaskState,
    /// When it was created.
    pub created_at: Timestamp,
    /// Not before this moment.
    pub run_at: Option<Timestamp>,
    /// When its first step was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Timestamp,
}

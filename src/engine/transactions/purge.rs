//! Deleting tasks that ended long ago.

use std::time::Duration;

use crate::domain::time::Timestamp;
use crate::storage::{Result, Transaction, Tx};

/// Deletes some of the tasks that ended before a moment, with everything that belongs to them.
pub struct Purge {
    /// Those that ended from here on; all where `None`.
    pub from: Option<Timestamp>,
    /// Those that ended before this.
    pub before: Timestamp,
    /// How many at the most.
    pub limit: usize,
}

/// What one purge came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// How many tasks were deleted.
    pub deleted: usize,
    /// Where to go on; `None` when there is nothing left.
    pub next: Option<Timestamp>,
}

impl Transaction for Purge {
    type Output = Purged;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Purged> {
        let found = tx.ended_between(self.from, self.before, self.limit).await?;
        let ids: Vec<_> = found.iter().map(|&(id, _)| id).collect();
        let deleted = tx.purge_tasks(&ids, self.before).await?;
        let last = found.last().map(|&(_, at)| at).filter(|_| found.len() == self.limit);
        // Others that ended at the same moment may be left, unless these have all been spared.
        let next = last.map(|at| if deleted == 0 { Timestamp(at.0.saturating_add(1)) } else { at });
        Ok(Purged { deleted, next })
    }
}

/// Gives the space of what was deleted back, some at a time.
pub struct GiveBackSpace {
    /// How many of the database's pages at the most.
    pub pages: usize,
}

impl Transaction for GiveBackSpace {
    /// Whether there may be more.
    type Output = bool;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<bool> {
        tx.give_back_space(self.pages).await
    }
}

/// Begins what one process does for all now and then.
pub struct BeginChore {
    /// What is to be done.
    pub name: &'static str,
    /// How often at the most.
    pub every: Duration,
}

impl Transaction for BeginChore {
    /// The time now, if it is this process's turn.
    type Output = Option<Timestamp>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Option<Timestamp>> {
        let now = tx.now().await?;
        Ok(tx.begin_chore(self.name, self.every).await?.then_some(now))
    }
}

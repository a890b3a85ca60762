//! [`PostgresTx`]: the primitives of [`Tx`], each one statement or a few.
//!
//! | module | primitives |
//! |---|---|
//! | [`primitives`] | each, and which of the others carries it out |
//! | [`sessions`] | sessions and receipts |
//! | [`templates`] | template versions, revisions, lanes |
//! | [`creation`] | keys to take, tasks to insert |
//! | [`queue`] | ready rows and timers, and what a claim needs to know |
//! | [`settlement`] | locks, moves, releases, the rest of tasks, history to record |
//! | [`operations`] | what people do by hand |
//! | [`reading`], [`listing`] | looking |
//! | [`decisions`] | what decisions choose and skip |
//! | [`items`] | steps that are made while a task runs |
//! | [`statistics`] | counting and summing up |
//! | [`deletion`] | tasks that go |
//! | [`chores`] | what is done now and then |
//! | [`pauses`] | paused queues |
//! | [`outbox`] | tasks that applications ask for in their own transactions |
//! | [`limits`] | how many run at once |
//!
//! Every statement is a named constant with the plan it counts on, and runs after one of the two
//! beginnings, which leave the planner only loops over index probes; but for one that is a transaction by itself, which
//! looks for nothing but a few rows by their key.
//!
//! States pass as text and are cast in SQL, so that the driver never asks for the types' numbers.

mod annotations;
mod chores;
mod creation;
mod decisions;
mod deletion;
mod items;
mod limits;
mod listing;
mod operations;
mod outbox;
mod pauses;
mod primitives;
mod queue;
mod reading;
mod sessions;
mod settlement;
mod statistics;
mod templates;
mod terms;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;

use super::error::{code, store_error};
use super::values::instant;
use crate::domain::time::Timestamp;
use crate::fault_point;
use crate::storage::feed::{Feed, Recording};
use crate::storage::{Result, Said, StoreError, Tx};

/// A beginning, with settings that end with the transaction, so that they are safe behind a pooler.
///
/// Loops over index probes are the only plans that stay right while a table grows from nothing to
/// millions of rows between two analyzes: a plan that was made and kept while it was small would
/// read all of it. And a compilation would cost more than any statement here.
///
/// Which side a loop probes is still the planner's choice: where it takes a table for nearly empty, as it does of a plan
/// that was made when it was, and of one that a purge has emptied, it would walk the table's index once and look
/// for each row among the values. Statements that probe for values therefore say `id = ANY (ARRAY [w.id])` of the index's
/// first column instead of `id = w.id`: an index serves that only when it is probed, and an index that could give no
/// order for a merge is not walked. It costs 0.3 µs a probe.
///
/// The server ends a transaction of which it hears nothing for five seconds. Where a process stands still or its host is
/// gone without a word, nothing else would end it before TCP gives up, two hours later: it would hold its session's row,
/// past which no sweep gets, and this very process would wait for it when it sends the transaction again. Between two
/// statements nothing takes so long that is at work; who was only frozen finds its connection lost, and tries again.
macro_rules! begin {
    ($level:literal $(, $more:literal)?) => {
        concat!(
            "BEGIN ISOLATION LEVEL ",
            $level,
            "; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
             SET LOCAL jit = off; SET LOCAL idle_in_transaction_session_timeout = '5s'",
            $("; SET LOCAL ", $more)?
        )
    };
}

/// What a task's column `rare` is in the state that this SQL gives: those that only few tasks are in.
macro_rules! rare {
    ($state:literal) => {
        concat!(
            "CASE WHEN ",
            $state,
            " IN ('paused', 'error', 'cancelled', 'resolved_manually') THEN ",
            $state,
            "::tasker_task_state END"
        )
    };
}
use rare;

/// Begins a transaction that writes: each statement sees what was committed before it. Its statements are planned once a
/// connection: the server would plan nearly each anew for a batch of one, for which it always expects to gain by that,
/// and a plan takes longer than what it is for.
pub(super) const BEGIN: &str = begin!("READ COMMITTED", "plan_cache_mode = force_generic_plan");

/// Begins a transaction that reads: all statements see one state of the database. They are planned for their values, by
/// which a search chooses its index.
pub(super) const BEGIN_READING: &str = begin!("REPEATABLE READ");

const CLOCK: &str = "SELECT clock_timestamp()";

/// A statement with its values.
type Statement = Query<'static, Postgres, PgArguments>;

/// What statements run in.
pub(super) enum Open<'c> {
    /// A transaction, which is to be committed.
    Transaction(sqlx::Transaction<'c, Postgres>),
    /// None: the server commits each statement by itself.
    Single(&'c mut PgConnection),
}

/// A transaction under way.
pub struct PostgresTx<'c> {
    open: Open<'c>,
    /// Whether statements are prepared by name.
    prepared: bool,
    resent: bool,
    now: Option<Timestamp>,
    /// What to add to the database's clock, in microseconds: the same from beginning to end.
    clock_offset: i64,
    /// The first failure of a statement: the server refuses to commit after it.
    failed: Option<StoreError>,
    recording: Recording,
}

impl<'c> PostgresTx<'c> {
    pub(super) fn new(open: Open<'c>, prepared: bool, resent: bool, clock_offset: i64, recording: Recording) -> Self {
        Self { open, prepared, resent, now: None, clock_offset, failed: None, recording }
    }

    /// Commits, and tells `feed` of it. A transaction that is dropped instead is rolled back on its way to the pool, which
    /// nobody waits for.
    ///
    /// # Errors
    /// The failure of an earlier statement, if there was one: the server would answer a commit by
    /// rolling back without a word.
    pub(super) async fn commit(self, feed: &Arc<Feed>) -> Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let place = self.recording.into_batch().map(|batch| feed.stand_in_line(batch));
        let committed = match self.open {
            Open::Transaction(transaction) => {
                fault_point!(PostgresBeforeCommit);
                transaction.commit().await.map_err(store_error)
            }
            Open::Single(_) => Ok(()),
        };
        fault_point!(PostgresAfterCommit);
        if let Some(place) = place {
            place.settle(committed.as_ref().copied());
        }
        committed
    }

    /// Rolls back, and waits for it: dropping would leave its locks for a while, over which others
    /// that start after the failure was reported would skip.
    pub(super) async fn roll_back(self) {
        if let Open::Transaction(transaction) = self.open {
            // An error: the connection is gone, and the transaction with it.
            let _ = transaction.rollback().await;
        }
    }

    /// Runs a statement and gives back its rows. Every statement goes through here, so that none
    /// forgets how it may be prepared.
    async fn rows(&mut self, statement: Statement) -> Result<Vec<PgRow>> {
        fault_point!(PostgresStatement);
        let statement = statement.persistent(self.prepared);
        let rows = match &mut self.open {
            Open::Transaction(transaction) => statement.fetch_all(&mut **transaction).await,
            Open::Single(connection) => statement.fetch_all(&mut **connection).await,
        };
        rows.map_err(|error| {
            let error = match code(&error).as_deref() {
                // An earlier try, still on its way when this one looked for it, was committed by now.
                Some("23505") if self.resent => StoreError::Conflict(Said::by(&error, error.to_string(), code(&error))),
                _ => store_error(error),
            };
            self.failed.get_or_insert_with(|| error.clone());
            error
        })
    }

    /// Runs a statement that gives back one row or none.
    async fn row(&mut self, statement: Statement) -> Result<Option<PgRow>> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// Runs a statement that gives back nothing.
    async fn run(&mut self, statement: Statement) -> Result<()> {
        self.rows(statement).await.map(drop)
    }

    /// Keeps the database's clock, which a statement read by the way, unless it was read before.
    fn saw_clock(&mut self, clock: DateTime<Utc>) -> Timestamp {
        *self.now.get_or_insert_with(|| Timestamp(clock.timestamp_micros().saturating_add(self.clock_offset)))
    }

    /// Moves the transaction's time on.
    fn move_to(&mut self, now: Timestamp) {
        self.now = Some(now);
    }

    /// The transaction's time for a statement that would otherwise read the clock itself:
    /// `coalesce($time, clock_timestamp() + $offset * interval '1 microsecond')`.
    fn time(&self) -> Result<(Option<DateTime<Utc>>, i64)> {
        Ok((self.now.map(instant).transpose()?, self.clock_offset))
    }

    /// The transaction's time to store.
    async fn now_stored(&mut self) -> Result<DateTime<Utc>> {
        instant(self.now().await?)
    }
}

//! One transaction on its way through the writer's thread.

use std::sync::Arc;

use futures_util::FutureExt;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::tx::{SqliteTx, time};
use crate::domain::time::Timestamp;
use crate::fault_point;
use crate::panics::catch;
use crate::storage::feed::{Batch, Feed, Recording};
use crate::storage::{self, Result, StoreError, Transaction};

/// A transaction of any kind, waiting to be run and answered.
pub(super) trait Job: Send {
    /// Whether anybody still waits for the answer.
    fn is_wanted(&self) -> bool;

    /// Runs it and keeps its answer; a later run replaces it. Returns whether its writes are to be
    /// committed.
    fn run(&mut self, connection: &mut Connection, clock_offset: i64) -> bool;

    /// Lets go of what it gave: it may have come of what others wrote, and that is gone.
    fn forget(&mut self);

    /// Answers: with what it gave when that failed, else with it or with how the commit failed.
    /// Whoever listens is told first.
    fn reply(self: Box<Self>, commit: Result<()>);
}

/// What becomes of a transaction's writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// They are committed.
    Write,
    /// There are none, or there should be none.
    Read,
}

/// A [`Job`] of a [`Transaction`].
pub(super) struct TransactionJob<X: Transaction> {
    transaction: X,
    purpose: Purpose,
    /// What the last run gave; `None` before the first.
    output: Option<Result<X::Output>>,
    /// What the last run recorded.
    batch: Option<Batch>,
    feed: Arc<Feed>,
    reply: oneshot::Sender<Result<X::Output>>,
}

impl<X: Transaction> TransactionJob<X> {
    /// The job, and where its answer will come.
    pub(super) fn new(
        transaction: X,
        purpose: Purpose,
        feed: &Arc<Feed>,
    ) -> (Self, oneshot::Receiver<Result<X::Output>>) {
        let (reply, answer) = oneshot::channel();
        (Self { transaction, purpose, output: None, batch: None, feed: feed.clone(), reply }, answer)
    }
}

impl<X: Transaction> Job for TransactionJob<X> {
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(&mut self, connection: &mut Connection, clock_offset: i64) -> bool {
        let (mut recording, now) = (self.feed.recording(), time(clock_offset));
        let output = run(&self.transaction, connection, now, &mut recording);
        let keep = output.is_ok() && self.purpose == Purpose::Write;
        self.batch = recording.into_batch().filter(|_| keep);
        self.output = Some(output);
        keep
    }

    fn forget(&mut self) {
        self.output = None;
    }

    fn reply(self: Box<Self>, commit: Result<()>) {
        let Self { output, batch, feed, reply, .. } = *self;
        // A fault in telling of it is this caller's alone: others wait behind it for answers of their own.
        let told = catch(|| tell(&feed, batch, &commit)).unwrap_or_else(|panic| Err(panic.into()));
        let answer = match (output, commit.and(told)) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(of_all)) => Err(of_all),
            (Some(output), Ok(())) => output,
            (None, Ok(())) => Err(StoreError::Database("the transaction was not run".into())),
        };
        // Nobody waits any more: the caller was cancelled, and the commit stands.
        let _ = reply.send(answer);
    }
}

/// Tells whoever listens what was committed, or was not.
fn tell(feed: &Arc<Feed>, batch: Option<Batch>, commit: &Result<()>) -> Result<()> {
    if let Some(batch) = batch {
        feed.stand_in_line(batch).settle(commit.as_ref().copied());
    }
    fault_point!(SqliteReply);
    Ok(())
}

/// Runs a transaction on the connection, on which one is open, at the time `now`.
pub(super) fn run<X: Transaction>(
    transaction: &X,
    connection: &mut Connection,
    now: Timestamp,
    recording: &mut Recording,
) -> Result<X::Output> {
    let mut tx = SqliteTx::new(&mut *connection, now, recording);
    let ran = storage::run(transaction, &mut tx).now_or_never();
    let output = ran.unwrap_or_else(|| {
        Err(StoreError::Database("a transaction waited for something other than its database".into()))
    })?;
    // A full disk or a failed write makes SQLite end the whole transaction. Whoever passed over
    // that error has been writing outside of any since.
    match connection.is_autocommit() {
        false => Ok(output),
        true => Err(StoreError::Database("the database gave up the transaction while it was running".into())),
    }
}

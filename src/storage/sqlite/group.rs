//! One commit of many jobs: all of them durable at once, each failing alone.

use std::time::Duration;

use rusqlite::Connection;

use super::begin::begin_immediate;
use super::failure::{is_fatal_at_commit, is_full, is_refused_write};
use super::job::Job;
use crate::fault_point;
use crate::storage::{Result, StoreError};

const SAVEPOINT: &str = "SAVEPOINT job";
const RELEASE: &str = "RELEASE job";
const ROLLBACK_TO: &str = "ROLLBACK TO job";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// How a group ended.
pub(super) enum Outcome {
    /// What the jobs wrote is durable; those that failed wrote nothing.
    Committed,
    /// Nothing was written.
    Failed(StoreError),
    /// What was written is not known, and asking again would not tell.
    Broken(StoreError),
    /// Nothing was written, perhaps because of one job only: run them again, apart.
    Undone,
}

/// Runs the jobs in one transaction and commits it.
pub(super) fn commit(
    connection: &mut Connection,
    patience: Duration,
    clock_offset: i64,
    group: &mut [Box<dyn Job>],
) -> Outcome {
    if let Err(error) = begin_immediate(connection, patience) {
        return Outcome::Failed(error);
    }
    let jobs = group.len();
    let ran = match group {
        [alone] => Ok(run_alone(connection, clock_offset, alone.as_mut())),
        group => run_all(connection, patience, clock_offset, group),
    };
    let outcome = match ran {
        Ok(Ran::Finish(sql)) => finish(connection, sql, jobs).unwrap_or_else(Outcome::Failed),
        Ok(Ran::Ended) => Outcome::Committed,
        Ok(Ran::Undone) => Outcome::Undone,
        Err(error) => Outcome::Failed(error),
    };
    if !connection.is_autocommit() {
        // It cannot fail: nothing is under way.
        let _ = execute(connection, ROLLBACK);
    }
    outcome
}

/// What is left to do after the jobs ran.
enum Ran {
    /// This statement ends the transaction.
    Finish(&'static str),
    /// Nothing: the one job failed and SQLite has rolled it back.
    Ended,
    /// SQLite rolled back all of them.
    Undone,
}

fn run_alone(connection: &mut Connection, clock_offset: i64, job: &mut dyn Job) -> Ran {
    let keep = job.run(connection, clock_offset);
    match connection.is_autocommit() {
        true => Ran::Ended,
        false => Ran::Finish(if keep { COMMIT } else { ROLLBACK }),
    }
}

/// Behind savepoints SQLite copies each page that a job changes, so that it can undo that job. Almost none has to be
/// undone: they run without at first.
fn run_all(
    connection: &mut Connection,
    patience: Duration,
    clock_offset: i64,
    group: &mut [Box<dyn Job>],
) -> Result<Ran> {
    if let Some(ran) = run_together(connection, clock_offset, group)? {
        return Ok(ran);
    }
    execute(connection, ROLLBACK)?;
    begin_immediate(connection, patience)?;
    run_apart(connection, clock_offset, group)
}

/// `None` when one has left something that has to be undone.
fn run_together(connection: &mut Connection, clock_offset: i64, group: &mut [Box<dyn Job>]) -> Result<Option<Ran>> {
    for job in group {
        let before = connection.total_changes();
        let keep = job.run(connection, clock_offset);
        if connection.is_autocommit() {
            return Ok(Some(Ran::Undone));
        }
        if !keep && connection.total_changes() != before {
            return Ok(None);
        }
        fault_point!(SqliteGroup);
    }
    Ok(Some(Ran::Finish(COMMIT)))
}

fn run_apart(connection: &mut Connection, clock_offset: i64, group: &mut [Box<dyn Job>]) -> Result<Ran> {
    for job in group {
        execute(connection, SAVEPOINT)?;
        let keep = job.run(connection, clock_offset);
        if connection.is_autocommit() {
            return Ok(Ran::Undone);
        }
        if !keep {
            execute(connection, ROLLBACK_TO)?;
        }
        execute(connection, RELEASE)?;
        fault_point!(SqliteGroup);
    }
    Ok(Ran::Finish(COMMIT))
}

fn finish(connection: &Connection, sql: &'static str, jobs: usize) -> Result<Outcome> {
    fault_point!(SqliteBeforeCommit);
    let outcome = match execute(connection, sql) {
        Ok(()) => Outcome::Committed,
        Err(error) if is_fatal_at_commit(&error) => Outcome::Broken(error.into()),
        // There may be room for all but one.
        Err(error) if jobs > 1 && (is_full(&error) || is_refused_write(&error)) => Outcome::Undone,
        Err(error) => Outcome::Failed(error.into()),
    };
    fault_point!(SqliteAfterCommit);
    Ok(outcome)
}

fn execute(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(()).map(drop)
}

//! The one thread that writes: it takes what is queued and commits it in groups.
//!
//! A commit costs an fsync whatever is in it, so while one is under way the next group gathers.
//! A reply goes out only after the commit that holds it.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::checkpoint::{Checkpoint, REST};
use super::failure::is_fatal_at_commit;
use super::group::{Outcome, commit};
use super::job::Job;
use super::place::Place;
use super::readers::Readers;
use crate::fault_point;
use crate::panics::{Panic, catch};
use crate::storage::{Result, StoreError};
use crate::troubles::Troubles;

/// The most jobs in one commit: bounds how long the first of them waits.
const LARGEST_GROUP: usize = 512;

/// How often to look whether another process has committed: a few microseconds each time.
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// A number that changes when, and only when, another connection has committed.
const DATA_VERSION: &str = "PRAGMA data_version";

/// What the thread is told.
pub(super) enum Message {
    /// Run this.
    Job(Box<dyn Job>),
    /// Close the connection and answer; then do nothing until [`Message::Resume`].
    Suspend(oneshot::Sender<()>),
    /// Go on.
    Resume,
    /// Close everything, answer, and end.
    Close(oneshot::Sender<()>),
}

/// What the thread and the store both look at.
#[derive(Default)]
pub(super) struct Signals {
    /// Counts other processes' commits, as far as they were seen.
    pub(super) wakeups: watch::Sender<u64>,
    /// Why nothing is written any more: a commit failed in a way that leaves the file in doubt.
    pub(super) broken: OnceLock<StoreError>,
    /// What no caller could be told.
    pub(super) troubles: Troubles,
}

/// The thread's own.
pub(super) struct Writer {
    pub(super) place: Arc<Place>,
    /// None while suspended, and from then until something is to be done.
    pub(super) connection: Option<Connection>,
    pub(super) readers: Arc<Readers>,
    pub(super) clock_offset: Arc<AtomicI64>,
    pub(super) inbox: Receiver<Message>,
    pub(super) signals: Arc<Signals>,
    /// What came while a group was gathered or the thread was suspended, in order.
    pub(super) backlog: VecDeque<Message>,
    pub(super) checkpoint: Checkpoint,
    /// When the last group was answered.
    pub(super) answered: Instant,
    /// The last number seen on the present connection.
    pub(super) data_version: Option<i64>,
    pub(super) looked: Instant,
}

impl Writer {
    /// Serves until the store is closed or dropped.
    pub(super) fn run(mut self) {
        let told = self.serve();
        // The readers first: whoever closes last moves the log into the file and deletes it.
        self.readers.shut();
        self.connection = None;
        self.place.release();
        drop(self);
        if let Some(closed) = told {
            let _ = closed.send(());
        }
    }

    /// Returns whom to tell of the end. Without this thread nothing would be answered any more: it
    /// goes on after a fault.
    fn serve(&mut self) -> Option<oneshot::Sender<()>> {
        loop {
            match catch(|| self.turn()) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(told)) => return told,
                Err(panic) => drop(self.survive(panic)),
            }
        }
    }

    /// Serves one message, or a pause without any.
    fn turn(&mut self) -> ControlFlow<Option<oneshot::Sender<()>>> {
        match self.next() {
            Ok(Message::Job(first)) => {
                let group = self.gather(first);
                self.commit(group);
            }
            Ok(Message::Suspend(done)) => {
                self.connection = None;
                let _ = done.send(());
                self.wait_for_resume()?;
            }
            Ok(Message::Resume) => {}
            Ok(Message::Close(closed)) => return ControlFlow::Break(Some(closed)),
            Err(RecvTimeoutError::Timeout) => self.rest(),
            Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(None),
        }
        if self.looked.elapsed() >= LOOK_EVERY {
            self.look();
        }
        ControlFlow::Continue(())
    }

    /// Lets go of the connection, and so of what was not committed, after a fault of this library.
    fn survive(&mut self, panic: Panic) -> StoreError {
        self.connection = None;
        self.signals.troubles.fault("the thread that writes to SQLite", panic.clone());
        panic.into()
    }

    fn next(&mut self) -> std::result::Result<Message, RecvTimeoutError> {
        if let Some(message) = self.backlog.pop_front() {
            return Ok(message);
        }
        match *self.place {
            // Nobody else can write to it.
            Place::Memory => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Place::File { .. } => {
                let until_look = LOOK_EVERY.saturating_sub(self.looked.elapsed());
                let until_rest = self.wants_rest().then(|| REST.saturating_sub(self.answered.elapsed()));
                self.inbox.recv_timeout(until_rest.map_or(until_look, |until| until.min(until_look)))
            }
        }
    }

    /// The jobs that wait behind `first`, up to the next message of another kind.
    fn gather(&mut self, first: Box<dyn Job>) -> Vec<Box<dyn Job>> {
        let mut group = vec![first];
        while group.len() < LARGEST_GROUP {
            match self.backlog.pop_front().or_else(|| self.inbox.try_recv().ok()) {
                Some(Message::Job(job)) => group.push(job),
                Some(other) => {
                    self.backlog.push_front(other);
                    break;
                }
                None => break,
            }
        }
        group
    }

    /// Keeps what arrives until it is told to go on, or to end instead.
    fn wait_for_resume(&mut self) -> ControlFlow<Option<oneshot::Sender<()>>> {
        loop {
            match self.inbox.recv() {
                Ok(Message::Resume) => return ControlFlow::Continue(()),
                Ok(Message::Close(closed)) => return ControlFlow::Break(Some(closed)),
                Ok(Message::Suspend(done)) => {
                    let _ = done.send(());
                }
                Ok(job) => self.backlog.push_back(job),
                Err(_) => return ControlFlow::Break(None),
            }
        }
    }

    /// Runs and commits the jobs, and answers each.
    fn commit(&mut self, mut group: Vec<Box<dyn Job>>) {
        group.retain(|job| job.is_wanted());
        if group.is_empty() {
            return;
        }
        let outcome = catch(|| self.try_commit(&mut group));
        match outcome.unwrap_or_else(|panic| Outcome::Failed(self.survive(panic))) {
            Outcome::Committed => {
                reply(group, &Ok(()));
                self.answered = Instant::now();
                self.checkpoint(Checkpoint::after_commit);
            }
            Outcome::Failed(error) => reply(group, &Err(error)),
            Outcome::Broken(error) => reply(group, &Err(self.break_off(&error))),
            // One of them made SQLite give up all. Apart, only that one fails.
            Outcome::Undone => group.into_iter().for_each(|job| self.commit(vec![job])),
        }
    }

    fn try_commit(&mut self, group: &mut [Box<dyn Job>]) -> Outcome {
        match self.connected() {
            Ok((connection, patience, clock_offset)) => commit(connection, patience, clock_offset, group),
            Err(error) => Outcome::Failed(error),
        }
    }

    fn wants_rest(&self) -> bool {
        self.connection.is_some() && self.checkpoint.wants_rest()
    }

    /// Uses that there is nothing to do.
    fn rest(&mut self) {
        if self.wants_rest() && self.answered.elapsed() >= REST {
            self.checkpoint(Checkpoint::perform);
        }
    }

    /// Moves the log into the file when that is due. What was committed stays so if it fails.
    fn checkpoint(&mut self, step: impl FnOnce(&mut Checkpoint, &Connection) -> rusqlite::Result<()>) {
        fault_point!(SqliteCheckpoint or panic);
        if let (Place::File { .. }, Some(connection)) = (&*self.place, &self.connection)
            && let Err(error) = step(&mut self.checkpoint, connection)
            && is_fatal_at_commit(&error)
        {
            self.break_off(&error.into());
        }
    }

    /// Ends the store: every later call gets the error that this returns.
    fn break_off(&mut self, error: &StoreError) -> StoreError {
        self.connection = None;
        let error = self.signals.broken.get_or_init(|| broken(error)).clone();
        self.readers.shut();
        error
    }

    /// The connection, opened again where it was closed for a fork, and what a commit needs.
    fn connected(&mut self) -> Result<(&mut Connection, Duration, i64)> {
        fault_point!(SqliteWriter);
        if let Some(error) = self.signals.broken.get() {
            return Err(error.clone());
        }
        if self.connection.is_none() {
            self.connection = Some(self.place.writer()?);
            self.data_version = None;
        }
        let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
        Ok((connection, self.place.busy_timeout(), self.clock_offset.load(Ordering::Relaxed)))
    }

    /// Tells whoever listens when another connection than this thread's has committed.
    fn look(&mut self) {
        self.looked = Instant::now();
        if matches!(*self.place, Place::Memory) {
            return;
        }
        // What cannot be seen now is seen the next time, or by whoever polls.
        let Ok((connection, ..)) = self.connected() else { return };
        let version = connection.prepare_cached(DATA_VERSION).and_then(|mut see| see.query_row((), |row| row.get(0)));
        let Ok(version) = version else { return };
        // A new connection counts from anew, and others may have committed while there was none.
        if self.data_version.replace(version) != Some(version) {
            self.signals.wakeups.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

fn reply(group: Vec<Box<dyn Job>>, commit: &Result<()>) {
    let shared = group.len() > 1;
    for mut job in group {
        // A key that another one had taken, say, is free.
        if shared && commit.is_err() {
            job.forget();
        }
        job.reply(commit.clone());
    }
}

fn broken(error: &StoreError) -> StoreError {
    StoreError::Database(format!(
        "this database was closed for good, because a write failed and what reached the disk is not known: {error}. \
         Open it again when the disk is in order"
    ).into())
}

//! [`SqliteStore`]: tasks in an embedded SQLite file, or in memory.
//!
//! One thread writes and many connections read. Start with `writer`: jobs queue for it and it
//! commits them in groups.
//!
//! * `writer`, `group`, `job`: a transaction's way to its commit. `begin`: waiting for other processes.
//!   `checkpoint`: from the log into the file.
//! * `readers`: the pool of connections that read.
//! * `tx`: [`SqliteTx`], the primitives in SQL. `values`: the domain's types in columns.
//! * `place`: the file and how a connection to it is opened. `guard`: that nothing else in this process has it
//!   open. `migrate`: its schema. `examine`: a look at both.
//! * `failure`: what SQLite's errors mean.

mod begin;
mod checkpoint;
mod examine;
mod failure;
mod group;
mod guard;
mod job;
mod migrate;
mod place;
mod readers;
mod tx;
mod values;
mod writer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use tokio::sync::{oneshot, watch};

use super::feed::Feed;
use super::rows::StoreFacts;
use super::url::{SqliteUrl, StoreOptions};
use super::{Result, Store, StoreError, Transaction};
use crate::panics::catch;
use crate::troubles::Troubles;
use checkpoint::Checkpoint;
use job::{Purpose, TransactionJob};
use place::Place;
use readers::Readers;
use writer::{Message, Signals, Writer};

pub use tx::SqliteTx;

/// Tasks in an SQLite database. Dropping it closes the database from its own thread.
pub struct SqliteStore {
    writer: Sender<Message>,
    readers: Arc<Readers>,
    signals: Arc<Signals>,
    feed: Arc<Feed>,
    in_memory: bool,
}

impl SqliteStore {
    /// Opens the database, creates it where it is missing, and migrates its schema.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] when the file cannot be used: its folder is missing, it is no
    /// database, it is read-only, something else in this process has it open, or its schema is
    /// newer than this version knows. [`StoreError::Database`] for what else may go wrong.
    pub async fn open(url: &SqliteUrl, options: &StoreOptions) -> Result<Self> {
        let (writer, inbox) = mpsc::channel();
        let (ready, opened) = oneshot::channel();
        let (url, options) = (url.clone(), options.clone());
        let in_memory = url.path.is_none();
        let opening = move || catch(|| prepare(&url, &options, inbox)).unwrap_or_else(|panic| Err(panic.into()));
        let serve = move || match opening() {
            Ok(writer) => {
                if ready.send(Ok((Arc::clone(&writer.readers), Arc::clone(&writer.signals)))).is_ok() {
                    writer.run();
                }
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        };
        std::thread::Builder::new().name("tasker-sqlite".into()).spawn(serve).map_err(|error| {
            StoreError::Database(format!("the thread that writes cannot be started: {error}").into())
        })?;
        let (readers, signals) = opened.await.unwrap_or(Err(StoreError::Closed))?;
        Ok(Self { writer, readers, signals, feed: Arc::default(), in_memory })
    }

    async fn submit<X: Transaction>(&self, transaction: X, purpose: Purpose) -> Result<X::Output> {
        let (job, answer) = TransactionJob::new(transaction, purpose, &self.feed);
        self.writer.send(Message::Job(Box::new(job))).map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

/// What the thread does first: blocking work, so not on the caller's.
fn prepare(url: &SqliteUrl, options: &StoreOptions, inbox: Receiver<Message>) -> Result<Writer> {
    let (place, mut connection) = Place::open(url)?;
    migrate::migrate(&mut connection, &place)?;
    let place = Arc::new(place);
    let clock_offset = Arc::clone(&options.clock_offset);
    let readers = Readers::new(
        Arc::clone(&place),
        Arc::clone(&clock_offset),
        url.pool.unwrap_or(options.pool),
        url.acquire_timeout.unwrap_or(options.acquire_timeout),
    );
    Ok(Writer {
        place,
        connection: Some(connection),
        readers: Arc::new(readers),
        clock_offset,
        inbox,
        signals: Arc::default(),
        backlog: VecDeque::new(),
        checkpoint: Checkpoint::default(),
        answered: Instant::now(),
        data_version: None,
        looked: Instant::now(),
    })
}

impl Store for SqliteStore {
    async fn write<X: Transaction>(&self, transaction: X) -> Result<X::Output> {
        self.submit(transaction, Purpose::Write).await
    }

    fn commits_together(&self) -> bool {
        true
    }

    /// A database in memory has one connection, which then reads as well.
    async fn read<X: Transaction>(&self, transaction: X) -> Result<X::Output> {
        if self.in_memory {
            return self.submit(transaction, Purpose::Read).await;
        }
        match self.readers.read(transaction).await {
            Err(StoreError::Closed) => Err(self.signals.broken.get().cloned().unwrap_or(StoreError::Closed)),
            output => output,
        }
    }

    /// Nothing to do: other processes see every commit in the file.
    fn announce(&self) {}

    fn wakeups(&self) -> watch::Receiver<u64> {
        self.signals.wakeups.subscribe()
    }

    fn troubles(&self) -> &Troubles {
        &self.signals.troubles
    }

    fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// The pool is that of the readers; the one connection that writes is beside it.
    fn facts(&self) -> StoreFacts {
        self.readers.facts()
    }

    /// SQLite's locks are inherited by a forked child, in which they mean nothing: no connection
    /// may be open at the fork. A database in memory would be lost with its connection; it stays,
    /// and cannot follow into the child.
    async fn suspend(&self) {
        if self.in_memory {
            return;
        }
        self.readers.suspend().await;
        let (done, suspended) = oneshot::channel();
        if self.writer.send(Message::Suspend(done)).is_ok() {
            // An error: it was closed meanwhile, and so is its connection.
            let _ = suspended.await;
        }
    }

    fn resume(&self) {
        if self.readers.resume() {
            // An error: it was closed meanwhile.
            let _ = self.writer.send(Message::Resume);
        }
    }

    async fn close(&self) {
        self.readers.close().await;
        let (done, closed) = oneshot::channel();
        if self.writer.send(Message::Close(done)).is_ok() {
            // An error: somebody else has closed it.
            let _ = closed.await;
        }
    }
}

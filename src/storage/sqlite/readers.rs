//! Connections that only read: in WAL mode they wait for no commit and no commit waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::job;
use super::place::Place;
use super::tx::time;
use crate::panics::catch;
use crate::storage::feed::Recording;
use crate::storage::rows::StoreFacts;
use crate::storage::{BusyPool, Result, StoreError, Transaction};

/// A small pool, filled on demand.
pub(super) struct Readers {
    place: Arc<Place>,
    clock_offset: Arc<AtomicI64>,
    max: u32,
    acquire_timeout: Duration,
    /// One for each connection that may be in use. Closed with the store.
    permits: Arc<Semaphore>,
    /// All permits, while the store is suspended: whoever reads waits for one.
    suspension: Mutex<Option<OwnedSemaphorePermit>>,
    idle: Mutex<Vec<Connection>>,
    /// How many are open, in use or idle.
    open: AtomicU32,
}

impl Readers {
    pub(super) fn new(place: Arc<Place>, clock_offset: Arc<AtomicI64>, max: u32, acquire_timeout: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(max as usize));
        Self {
            place,
            clock_offset,
            max,
            acquire_timeout,
            permits,
            suspension: Mutex::default(),
            idle: Mutex::default(),
            open: AtomicU32::new(0),
        }
    }

    /// Runs a transaction that only reads.
    pub(super) async fn read<X: Transaction>(self: &Arc<Self>, transaction: X) -> Result<X::Output> {
        let permit = self.acquire().await?;
        let readers = Arc::clone(self);
        let read = move || {
            let output = catch(|| readers.run(&transaction));
            // Only now: the connection is back, or closed, before another may be opened. And only
            // here: a caller that is cancelled does not stop this thread.
            drop(permit);
            output
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| StoreError::Database(format!("a read was not finished: {error}").into()))??
    }

    async fn acquire(&self) -> Result<OwnedSemaphorePermit> {
        loop {
            let permit = Arc::clone(&self.permits).acquire_owned();
            match tokio::time::timeout(self.acquire_timeout, permit).await {
                Ok(permit) => return permit.map_err(|_| StoreError::Closed),
                // Not the pool's fault: it goes on after the fork.
                Err(_) if self.suspension.lock().is_some() => {}
                Err(_) => {
                    return Err(StoreError::PoolTimeout(Box::new(self.busy())));
                }
            }
        }
    }

    fn busy(&self) -> BusyPool {
        let free = u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX);
        BusyPool {
            waited: self.acquire_timeout,
            max: self.max,
            in_use: self.max.saturating_sub(free),
            database: self.place.to_string(),
        }
    }

    fn run<X: Transaction>(&self, transaction: &X) -> Result<X::Output> {
        // Until the connection is put back: the store may be closed meanwhile.
        let _registration = self.place.registration();
        let mut connection = self.take()?;
        let output = self.run_on(&mut connection, transaction);
        match output {
            // Whatever is the matter with it, a new one may not have it.
            Err(StoreError::Database(_)) => self.discard(connection),
            _ => self.put_back(connection),
        }
        output
    }

    fn run_on<X: Transaction>(&self, connection: &mut Connection, transaction: &X) -> Result<X::Output> {
        connection.prepare_cached("BEGIN")?.execute(())?;
        let output =
            job::run(transaction, connection, time(self.clock_offset.load(Ordering::Relaxed)), &mut Recording::off());
        if !connection.is_autocommit() {
            connection.prepare_cached("ROLLBACK")?.execute(())?;
        }
        output
    }

    fn take(&self) -> Result<Connection> {
        if let Some(connection) = self.idle.lock().pop() {
            return Ok(connection);
        }
        let connection = self.place.reader()?;
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(connection)
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock();
        // Looked at under the lock that `shut` takes after it has closed the semaphore.
        if self.permits.is_closed() {
            drop(idle);
            return self.discard(connection);
        }
        idle.push(connection);
    }

    fn discard(&self, connection: Connection) {
        drop(connection);
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn close_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        idle.into_iter().for_each(|connection| self.discard(connection));
    }

    /// Ends the reads under way and closes every connection until [`Readers::resume`]. A second
    /// suspension waits for the end of the first.
    pub(super) async fn suspend(&self) {
        if let Ok(all) = Arc::clone(&self.permits).acquire_many_owned(self.max).await {
            self.close_idle();
            *self.suspension.lock() = Some(all);
        }
    }

    /// Goes on; false when it was not suspended.
    pub(super) fn resume(&self) -> bool {
        self.suspension.lock().take().is_some()
    }

    /// Ends the reads under way and closes every connection for good.
    pub(super) async fn close(&self) {
        self.resume();
        // An error: somebody else has closed it.
        let _all = self.permits.acquire_many(self.max).await;
        self.shut();
    }

    /// Closes every connection for good: the idle ones now, the others when they are done.
    pub(super) fn shut(&self) {
        self.permits.close();
        self.close_idle();
    }

    /// What the pool looks like. The one connection that writes is not of the pool.
    pub(super) fn facts(&self) -> StoreFacts {
        let size = self.open.load(Ordering::Relaxed);
        let free = u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX);
        let idle = size.saturating_sub(self.max.saturating_sub(free));
        StoreFacts { backend: "sqlite", size, idle, max: self.max }
    }
}

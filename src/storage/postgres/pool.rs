//! The pool of connections, which is left for a new one when its connections turn out to be of no use: they fell
//! silent, as when a server or a network dies without a word, or they were made while the server only read.
//!
//! A silent connection can't be asked whether it is well, and one that is put back is asked: it would keep its place in
//! its pool until the operating system gives it up, a quarter of an hour later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::postgres::Postgres;
use sqlx::{PgPool, SqlStr};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::error::store_error;
use crate::storage::rows::StoreFacts;
use crate::storage::url::PostgresUrl;
use crate::storage::{BusyPool, Result, StoreError};

/// How often a pool is left at the most.
const LEAVE_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Pool {
    current: Mutex<Current>,
    /// `host:port`, for messages.
    place: String,
    /// The URL without a password, for messages.
    database: String,
    /// How long a server may take to answer what it can answer at once.
    patience: Duration,
    /// How long it may take for a transaction.
    answer_timeout: Duration,
    /// Pools of a lower generation have connections that fell silent.
    silent: watch::Sender<u64>,
    /// How many transactions hold a connection or wait for one.
    asking: Arc<AtomicU32>,
    /// How many hold one.
    holding: Arc<AtomicU32>,
}

struct Current {
    pool: PgPool,
    generation: u64,
    since: Option<Instant>,
}

/// A transaction's use of a connection, as long as it lives.
pub(super) struct Use {
    generation: u64,
    _counted: [Counted; 2],
}

impl Pool {
    pub(super) fn new(pool: PgPool, url: &PostgresUrl) -> Self {
        Self {
            current: Mutex::new(Current { pool, generation: 0, since: None }),
            place: url.place(),
            database: url.redacted(),
            patience: url.connect_timeout,
            answer_timeout: url.answer_timeout,
            silent: watch::Sender::new(0),
            asking: Arc::default(),
            holding: Arc::default(),
        }
    }

    /// Begins a transaction with `beginning`, which the server answers at once: when it does not, the connection is dead.
    ///
    /// # Errors
    /// [`StoreError::PoolTimeout`], [`StoreError::Unreachable`], or [`StoreError::Disconnected`], after which nothing has
    /// begun and another try gets a new connection.
    pub(super) async fn begin(&self, beginning: SqlStr) -> Result<(sqlx::Transaction<'static, Postgres>, Use)> {
        let asking = Counted::one(&self.asking);
        let (pool, generation) = self.now();
        let limit = pool.options().get_acquire_timeout() + self.patience;
        match timeout(limit, pool.begin_with(beginning)).await {
            Ok(Ok(transaction)) => {
                Ok((transaction, Use { generation, _counted: [asking, Counted::one(&self.holding)] }))
            }
            Ok(Err(sqlx::Error::PoolTimedOut)) => Err(self.timed_out(&pool)),
            // Another has left it while this one waited.
            Ok(Err(sqlx::Error::PoolClosed)) if generation != self.now().1 => {
                Err(StoreError::Disconnected("its pool of connections was left for a new one".into()))
            }
            Ok(Err(error)) => Err(store_error(error)),
            Err(_) => Err(self.silent(generation, self.patience)),
        }
    }

    /// What `work` gives, which has the connection of `held`.
    ///
    /// # Errors
    /// [`StoreError::Disconnected`] when that takes too long, or was under way when others of the same pool were found to
    /// be silent and does not end soon after.
    pub(super) async fn answered<T>(&self, held: &Use, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut silent = self.silent.subscribe();
        let others_are_silent = async {
            // An error: the store is gone, and nobody waits for this.
            let _ = silent.wait_for(|silent| *silent > held.generation).await;
            sleep(self.patience).await;
        };
        tokio::select! {
            biased;
            outcome = work => outcome,
            () = others_are_silent => Err(self.silent(held.generation, self.patience)),
            () = sleep(self.answer_timeout) => Err(self.silent(held.generation, self.answer_timeout)),
        }
    }

    /// Leaves the pool from which the connection of `held` is, where that has not happened yet.
    pub(super) fn leave(&self, held: &Use) {
        self.replace(held.generation);
    }

    fn silent(&self, generation: u64, waited: Duration) -> StoreError {
        self.replace(generation);
        self.silent.send_if_modified(|silent| std::mem::replace(silent, (*silent).max(generation + 1)) <= generation);
        let waited = waited.as_secs_f64();
        StoreError::Disconnected(format!("PostgreSQL at {} did not answer for {waited:.1} s", self.place).into())
    }

    fn now(&self) -> (PgPool, u64) {
        let current = self.current.lock();
        (current.pool.clone(), current.generation)
    }

    fn replace(&self, generation: u64) {
        let mut current = self.current.lock();
        let now = Instant::now();
        let is_fresh = current.since.is_some_and(|since| now.duration_since(since) < LEAVE_EVERY);
        if current.generation != generation || is_fresh || current.pool.is_closed() {
            return;
        }
        let options = current.pool.connect_options();
        let fresh = current.pool.options().clone().connect_lazy_with((*options).clone());
        let left = std::mem::replace(&mut current.pool, fresh);
        current.generation += 1;
        current.since = Some(now);
        // Closes what is idle now, and the rest as it comes back; nobody waits for that.
        tokio::spawn(async move { left.close().await });
    }

    /// Why no connection was to be had in time.
    fn timed_out(&self, pool: &PgPool) -> StoreError {
        let (waited, max) = (pool.options().get_acquire_timeout(), pool.options().get_max_connections());
        let in_use = self.holding.load(Ordering::Relaxed).min(max);
        match in_use > 0 && self.asking.load(Ordering::Relaxed) > max {
            true => {
                StoreError::PoolTimeout(Box::new(BusyPool { waited, max, in_use, database: self.database.clone() }))
            }
            false => StoreError::Unreachable(
                format!("PostgreSQL at {} cannot be reached for {:.1} s", self.place, waited.as_secs_f64()).into(),
            ),
        }
    }

    pub(super) fn facts(&self) -> StoreFacts {
        let (pool, _) = self.now();
        StoreFacts {
            backend: "postgres",
            size: pool.size(),
            idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX),
            max: pool.options().get_max_connections(),
        }
    }

    pub(super) async fn close(&self) {
        let (pool, _) = self.now();
        pool.close().await;
    }
}

/// One in a count, as long as it lives.
struct Counted(Arc<AtomicU32>);

impl Counted {
    fn one(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

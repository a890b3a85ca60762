//! The pool of connections, which is left for a new one when its connections turn out to be of no use: they fell
//! silent, as when a server or a network dies without a word, or they were made while the server only read.
//!
//! A silent connection can't be asked whether it is well, and one that is put back is asked: it would keep its place in
//! its pool until the operating system gives it up, a quarter of an hour later.
//!
//! Asking is a round trip for each transaction, during which the next one takes another connection. So one that has just
//! answered a commit is kept beside the pool for the next transaction, unless somebody waits for one; every few seconds
//! it goes through the pool all the same, which sees to its age.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{Connection, PgPool, SqlStr};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Access;
use super::error::store_error;
use crate::storage::rows::StoreFacts;
use crate::storage::url::PostgresUrl;
use crate::storage::{BusyPool, Result, StoreError};

/// How often a pool is left at the most.
const LEAVE_EVERY: Duration = Duration::from_secs(1);

/// For how long a connection is away from the pool before it goes back.
const KEEP: Duration = Duration::from_secs(10);
/// A server that answered so lately is expected to be there.
const LATELY: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Pool {
    current: Arc<Mutex<Current>>,
    /// `host:port`, for messages.
    place: String,
    /// The URL without a password, for messages.
    database: String,
    /// The most connections.
    max: u32,
    /// How long a server may take to answer what it can answer at once.
    patience: Duration,
    /// How long it may take for a transaction.
    answer_timeout: Duration,
    /// Pools of a lower generation have connections that fell silent.
    silent: watch::Sender<u64>,
    /// How many transactions hold a connection or wait for one.
    asking: Arc<AtomicU32>,
    /// How many wait for one of the pool.
    waiting: Arc<AtomicU32>,
    /// How many hold one.
    holding: Arc<AtomicU32>,
}

struct Current {
    pool: PgPool,
    generation: u64,
    since: Option<Instant>,
    /// Those beside the pool, the last used last.
    kept: Vec<Kept>,
    /// Whether somebody sees to their going back.
    put_back: bool,
    /// When a commit was answered last.
    answered: Option<Instant>,
}

/// A connection that is not in the pool, and since when.
struct Kept {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

/// A connection in the hands of a transaction.
pub(super) struct Lease {
    /// Until it is kept for the next one.
    connection: Option<PoolConnection<Postgres>>,
    /// Since when it is not in the pool.
    since: Instant,
    /// Whether the last thing that happened on it was a commit.
    pub(super) is_kept: bool,
    /// Whether something was asked of the server whose answer nobody has waited for, or a beginning has failed. sqlx takes
    /// a transaction that is begun so for none: the next one would be part of it.
    astray: bool,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (true, Some(connection)) = (self.astray, &mut self.connection) {
            connection.close_on_drop();
        }
    }
}

/// A transaction's use of a connection, as long as it lives.
pub(super) struct Use {
    generation: u64,
    _counted: [Counted; 2],
}

impl Pool {
    pub(super) fn new(pool: PgPool, url: &PostgresUrl) -> Self {
        let max = pool.options().get_max_connections();
        Self {
            current: Arc::new(Mutex::new(Current {
                pool,
                generation: 0,
                since: None,
                kept: Vec::new(),
                put_back: false,
                answered: None,
            })),
            place: url.place(),
            max,
            database: url.redacted(),
            patience: url.connect_timeout,
            answer_timeout: url.answer_timeout,
            silent: watch::Sender::new(0),
            asking: Arc::default(),
            waiting: Arc::default(),
            holding: Arc::default(),
        }
    }

    /// A connection; for what only reads, which has it go back through the pool, not the one that is kept for the next that
    /// writes, unless there may be no other.
    ///
    /// # Errors
    /// [`StoreError::PoolTimeout`], [`StoreError::Unreachable`], or [`StoreError::Disconnected`], after which another try
    /// gets another connection.
    pub(super) async fn acquire(&self, access: Access) -> Result<(Lease, Use)> {
        let asking = Counted::one(&self.asking);
        let (pool, generation, kept, waiting) = {
            let mut current = self.current.lock();
            // For everybody one, this transaction included: what the pool says of its own is not exact.
            let asked_for = self.asking.load(Ordering::Relaxed) as usize + current.kept.len();
            let is_enough = asked_for <= self.max as usize;
            let kept = if access.is_read() && is_enough { None } else { current.kept.pop() };
            // Under the lock: whoever keeps one for the next sees who waits, or is seen.
            let waiting = kept.is_none().then(|| Counted::one(&self.waiting));
            (current.pool.clone(), current.generation, kept, waiting)
        };
        let lease = match kept {
            Some(Kept { connection, since }) => {
                Lease { connection: Some(connection), since, is_kept: true, astray: false }
            }
            None => match pool.acquire().await {
                Ok(connection) => {
                    Lease { connection: Some(connection), since: Instant::now(), is_kept: false, astray: false }
                }
                Err(sqlx::Error::PoolTimedOut) => return Err(self.timed_out(&pool)),
                // Another has left it while this one waited.
                Err(sqlx::Error::PoolClosed) if generation != self.current.lock().generation => {
                    return Err(StoreError::Disconnected("its pool of connections was left for a new one".into()));
                }
                Err(error) => return Err(store_error(error)),
            },
        };
        drop(waiting);
        Ok((lease, Use { generation, _counted: [asking, Counted::one(&self.holding)] }))
    }

    /// Begins a transaction with `beginning`, which the server answers at once: when it does not, the connection is dead.
    ///
    /// # Errors
    /// [`StoreError::Disconnected`], after which nothing has begun and another try gets another connection.
    pub(super) async fn begin<'c>(
        &self,
        lease: &'c mut Lease,
        held: &Use,
        beginning: SqlStr,
    ) -> Result<sqlx::Transaction<'c, Postgres>> {
        lease.astray = true;
        let connection = lease.connection.as_mut().ok_or(StoreError::Closed)?;
        match timeout(self.patience, connection.begin_with(beginning)).await {
            Ok(begun) => {
                lease.astray = begun.is_err();
                begun.map_err(store_error)
            }
            Err(_) => Err(self.silent(held.generation, self.patience)),
        }
    }

    /// What `work` gives, which is one short statement on this connection. Where that is not answered soon, it may be done
    /// all the same; another try finds out whether the server is there.
    ///
    /// # Errors
    /// [`StoreError::Disconnected`].
    pub(super) async fn answered_soon<'c, T, W: Future<Output = Result<T>>>(
        &self,
        lease: &'c mut Lease,
        work: impl FnOnce(&'c mut PgConnection) -> W,
    ) -> Result<T> {
        lease.astray = true;
        let connection = lease.connection.as_mut().ok_or(StoreError::Closed)?;
        let Ok(outcome) = timeout(self.patience, work(connection)).await else {
            return Err(self.unanswered(self.patience));
        };
        lease.astray = false;
        outcome
    }

    /// Keeps a connection whose last answer was that to a commit for the next transaction, unless somebody waits at the
    /// pool.
    pub(super) fn keep(&self, mut lease: Lease, held: &Use) {
        let mut current = self.current.lock();
        if current.generation != held.generation || current.pool.is_closed() {
            return;
        }
        current.answered = Some(Instant::now());
        if lease.since.elapsed() >= KEEP || self.waiting.load(Ordering::Relaxed) > 0 {
            return;
        }
        let since = lease.since;
        current.kept.extend(lease.connection.take().map(|connection| Kept { connection, since }));
        let put_back_later = !std::mem::replace(&mut current.put_back, true);
        drop(current);
        if put_back_later {
            tokio::spawn(put_back(Arc::downgrade(&self.current), since + KEEP, self.patience));
        }
    }

    /// Whether the server has answered a commit so lately that it can be expected to be there.
    pub(super) fn answered_lately(&self) -> bool {
        self.current.lock().answered.is_some_and(|answered| answered.elapsed() < LATELY)
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
        self.unanswered(waited)
    }

    fn unanswered(&self, waited: Duration) -> StoreError {
        let waited = waited.as_secs_f64();
        StoreError::Disconnected(format!("PostgreSQL at {} did not answer for {waited:.1} s", self.place).into())
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
        current.answered = None;
        let kept = std::mem::take(&mut current.kept);
        // Closes what is idle now, and the rest as it comes back; nobody waits for that.
        tokio::spawn(async move {
            // From here on what comes back is closed, and not asked how it is.
            let closed = left.close();
            drop(kept);
            closed.await;
        });
    }

    /// Why no connection was to be had in time.
    fn timed_out(&self, pool: &PgPool) -> StoreError {
        let (waited, max) = (pool.options().get_acquire_timeout(), self.max);
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
        // In a forked child whoever had the lock is gone; here nobody has it for long.
        let current = self.current.try_lock_for(Duration::from_millis(100));
        let (size, idle) = current.as_ref().map_or((0, 0), |current| {
            (current.pool.size(), current.pool.num_idle().saturating_add(current.kept.len()))
        });
        StoreFacts { backend: "postgres", size, idle: u32::try_from(idle).unwrap_or(u32::MAX), max: self.max }
    }

    pub(super) async fn close(&self) {
        let pool = self.current.lock().pool.clone();
        // From here on none is kept.
        let closed = pool.close();
        self.current.lock().kept.clear();
        closed.await;
    }
}

/// Without a runtime nobody could put back what is kept.
impl Drop for Pool {
    fn drop(&mut self) {
        for kept in self.current.lock().kept.drain(..) {
            kept.connection.detach();
        }
    }
}

/// Has what is kept go back into the pool in time, from `next` on, until nothing is kept.
async fn put_back(current: Weak<Mutex<Current>>, mut next: Instant, patience: Duration) {
    loop {
        sleep_until(next).await;
        let Some(current) = current.upgrade() else { return };
        let mut current = current.lock();
        let (fresh, due) = current.kept.drain(..).partition(|kept| kept.since.elapsed() < KEEP);
        current.kept = fresh;
        for Kept { connection, .. } in due {
            tokio::spawn(put_back_if_well(connection, patience));
        }
        match current.kept.iter().map(|kept| kept.since).min() {
            Some(oldest) => next = oldest + KEEP,
            None => {
                current.put_back = false;
                return;
            }
        }
    }
}

/// Nobody has heard of it for a while: the pool would wait for its answer for as long as the operating system does.
async fn put_back_if_well(mut connection: PoolConnection<Postgres>, patience: Duration) {
    if !matches!(timeout(patience, connection.ping()).await, Ok(Ok(()))) {
        connection.close_on_drop();
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

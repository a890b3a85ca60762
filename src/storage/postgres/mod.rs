//! PostgreSQL: any number of processes and hosts share the work.
//!
//! * [`PostgresStore`] here: runs transactions, tries them again, hands out wake-ups.
//! * `connect`, `migrate`: from a URL to a pool over an up-to-date schema (`migrations/`).
//! * `retry`, `error`: what a failure means, and whether to try again.
//! * [`tx`]: the primitives, each with its SQL. `values`: how values pass to and fro.
//! * `notify`: wake-ups between processes.
//!
//! Every statement runs in an explicit transaction and nothing keeps state in a session, so that a
//! pooler in transaction mode may stand between; with `prepared=false` no statement is prepared by
//! name, which such a pooler could not follow.

mod connect;
mod error;
mod migrate;
mod notify;
mod retry;
pub mod tx;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use sqlx::PgPool;
use tokio::sync::watch;

use self::error::store_error;
use self::notify::Notifier;
use self::retry::{Failure, Tries};
use self::tx::{BEGIN, BEGIN_READING, PostgresTx};
use super::feed::Feed;
use super::rows::StoreFacts;
use super::url::{PostgresUrl, StoreOptions};
use super::{BusyPool, Result, Store, StoreError, Transaction};
use crate::panics::caught;
use crate::troubles::Troubles;

/// Tasks in a PostgreSQL database.
pub struct PostgresStore {
    pool: PgPool,
    prepared: bool,
    /// `host:port`, for messages.
    place: String,
    /// The URL without a password, for messages.
    database: String,
    load: Load,
    clock_offset: Arc<AtomicI64>,
    notifier: Notifier,
    troubles: Arc<Troubles>,
    feed: Arc<Feed>,
}

impl PostgresStore {
    /// Connects, and migrates the schema where it is older than this version.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] when there is no server within `connect_timeout`;
    /// [`StoreError::Configuration`] when it refuses what the URL says, or the schema is newer than
    /// this version.
    pub async fn open(url: &PostgresUrl, options: &StoreOptions) -> Result<Self> {
        let connect_options = connect::connect_options(url)?;
        connect::prepare(url, &connect_options).await?;
        let troubles = Arc::default();
        let notifier = match url.prepared {
            true => Notifier::start(&connect_options, Arc::clone(&troubles)),
            false => Notifier::none(),
        };
        Ok(Self {
            pool: connect::pool(url, options, connect_options),
            prepared: url.prepared,
            place: url.place(),
            database: url.redacted(),
            load: Load::default(),
            clock_offset: Arc::clone(&options.clock_offset),
            notifier,
            troubles,
            feed: Arc::default(),
        })
    }

    /// One try of a transaction.
    async fn attempt<X: Transaction>(
        &self,
        transaction: &X,
        access: Access,
    ) -> std::result::Result<X::Output, Failure> {
        let _asks = Counted::one(&self.load.asking);
        let (beginning, resent) = match access {
            Access::Read => (BEGIN_READING, false),
            Access::Write { resent } => (BEGIN, resent),
        };
        let connection = self.pool.begin_with(beginning).await.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => self.timed_out(),
            error => store_error(error),
        });
        let connection = connection.map_err(|error| Failure { error, begun: false })?;
        let _holds = Counted::one(&self.load.holding);
        // What only reads leaves nothing unknown behind.
        let begun = |error| Failure { error, begun: matches!(access, Access::Write { .. }) };
        let mut tx = PostgresTx::new(connection, self.prepared, resent, Arc::clone(&self.clock_offset));
        if let Access::Write { .. } = access {
            tx.record_for(&self.feed);
        }
        match (super::run(transaction, &mut tx).await, access) {
            (Ok(output), Access::Write { .. }) => {
                let committed = caught(tx.commit(&self.feed)).await.unwrap_or_else(|panic| Err(panic.into()));
                committed.map(|()| output).map_err(begun)
            }
            (Ok(output), Access::Read) => Ok(output),
            (Err(error), _) => {
                tx.roll_back().await;
                Err(begun(error))
            }
        }
    }

    /// Why no connection was to be had in time.
    fn timed_out(&self) -> StoreError {
        let options = self.pool.options();
        let (waited, max) = (options.get_acquire_timeout(), options.get_max_connections());
        let in_use = self.load.holding.load(Ordering::Relaxed).min(max);
        match in_use > 0 && self.load.asking.load(Ordering::Relaxed) > max {
            true => {
                StoreError::PoolTimeout(Box::new(BusyPool { waited, max, in_use, database: self.database.clone() }))
            }
            false => StoreError::Unreachable(
                format!("PostgreSQL at {} cannot be reached for {:.1} s", self.place, waited.as_secs_f64()).into(),
            ),
        }
    }
}

/// What a transaction does.
#[derive(Clone, Copy)]
enum Access {
    Read,
    Write {
        /// Whether an earlier try may have been committed.
        resent: bool,
    },
}

impl Store for PostgresStore {
    async fn write<X: Transaction>(&self, transaction: X) -> Result<X::Output> {
        let mut tries = Tries::default();
        loop {
            match self.attempt(&transaction, Access::Write { resent: tries.resent }).await {
                Ok(output) => return Ok(output),
                Err(failure) => tries.after(failure).await?,
            }
        }
    }

    async fn read<X: Transaction>(&self, transaction: X) -> Result<X::Output> {
        let mut tries = Tries::default();
        loop {
            match self.attempt(&transaction, Access::Read).await {
                Ok(output) => return Ok(output),
                Err(failure) => tries.after(failure).await?,
            }
        }
    }

    fn announce(&self) {
        self.notifier.announce();
    }

    fn wakeups(&self) -> watch::Receiver<u64> {
        self.notifier.wakeups()
    }

    fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    fn facts(&self) -> StoreFacts {
        StoreFacts {
            backend: "postgres",
            size: self.pool.size(),
            idle: u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX),
            max: self.pool.options().get_max_connections(),
        }
    }

    /// Nothing: a forked child leaves its parent's connections alone and opens its own.
    async fn suspend(&self) {}

    fn resume(&self) {}

    async fn close(&self) {
        tokio::join!(self.notifier.stop(), self.pool.close());
    }
}

/// What the pool has to do: tells a busy one from an absent server, of which nobody gets a connection.
#[derive(Default)]
struct Load {
    /// How many transactions hold a connection or wait for one.
    asking: Arc<AtomicU32>,
    /// How many hold one.
    holding: Arc<AtomicU32>,
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

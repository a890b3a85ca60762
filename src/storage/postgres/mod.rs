//! PostgreSQL: any number of processes and hosts share the work.
//!
//! * [`PostgresStore`] here: runs transactions, tries them again, hands out wake-ups.
//! * `connect`, `migrate`: from a URL to a pool over an up-to-date schema (`migrations/`). `examine`: a look before that.
//! * `pool`: connections, and leaving those that are of no use.
//! * `retry`, `error`: what a failure means, and whether to try again.
//! * [`tx`]: the primitives, each with its SQL. `values`: how values pass to and fro.
//! * `notify`: wake-ups between processes.
//!
//! Nothing keeps state in a session, so that a pooler in transaction mode may stand between; with `prepared=false` no
//! statement is prepared by name, which such a pooler could not follow, and every one runs in an explicit transaction.

mod connect;
mod error;
mod examine;
mod migrate;
mod notify;
mod pool;
mod retry;
pub mod tx;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::SqlSafeStr;
use tokio::sync::watch;

use self::notify::Notifier;
use self::pool::Pool;
use self::retry::{Failure, Tries};
use self::tx::{BEGIN, BEGIN_READING, Open, PostgresTx};
use super::feed::{Feed, Recording};
use super::rows::StoreFacts;
use super::url::{PostgresUrl, StoreOptions};
use super::{Result, Store, Transaction};
use crate::panics::caught;
use crate::troubles::Troubles;
pub use migrate::{Scripts, scripts};

/// Tasks in a PostgreSQL database.
pub struct PostgresStore {
    pool: Pool,
    prepared: bool,
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
            pool: Pool::new(connect::pool(url, options, connect_options), url),
            prepared: url.prepared,
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
        let unbegun = |error| Failure { error, begun: false };
        let (mut lease, held) = self.pool.acquire(access).await.map_err(unbegun)?;
        let clock_offset = self.clock_offset.load(Ordering::Relaxed);
        let (beginning, resent, recording) = match access {
            Access::Read => (BEGIN_READING, false, Recording::off()),
            Access::Write { resent } => (BEGIN, resent, self.feed.recording()),
        };
        let is_write = !access.is_read();
        let is_single =
            is_write && !resent && lease.is_kept && self.may_be_single(&recording) && transaction.is_single();
        let outcome = match is_single {
            true => {
                let carry_out = |connection| {
                    let tx = PostgresTx::new(Open::Single(connection), self.prepared, resent, clock_offset, recording);
                    self.carry_out(transaction, tx, access)
                };
                self.pool.answered_soon(&mut lease, carry_out).await
            }
            false => {
                let begun = self.pool.begin(&mut lease, &held, beginning.into_sql_str()).await.map_err(unbegun)?;
                let open = Open::Transaction(begun);
                let tx = PostgresTx::new(open, self.prepared, resent, clock_offset, recording);
                self.pool.answered(&held, self.carry_out(transaction, tx, access)).await
            }
        };
        match outcome {
            Ok(output) => {
                // What only read is still to be ended, on the way to the pool.
                if is_write {
                    self.pool.keep(lease, &held);
                }
                Ok(output)
            }
            Err(error) => {
                // A connection keeps the setting that it was made with.
                if error.is_read_only() {
                    self.pool.leave(&held);
                }
                // What only reads leaves nothing unknown behind.
                Err(Failure { error, begun: is_write })
            }
        }
    }

    /// Whether a transaction that is one statement may be left to the server to commit with it, which saves two round
    /// trips. It may then be committed later than its caller gave up. Not where nothing was heard from the server lately:
    /// only what has a beginning of its own is known not to be committed when the server turns out to be gone. Not where
    /// somebody listens either, who is told in the order of the commits, nor behind a pooler, which may pass the parts of
    /// a statement to different servers.
    fn may_be_single(&self, recording: &Recording) -> bool {
        self.prepared && !recording.is_on() && self.pool.answered_lately()
    }

    async fn carry_out<X: Transaction>(
        &self,
        transaction: &X,
        mut tx: PostgresTx<'_>,
        access: Access,
    ) -> Result<X::Output> {
        match (super::run(transaction, &mut tx).await, access) {
            (Ok(output), Access::Write { .. }) => {
                let committed = caught(tx.commit(&self.feed)).await.unwrap_or_else(|panic| Err(panic.into()));
                committed.map(|()| output)
            }
            (Ok(output), Access::Read) => Ok(output),
            (Err(error), _) => {
                tx.roll_back().await;
                Err(error)
            }
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

impl Access {
    fn is_read(self) -> bool {
        matches!(self, Self::Read)
    }
}

/// An attempt holds all that the statements of its transaction need, ten kilobytes and more: it is in a box, so that
/// whoever waits for it can be moved cheaply.
impl Store for PostgresStore {
    async fn write<X: Transaction>(&self, transaction: X) -> Result<X::Output> {
        let mut tries = Tries::default();
        loop {
            match Box::pin(self.attempt(&transaction, Access::Write { resent: tries.resent })).await {
                Ok(output) => return Ok(output),
                Err(failure) => tries.after(failure).await?,
            }
        }
    }

    async fn read<X: Transaction>(&self, transaction: X) -> Result<X::Output> {
        let mut tries = Tries::default();
        loop {
            match Box::pin(self.attempt(&transaction, Access::Read)).await {
                Ok(output) => return Ok(output),
                Err(failure) => tries.after(failure).await?,
            }
        }
    }

    fn commits_together(&self) -> bool {
        false
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
        self.pool.facts()
    }

    /// Nothing: a forked child leaves its parent's connections alone and opens its own.
    async fn suspend(&self) {}

    fn resume(&self) {}

    async fn close(&self) {
        tokio::join!(self.notifier.stop(), self.pool.close());
    }
}

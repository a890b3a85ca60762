//! Deleting tasks that ended long ago: when somebody asks, and in the background where the engine is
//! to keep them for so long only.
//!
//! Many small transactions, so that nobody waits for one of them for long: their size follows from
//! how long the one before took.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::Engine;
use super::error::Result;
use super::transactions::purge::{BeginChore, GiveBackSpace, Purge, Purged};
use crate::domain::id::SessionKey;
use crate::domain::time::Timestamp;
use crate::panics::caught;
use crate::storage::{Store, StoreError};

/// The first transaction's size.
const FIRST_BATCH: usize = 100;
/// A transaction that took longer than this is followed by a smaller one, and by a larger one if it
/// took less than half of it.
const LONG: Duration = Duration::from_millis(50);
/// How many pages of an SQLite file one transaction gives back: 2 MB.
const PAGES: usize = 500;
/// The most tasks that a transaction of the background deletes.
const BACKGROUND_BATCH: usize = 1_000;
/// The name of the chore.
const CHORE: &str = "purge";

/// What is to be purged.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Tasks that ended from here on; all where `None`.
    pub from: Option<Timestamp>,
    /// Tasks that ended before this.
    pub before: Timestamp,
}

impl Engine {
    /// Deletes tasks that ended in `span`, for about as long as `limit`, at most `batch` in one
    /// transaction, and says where to go on. What was committed stays so when it fails.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn purge(&self, span: Span, batch: usize, limit: Duration) -> Result<Purged> {
        Ok(self.purge_some(span, batch, limit, Duration::ZERO).await?)
    }

    /// Rests after each transaction, for as long as it took and at most for `rest`.
    async fn purge_some(
        &self,
        span: Span,
        batch: usize,
        limit: Duration,
        rest: Duration,
    ) -> Result<Purged, StoreError> {
        let begun = Instant::now();
        let mut done = Purged { deleted: 0, next: span.from };
        let mut size = batch.min(FIRST_BATCH);
        loop {
            let sent = Instant::now();
            let purged = self.store.write(Purge { from: done.next, before: span.before, limit: size }).await?;
            let took = sent.elapsed();
            done = Purged { deleted: done.deleted + purged.deleted, next: purged.next };
            if done.next.is_none() {
                while self.store.write(GiveBackSpace { pages: PAGES }).await? {
                    tokio::time::sleep(took.min(rest)).await;
                }
            }
            if done.next.is_none() || begun.elapsed() >= limit {
                return Ok(done);
            }
            size = match took {
                long if long > LONG => (size / 2).max(1),
                short if short < LONG / 2 => (size * 2).min(batch),
                _ => size,
            };
            tokio::time::sleep(took.min(rest)).await;
        }
    }

    /// Purges what is older than it may get, if it is this process's turn.
    async fn retain(&self, retention: Duration, every: Duration, key: SessionKey) -> Result<(), StoreError> {
        let Some(now) = self.store.write(BeginChore { name: CHORE, every }).await? else { return Ok(()) };
        let mut span = Span { from: None, before: now.before(retention) };
        while self.keeper.holds(key) {
            span.from = self.purge_some(span, BACKGROUND_BATCH, every, LONG).await?.next;
            if span.from.is_none() {
                break;
            }
        }
        Ok(())
    }
}

/// Has the database purged for as long as this process holds the session, where it is to be: by one of
/// all processes, a tenth of the retention apart, at least a second and at most ten minutes.
pub(super) fn start(engine: &Arc<Engine>, key: SessionKey) {
    let Some(retention) = engine.options.retention else { return };
    let every = (retention / 10).clamp(Duration::from_secs(1), Duration::from_secs(600));
    tokio::spawn(keep(Arc::downgrade(engine), key, retention, every));
}

async fn keep(engine: Weak<Engine>, key: SessionKey, retention: Duration, every: Duration) {
    loop {
        let Some(engine) = engine.upgrade().filter(|engine| engine.keeper.holds(key)) else { return };
        match caught(engine.retain(retention, every, key)).await {
            Ok(Ok(())) | Ok(Err(StoreError::Closed)) => {}
            Ok(Err(error)) => engine.troubles().add(format!("old tasks could not be deleted: {error}")),
            Err(panic) => engine.troubles().fault("deleting old tasks", panic),
        }
        drop(engine);
        tokio::time::sleep(every).await;
    }
}

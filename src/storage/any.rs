//! The store that a URL asks for.

use std::sync::Arc;

use tokio::sync::watch;

use super::feed::Feed;
use super::postgres::PostgresStore;
use super::rows::StoreFacts;
use super::sqlite::SqliteStore;
use super::url::{DatabaseUrl, StoreOptions};
use super::{Result, Store, Transaction};
use crate::troubles::Troubles;

/// Either store, chosen by the URL.
pub enum AnyStore {
    /// An embedded file, or a private database in memory.
    Sqlite(SqliteStore),
    /// A server.
    Postgres(PostgresStore),
}

/// Does the same with whichever store it is.
macro_rules! either {
    ($self:ident, $store:ident => $body:expr) => {
        match $self {
            AnyStore::Sqlite($store) => $body,
            AnyStore::Postgres($store) => $body,
        }
    };
}

impl AnyStore {
    /// Connects, and migrates the schema where it is older than this version.
    ///
    /// # Errors
    /// When it cannot be reached or used, or its schema is newer than this version knows.
    pub async fn open(url: &DatabaseUrl, options: &StoreOptions) -> Result<Self> {
        match url {
            DatabaseUrl::Sqlite(url) => SqliteStore::open(url, options).await.map(Self::Sqlite),
            DatabaseUrl::Postgres(url) => PostgresStore::open(url, options).await.map(Self::Postgres),
        }
    }
}

impl Store for AnyStore {
    async fn write<X: Transaction>(&self, transaction: X) -> Result<X::Output> {
        either!(self, store => store.write(transaction).await)
    }

    async fn read<X: Transaction>(&self, transaction: X) -> Result<X::Output> {
        either!(self, store => store.read(transaction).await)
    }

    fn commits_together(&self) -> bool {
        either!(self, store => store.commits_together())
    }

    fn announce(&self) {
        either!(self, store => store.announce())
    }

    fn wakeups(&self) -> watch::Receiver<u64> {
        either!(self, store => store.wakeups())
    }

    fn troubles(&self) -> &Troubles {
        either!(self, store => store.troubles())
    }

    fn feed(&self) -> &Arc<Feed> {
        either!(self, store => store.feed())
    }

    fn facts(&self) -> StoreFacts {
        either!(self, store => store.facts())
    }

    async fn suspend(&self) {
        either!(self, store => store.suspend().await)
    }

    fn resume(&self) {
        either!(self, store => store.resume())
    }

    async fn close(&self) {
        either!(self, store => store.close().await)
    }
}

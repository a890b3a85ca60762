//! PostgresStore: to be written.
#![allow(missing_docs)]

use super::rows::StoreFacts;
use super::url::{PostgresUrl, StoreOptions};
use super::{Result, Store, StoreError, Transaction};
use tokio::sync::watch;

pub struct PostgresStore;

impl PostgresStore {
    pub async fn open(_url: &PostgresUrl, _options: &StoreOptions) -> Result<Self> {
        Err(StoreError::Closed)
    }
}

impl Store for PostgresStore {
    async fn write<X: Transaction>(&self, _transaction: X) -> Result<X::Output> {
        Err(StoreError::Closed)
    }
    async fn read<X: Transaction>(&self, _transaction: X) -> Result<X::Output> {
        Err(StoreError::Closed)
    }
    fn announce(&self) {}
    fn wakeups(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }
    fn facts(&self) -> StoreFacts {
        StoreFacts { backend: "", size: 0, idle: 0, max: 0 }
    }
    async fn suspend(&self) {}
    fn resume(&self) {}
    async fn close(&self) {}
}

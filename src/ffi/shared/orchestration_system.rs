//! One engine for each database and process, shared by the handles on it; the last one to let go
//! closes it.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::process::Process;
use crate::engine::error::Result;
use crate::engine::{Engine, EngineOptions};
use crate::storage::url::{DatabaseUrl, SqliteUrl, StoreOptions};
use crate::storage::{AnyStore, StoreError};

/// See the module.
pub struct OrchestrationSystem {
    engine: Arc<Engine>,
    process: &'static Process,
    clock_offset: Arc<AtomicI64>,
}

/// Which database, and how to use it.
#[derive(Clone, Debug)]
pub struct Place {
    /// The database.
    pub url: DatabaseUrl,
    /// Its pool and clock.
    pub store: StoreOptions,
    /// The engine's leases and polls.
    pub engine: EngineOptions,
}

impl Place {
    /// The same place, wherever the process goes: a relative path means the working directory of now, also when the
    /// database is opened again later, by a forked child or a daemon.
    pub(super) fn fixed(mut self) -> Result<Self> {
        if let DatabaseUrl::Sqlite(SqliteUrl { path: Some(path), .. }) = &mut self.url {
            *path = std::path::absolute(&path)
                .map_err(|error| StoreError::Configuration(format!("the database file {}: {error}", path.display())))?;
        }
        Ok(self)
    }

    /// What two handles must have in common to share a pool; `None` is never shared.
    fn key(&self) -> Option<String> {
        match &self.url {
            DatabaseUrl::Sqlite(url) => {
                let path = url.path.as_ref()?;
                Some(format!("sqlite:{}", path.canonicalize().as_ref().unwrap_or(path).display()))
            }
            DatabaseUrl::Postgres(url) => Some(url.url.to_string()),
        }
    }
}

impl OrchestrationSystem {
    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// See [`StoreOptions::clock_offset`]: that of the store, whichever handle opened it.
    pub fn clock_offset(&self) -> &Arc<AtomicI64> {
        &self.clock_offset
    }

    /// The open system of this place, or a new one.
    pub(super) async fn open(process: &'static Process, place: &Place) -> Result<Arc<Self>> {
        let mut systems = process.systems.lock().await;
        systems.retain(|_, system| system.strong_count() > 0);
        if let Some(system) = place.key().and_then(|key| systems.get(&key)?.upgrade()) {
            return Ok(system);
        }
        let store = AnyStore::open(&place.url, &place.store).await?;
        let engine = Engine::new(store, place.engine.clone());
        let system = Arc::new(Self { engine, process, clock_offset: place.store.clock_offset.clone() });
        // The file exists only now: its key may have changed with it.
        let key = place.key().unwrap_or_else(|| format!("private:{:p}", Arc::as_ptr(&system)));
        systems.insert(key, Arc::downgrade(&system));
        Ok(system)
    }

    /// Lets go of `system`, and waits for it to be closed if nobody else holds it.
    pub(super) async fn release(system: Arc<Self>) {
        if let Some(system) = Arc::into_inner(system) {
            system.engine.close().await;
            // Closing twice does nothing; this drop finds a closed engine.
        }
    }
}

impl Drop for OrchestrationSystem {
    fn drop(&mut self) {
        let engine = self.engine.clone();
        if std::process::id() == self.process.pid() {
            self.process.runtime().spawn(async move { engine.close().await });
        } else {
            // The parent's sockets and files: not this process's to close.
            std::mem::forget(engine);
        }
    }
}

//! What a database is, told without changing it: nothing is created, nothing migrated. For whoever wants to know why
//! it can't be used, or whether it is up to date, before it is.

use std::time::Duration;

use serde::Serialize;

use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::url::DatabaseUrl;
use super::{AnyStore, Result};

/// See the module.
#[derive(Clone, Debug)]
pub struct Examination {
    /// `SQLite` or `PostgreSQL`.
    pub product: &'static str,
    /// Its version.
    pub version: String,
    /// Which schema there is; `None` where there is none, or no file yet.
    pub schema: Option<i64>,
    /// Which schema this version of the library reads and writes.
    pub newest_schema: i64,
    /// Its settings that matter, by name.
    pub settings: Vec<(&'static str, String)>,
    /// How many connections a server allows.
    pub max_connections: Option<u32>,
    /// How many it has.
    pub connections: Option<u32>,
    /// The oldest of the server's transactions that are open for more than a second.
    pub oldest_transaction: Option<OpenTransaction>,
    /// How long commits took that wrote next to nothing, where they were asked for and can be measured; in order.
    pub commits: Vec<Duration>,
}

/// While it is open, nothing that others have deleted since it began, as every claim does, can be cleared away.
#[derive(Clone, Debug, Serialize)]
pub struct OpenTransaction {
    /// For how long it is.
    pub seconds: f64,
    /// Whose it is, as far as this user may see.
    pub holder: String,
}

impl Examination {
    /// Whether opening it would have to change its schema.
    pub fn is_outdated(&self) -> bool {
        self.schema.unwrap_or(0) < self.newest_schema
    }
}

impl AnyStore {
    /// Looks at a database; `commits` commits are measured.
    ///
    /// # Errors
    /// When it cannot be reached or read.
    pub async fn examine(url: &DatabaseUrl, commits: usize) -> Result<Examination> {
        match url {
            DatabaseUrl::Sqlite(url) => SqliteStore::examine(url).await,
            DatabaseUrl::Postgres(url) => PostgresStore::examine(url, commits).await,
        }
    }
}

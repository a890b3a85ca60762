//! What a file is, told without changing it.

use rusqlite::Connection;

use super::place::Place;
use super::{SqliteStore, migrate};
use crate::panics::catch;
use crate::storage::examination::Examination;
use crate::storage::url::SqliteUrl;
use crate::storage::{Result, StoreError};

impl SqliteStore {
    /// See [`crate::storage::AnyStore::examine`]. Commits aren't measured: whoever wants to know what they cost
    /// measures the disk under the file.
    ///
    /// # Errors
    /// Those of [`SqliteStore::open`].
    pub(in crate::storage) async fn examine(url: &SqliteUrl) -> Result<Examination> {
        let url = url.clone();
        let looked =
            tokio::task::spawn_blocking(move || catch(|| look(&url)).unwrap_or_else(|panic| Err(panic.into())));
        looked.await.unwrap_or(Err(StoreError::Closed))
    }
}

fn look(url: &SqliteUrl) -> Result<Examination> {
    let mut found = Examination {
        product: "SQLite",
        version: rusqlite::version().to_owned(),
        schema: None,
        newest_schema: migrate::NEWEST,
        settings: Vec::new(),
        max_connections: None,
        connections: None,
        oldest_transaction: None,
        commits: Vec::new(),
    };
    // What does not exist yet, or exists in another handle's memory, has nothing to look at.
    Place::inspect(url, |connection| {
        found.schema = migrate::found(connection)?;
        found.settings = settings(connection)?;
        Ok(())
    })?;
    Ok(found)
}

fn settings(connection: &Connection) -> Result<Vec<(&'static str, String)>> {
    let text = |name: &str| -> Result<String> { Ok(connection.pragma_query_value(None, name, |row| row.get(0))?) };
    let number = |name: &str| -> Result<i64> { Ok(connection.pragma_query_value(None, name, |row| row.get(0))?) };
    Ok(vec![
        ("journal_mode", text("journal_mode")?),
        ("size", format!("{} bytes", number("page_count")? * number("page_size")?)),
    ])
}

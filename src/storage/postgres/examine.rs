//! What a server and its database are, told without changing them.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, Row};

use super::error::store_error;
use super::{PostgresStore, connect, migrate};
use crate::storage::Result;
use crate::storage::examination::Examination;
use crate::storage::url::PostgresUrl;

/// Behind a pooler these are the server's all the same. Users who may not see others' sessions may see their number.
const FACTS: &str = "
    SELECT current_setting('server_version'), current_setting('max_connections')::int,
           current_setting('fsync'), current_setting('synchronous_commit'), current_setting('transaction_isolation'),
           (SELECT sum(numbackends)::int FROM pg_stat_database)";

/// Something to be flushed at the commit that leaves no table and no row behind.
const MARK: &str = "SELECT pg_logical_emit_message(true, 'tasker_doctor', ''::text)";

impl PostgresStore {
    /// See [`crate::storage::AnyStore::examine`].
    ///
    /// # Errors
    /// Those of [`PostgresStore::open`].
    pub(in crate::storage) async fn examine(url: &PostgresUrl, commits: usize) -> Result<Examination> {
        let options = connect::connect_options(url)?;
        let mut connection = connect::first(url, &options).await?;
        let examined = look(&mut connection, commits).await.map_err(store_error);
        // It has served its purpose; whether the server hears the farewell does not matter.
        let _ = connection.close().await;
        examined
    }
}

async fn look(connection: &mut PgConnection, commits: usize) -> std::result::Result<Examination, sqlx::Error> {
    let schema = migrate::stored_version(connection).await?;
    let mut tx = connection.begin().await?;
    let facts = sqlx::query(FACTS).persistent(false).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    let mut found = Examination {
        product: "PostgreSQL",
        version: facts.try_get(0)?,
        schema: (schema > 0).then_some(i64::from(schema)),
        newest_schema: i64::from(migrate::NEWEST),
        settings: vec![
            ("fsync", facts.try_get(2)?),
            ("synchronous_commit", facts.try_get(3)?),
            ("default isolation", facts.try_get(4)?),
        ],
        max_connections: facts.try_get::<i32, _>(1)?.try_into().ok(),
        connections: facts.try_get::<i32, _>(5)?.try_into().ok(),
        commits: Vec::with_capacity(commits),
    };
    for _ in 0..commits {
        match commit(connection).await {
            Ok(took) => found.commits.push(took),
            // A server, or a user, that may not do this is no worse for it: there is no figure then.
            Err(_) => break,
        }
    }
    found.commits.sort_unstable();
    Ok(found)
}

async fn commit(connection: &mut PgConnection) -> std::result::Result<Duration, sqlx::Error> {
    let mut tx = connection.begin().await?;
    sqlx::raw_sql(MARK).execute(&mut *tx).await?;
    let started = Instant::now();
    tx.commit().await?;
    Ok(started.elapsed())
}

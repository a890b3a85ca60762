//! What a server and its database are, told without changing them.

use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::error::store_error;
use super::{PostgresStore, connect, migrate};
use crate::storage::Result;
use crate::storage::examination::{Examination, OpenTransaction};
use crate::storage::url::PostgresUrl;

/// Behind a pooler these are the server's all the same. Users who may not see others' sessions may see their number.
const FACTS: &str = "
    SELECT current_setting('server_version'), current_setting('max_connections')::int,
           current_setting('fsync'), current_setting('synchronous_commit'), current_setting('transaction_isolation'),
           (SELECT sum(numbackends)::int FROM pg_stat_database)";

/// Whatever keeps the server from clearing away what others delete: sessions, standbys that ask for it, and prepared
/// transactions. What another user's session does is for the privileged to see.
const OLDEST_TRANSACTION: &str = "
    SELECT extract(epoch FROM clock_timestamp() - since)::float8, holder
    FROM (
        SELECT xact_start AS since, greatest(age(backend_xmin), age(backend_xid)) AS age,
               concat_ws(', ', 'process ' || pid, 'user ' || usename, nullif(application_name, ''), state) AS holder
        FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'
            AND (datname = current_database() OR backend_type = 'walsender')
        UNION ALL
        SELECT prepared, age(transaction), 'prepared transaction ' || gid
        FROM pg_prepared_xacts WHERE database = current_database()
    ) AS open
    WHERE age IS NOT NULL AND since < clock_timestamp() - interval '1 second'
    ORDER BY age DESC, since
    LIMIT 1";

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
    let oldest = sqlx::query(OLDEST_TRANSACTION).persistent(false).fetch_optional(&mut *tx).await?;
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
        oldest_transaction: oldest.map(|row| open_transaction(&row)).transpose()?,
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

fn open_transaction(row: &PgRow) -> std::result::Result<OpenTransaction, sqlx::Error> {
    Ok(OpenTransaction { seconds: row.try_get(0)?, holder: row.try_get(1)? })
}

async fn commit(connection: &mut PgConnection) -> std::result::Result<Duration, sqlx::Error> {
    let mut tx = connection.begin().await?;
    sqlx::raw_sql(MARK).execute(&mut *tx).await?;
    let started = Instant::now();
    tx.commit().await?;
    Ok(started.elapsed())
}

//! How statements find their rows.

use sqlx::{PgConnection, Row};
use tasker_core::storage::Store;

use crate::support::postgres::{execute, fresh_database};

use crate::helpers::*;

/// Statements prepared while the tables were empty must not read whole tables once they are full:
/// the server's own counters say whether they did.
#[tokio::test]
async fn no_statement_of_the_hot_path_reads_a_whole_table() {
    let database = fresh_database().await;
    let store = try_open(&database.url_with("pool=1")).await.expect("the store opens");
    let named = template(&store).await;
    let mut connection = database.connect().await;
    execute(&mut connection, "VACUUM ANALYZE".into()).await;
    let before = sequential_scans(&mut connection).await;
    for size in [1, 1, 1, 1, 1, 1, 1, 1, 300, 300, 300] {
        round(&store, named, size).await;
    }
    store.close().await;
    eventually("the counters are in", async || {
        let mut connection = database.connect().await;
        number(&mut connection, "SELECT sum(n_tup_ins)::bigint FROM pg_stat_user_tables WHERE relname = 'tasker_ready'")
            .await
            >= 1_816
    })
    .await;
    assert_eq!(sequential_scans(&mut connection).await, before);
}

async fn sequential_scans(connection: &mut PgConnection) -> Vec<(String, i64)> {
    let rows = sqlx::query(
        "SELECT relname::text, seq_scan FROM pg_stat_user_tables
         WHERE relname IN ('tasker_ready', 'tasker_timers', 'tasker_tasks', 'tasker_workflow_steps') ORDER BY 1",
    );
    let rows = rows.fetch_all(connection).await.expect("counters");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

//! How statements find their rows.

use sqlx::{PgConnection, Row};
use tasker_core::domain::id::*;
use tasker_core::domain::search::Term;
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::postgres::PostgresStore;
use tasker_core::storage::rows::{LaneCursor, ReadyRow, TaskFilter, TaskRow, TermRow, Window};
use tasker_core::storage::{Result, Store, Transaction, Tx};

use crate::support::postgres::{TestDatabase, execute, fresh_database};

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

/// A plan that was made while the tables were empty probes for the steps that it is for, and does not walk the index of
/// all of them, once they are full.
#[tokio::test]
async fn plans_that_were_kept_probe() {
    let database = fresh_database().await;
    let store = try_open(&database.url_with("pool=1")).await.expect("the store opens");
    let named = template(&store).await;
    execute(&mut database.connect().await, "VACUUM ANALYZE".into()).await;
    for _ in 0..8 {
        round(&store, named, 1).await;
    }
    assert_probes(&database, store, named).await;
}

/// Nor does one that is made when a purge has left one task behind in many pages, for which the server takes the tables
/// until it analyzes them again.
#[tokio::test]
async fn plans_after_a_purge_probe() {
    let database = fresh_database().await;
    let store = try_open(&database.url_with("pool=1")).await.expect("the store opens");
    let named = template(&store).await;
    let ids = create(&store, named, FULL).await;
    let last = ids.last().expect("tasks").0;
    let mut connection = database.connect().await;
    execute(&mut connection, "DELETE FROM tasker_ready".into()).await;
    execute(&mut connection, format!("DELETE FROM tasker_workflow_steps WHERE task_id <> '{last}'")).await;
    execute(&mut connection, format!("DELETE FROM tasker_tasks WHERE id <> '{last}'")).await;
    execute(&mut connection, "VACUUM ANALYZE".into()).await;
    drop(connection);
    assert_probes(&database, store, named).await;
}

/// How many tasks make tables of which nothing should read all.
const FULL: usize = 4_000;

/// Fills the tables, and takes a few tasks all the way through: entries of indexes are read for those alone.
async fn assert_probes(database: &TestDatabase, store: PostgresStore, named: (NamedTaskId, RevisionId, LaneId)) {
    create(&store, named, FULL).await;
    let mut connection = database.connect().await;
    execute(&mut connection, "DELETE FROM tasker_ready".into()).await;
    for _ in 0..3 {
        round(&store, named, 30).await;
    }
    store.close().await;
    alone(&mut connection).await;
    let read = number(
        &mut connection,
        "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes
         WHERE indexrelname IN ('tasker_workflow_steps_pkey', 'tasker_tasks_pkey')",
    );
    let read = read.await;
    assert!((90..FULL as i64).contains(&read), "{read} entries were read for 90 tasks");
}

/// Waits until nobody else is connected: what the others did is counted by then.
async fn alone(connection: &mut PgConnection) {
    eventually("all others are gone", async || {
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        number(connection, others).await == 0
    })
    .await;
}

/// What was claimed from several lanes and can't be cleared away, because somebody's snapshot is older, is gone past once by
/// the next claim from their beginnings.
#[tokio::test]
async fn claims_go_past_what_a_snapshot_keeps_once() {
    const DELETED: i64 = 3_000;
    let database = fresh_database().await;
    let store = try_open(&database.url_with("pool=1")).await.expect("the store opens");
    let lanes = [LaneId(1), LaneId(2), LaneId(3)];
    let put = async |count: i64| {
        let tasks = (0..count).map(|_| TaskId::generate());
        let rows: Vec<ReadyRow> =
            tasks.zip(lanes.iter().cycle()).map(|(task, lane)| ready(*lane, 0, key(task, 0))).collect();
        transact!(store.write(rows: Vec<ReadyRow>) |tx| -> () { tx.put_ready(rows).await }).expect("stored");
    };
    put(DELETED).await;
    let mut snapshot = database.connect().await;
    execute(&mut snapshot, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM tasker_ready LIMIT 1".into()).await;
    execute(&mut database.connect().await, "DELETE FROM tasker_ready".into()).await;
    put(30).await;
    let taken = take(&store, lanes.iter().map(|&lane| LaneCursor { lane, from: None }).collect(), 9).await;
    assert_eq!(taken.len(), 9);
    store.close().await;
    execute(&mut snapshot, "ROLLBACK".into()).await;
    alone(&mut snapshot).await;
    let read = number(
        &mut snapshot,
        "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE indexrelname = 'tasker_ready_pkey'",
    );
    let read = read.await;
    assert!((DELETED..DELETED + 100).contains(&read), "{read} entries were read past {DELETED} deleted ones");
}

/// A page of a search reads as many entries of the index as it has tasks, however many match and whatever
/// the planner believes of tables that were analyzed when they were empty.
#[tokio::test]
async fn a_search_reads_its_page_and_no_more() {
    assert!(entries_of_pages(vec![Term::tag("even")]).await <= 2 * 11);
}

/// With several terms a thousand entries of each at most are counted before.
#[tokio::test]
async fn a_search_by_several_terms_probes_all_but_one() {
    assert!(entries_of_pages(vec![Term::tag("even"), Term::tag("all")]).await <= 3 * 11 + 2 * 1_000);
}

/// How many entries each page of ten reads among 3,000 tasks.
async fn entries_of_pages(terms: Vec<Term>) -> i64 {
    const PAGES: i64 = 8;
    let database = fresh_database().await;
    let store = try_open(&database.url_with("pool=1")).await.expect("the store opens");
    let named = template(&store).await;
    let mut connection = database.connect().await;
    execute(&mut connection, "VACUUM ANALYZE".into()).await;
    let ids = create(&store, named, 3_000).await;
    let all = ids.iter().map(|&task| TermRow { task, term: Term::tag("all") });
    let even = ids.iter().step_by(2).map(|&task| TermRow { task, term: Term::tag("even") });
    let rows: Vec<TermRow> = all.chain(even).collect();
    transact!(store.write(rows: Vec<TermRow>) |tx| -> () { tx.put_terms(rows).await }).expect("terms");
    let filter = TaskFilter { terms, ..TaskFilter::default() };
    let before = entries_read(&mut connection).await;
    for page in 0..PAGES {
        let mark = Some(ids[2_900 - page as usize * 200]);
        let found = transact!(store.read(filter: TaskFilter, mark: Option<TaskId>) |tx| -> Vec<TaskRow> {
            tx.list_tasks(filter, *mark, 10).await
        });
        assert_eq!(found.expect("a page").len(), 10);
    }
    store.close().await;
    eventually("the counters are in", async || {
        let mut connection = database.connect().await;
        entries_read(&mut connection).await - before >= PAGES * 20
    })
    .await;
    (entries_read(&mut database.connect().await).await - before) / PAGES
}

/// Of the indexes of terms, and of the tasks' ids.
async fn entries_read(connection: &mut PgConnection) -> i64 {
    number(
        connection,
        "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes
         WHERE indexrelname IN ('tasker_task_terms_pkey', 'tasker_tasks_pkey')",
    )
    .await
}

/// Counting tasks and summing up what ended goes by indexes, also with plans that were made while there was nothing.
#[tokio::test]
async fn no_sum_reads_a_whole_table() {
    let database = fresh_database().await;
    let store = try_open(&database.url_with("pool=1")).await.expect("the store opens");
    let named = template(&store).await;
    let mut connection = database.connect().await;
    execute(&mut connection, "VACUUM ANALYZE".into()).await;
    let before = sequential_scans(&mut connection).await;
    for size in [1, 1, 1, 1, 1, 1, 1, 300] {
        round(&store, named, size).await;
        for name in [None, Some("x".to_owned())] {
            let window = Window { since: Timestamp(0), namespace: name.clone(), name };
            let summed = transact!(store.read(window: Window) |tx| -> () {
                tx.census().await?;
                tx.ended_tasks(window).await?;
                tx.ended_steps(window).await.map(drop)
            });
            summed.expect("sums");
        }
    }
    store.close().await;
    eventually("the counters are in", async || {
        let mut connection = database.connect().await;
        number(&mut connection, "SELECT sum(n_tup_ins)::bigint FROM pg_stat_user_tables WHERE relname = 'tasker_tasks'")
            .await
            >= 307
    })
    .await;
    // The queue's tables are read whole: they are to be counted.
    let stored = |scans: Vec<(String, i64)>| {
        scans.into_iter().filter(|(table, _)| table.contains("tasks") || table.contains("steps")).collect::<Vec<_>>()
    };
    assert_eq!(stored(sequential_scans(&mut connection).await), stored(before));
}

async fn sequential_scans(connection: &mut PgConnection) -> Vec<(String, i64)> {
    let rows = sqlx::query(
        "SELECT relname::text, seq_scan FROM pg_stat_user_tables
         WHERE relname IN ('tasker_ready', 'tasker_timers', 'tasker_tasks', 'tasker_workflow_steps') ORDER BY 1",
    );
    let rows = rows.fetch_all(connection).await.expect("counters");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

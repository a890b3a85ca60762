//! How statements find their rows.

use sqlx::{PgConnection, Row};
use tasker_core::domain::id::TaskId;
use tasker_core::domain::search::Term;
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::Window;
use tasker_core::storage::rows::{TaskFilter, TaskRow, TermRow};
use tasker_core::storage::{Result, Store, Transaction, Tx};

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

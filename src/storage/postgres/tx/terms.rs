//! What tasks are found by, and by which paths they can be.

use super::PostgresTx;
use crate::domain::id::NamedTaskId;
use crate::domain::search::Term;
use crate::storage::Result;
use crate::storage::postgres::values::get;
use crate::storage::rows::{MANY, TaskFilter, TermRow};

/// In key order, so that two processes that annotate alike wait for one another in one order.
const PUT_TERMS: &str = "
    INSERT INTO tasker_task_terms (task_id, name, value)
    SELECT unnest($1::uuid[]), unnest($2::text[]), unnest($3::text[])
    ON CONFLICT (name, value, task_id) DO NOTHING";

/// Walks as much of the primary key for each.
const COUNT_UP_TO: &str = "
    SELECT (
        SELECT count(*) FROM (
            SELECT FROM tasker_task_terms AS m WHERE m.name = w.name AND m.value = w.value LIMIT $3
        ) AS found
    )
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (name, value, place)
    ORDER BY w.place";

const DECLARE_PATHS: &str = "
    INSERT INTO tasker_search_paths (named_task_id, path)
    SELECT $1, path FROM unnest($2::text[]) AS path
    ON CONFLICT (named_task_id, path) DO NOTHING";

/// Reads the templates: there are few.
const DECLARED_PATHS: &str = "
    SELECT DISTINCT p.path
    FROM tasker_search_paths AS p
    JOIN tasker_named_tasks AS n ON n.id = p.named_task_id
    JOIN tasker_task_namespaces AS s ON s.id = n.namespace_id
    WHERE ($1::text IS NULL OR s.name = $1) AND ($2::text IS NULL OR n.name = $2)
      AND ($3::text IS NULL OR n.version = $3)
    ORDER BY p.path";

pub(super) async fn put(tx: &mut PostgresTx<'_>, rows: &[TermRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<&TermRow> = rows.iter().collect();
    rows.sort_unstable_by_key(|row| (&row.term.name, &row.term.value, row.task));
    let statement = sqlx::query(PUT_TERMS)
        .bind(rows.iter().map(|row| row.task.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.term.name.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.term.value.as_str()).collect::<Vec<_>>());
    tx.run(statement).await
}

/// What a filter searches by, the term with the fewest tasks first: it is the one that is walked.
pub(super) async fn rarest_first(tx: &mut PostgresTx<'_>, filter: &TaskFilter) -> Result<Vec<Term>> {
    let terms = filter.all_terms();
    if terms.len() < 2 {
        return Ok(terms);
    }
    let (names, values): (Vec<&str>, Vec<&str>) =
        terms.iter().map(|term| (term.name.as_str(), term.value.as_str())).unzip();
    let counts = tx.rows(sqlx::query(COUNT_UP_TO).bind(names).bind(values).bind(MANY)).await?;
    let counts: Vec<i64> = counts.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
    let mut counted: Vec<(i64, Term)> = counts.into_iter().zip(terms).collect();
    counted.sort_by_key(|(tasks, _)| *tasks);
    Ok(counted.into_iter().map(|(_, term)| term).collect())
}

pub(super) async fn declare_paths(tx: &mut PostgresTx<'_>, id: NamedTaskId, paths: &[String]) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    tx.run(sqlx::query(DECLARE_PATHS).bind(id.0).bind(paths)).await
}

pub(super) async fn declared_paths(tx: &mut PostgresTx<'_>, filter: &TaskFilter) -> Result<Vec<String>> {
    let TaskFilter { namespace, name, version, .. } = filter.clone();
    let rows = tx.rows(sqlx::query(DECLARED_PATHS).bind(namespace).bind(name).bind(version)).await?;
    rows.iter().map(|row| get(row, 0)).collect()
}

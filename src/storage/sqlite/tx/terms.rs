//! What tasks are found by, and by which paths they can be.

use rusqlite::Connection;

use super::{all, each};
use crate::domain::id::NamedTaskId;
use crate::domain::search::Term;
use crate::storage::Result;
use crate::storage::rows::{MANY, TaskFilter, TermRow};

const PUT_TERM: &str = "
    INSERT INTO tasker_task_terms (name, value, task_id) VALUES (?1, ?2, ?3)
    ON CONFLICT (name, value, task_id) DO NOTHING";

pub(super) const COUNT_UP_TO: &str = "
    SELECT count(*) FROM (SELECT 1 FROM tasker_task_terms WHERE name = ?1 AND value = ?2 LIMIT ?3)";

const DECLARE_PATH: &str = "
    INSERT INTO tasker_search_paths (named_task_id, path) VALUES (?1, ?2)
    ON CONFLICT (named_task_id, path) DO NOTHING";

/// Reads the templates: there are few.
const DECLARED_PATHS: &str = "
    SELECT DISTINCT s.path
    FROM tasker_search_paths s
    JOIN tasker_named_tasks d ON d.id = s.named_task_id
    JOIN tasker_task_namespaces n ON n.id = d.namespace_id
    WHERE (?1 IS NULL OR n.name = ?1) AND (?2 IS NULL OR d.name = ?2) AND (?3 IS NULL OR d.version = ?3)
    ORDER BY s.path";

pub(super) fn put(connection: &Connection, rows: &[TermRow]) -> Result<()> {
    each(connection, PUT_TERM, rows, |row| (&row.term.name, &row.term.value, row.task))
}

/// What a filter searches by, the term with the fewest tasks first: it is the one that is walked.
pub(super) fn rarest_first(connection: &Connection, filter: &TaskFilter) -> Result<Vec<Term>> {
    let terms = filter.all_terms();
    if terms.len() < 2 {
        return Ok(terms);
    }
    let mut count = connection.prepare_cached(COUNT_UP_TO)?;
    let mut counted = Vec::with_capacity(terms.len());
    for term in terms {
        let tasks: i64 = count.query_row((&term.name, &term.value, MANY), |row| row.get(0))?;
        counted.push((tasks, term));
    }
    counted.sort_by_key(|(tasks, _)| *tasks);
    Ok(counted.into_iter().map(|(_, term)| term).collect())
}

pub(super) fn declare_paths(connection: &Connection, id: NamedTaskId, paths: &[String]) -> Result<()> {
    each(connection, DECLARE_PATH, paths, |path| (id, path))
}

pub(super) fn declared_paths(connection: &Connection, filter: &TaskFilter) -> Result<Vec<String>> {
    let TaskFilter { namespace, name, version, .. } = filter;
    all(connection, DECLARED_PATHS, (namespace, name, version), |row| row.get(0))
}

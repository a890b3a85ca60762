//! Listings and counts of tasks by what they have in common.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::all;
use super::reading::{RawTask, select_tasks};
use crate::domain::id::TaskId;
use crate::domain::state::TaskState;
use crate::storage::Result;
use crate::storage::rows::{TaskFilter, TaskRow};
use crate::storage::sqlite::values;

const SELECT: &str = select_tasks!("WHERE true");

const COUNT: &str = "SELECT count(*) FROM tasker_tasks t WHERE true";

/// With the joins of [`SELECT`], which a filter by template needs.
const COUNT_BY_TEMPLATE: &str = "
    SELECT count(*)
    FROM tasker_tasks t
    CROSS JOIN tasker_named_tasks d ON d.id = t.named_task_id
    CROSS JOIN tasker_task_namespaces n ON n.id = d.namespace_id
    WHERE true";

/// The condition of the index `tasker_tasks_rare`, which a query must repeat to use it.
const RARE: &str = " AND t.state NOT IN ('pending', 'in_progress', 'complete')";

pub(super) fn list(
    connection: &Connection,
    filter: &TaskFilter,
    before: Option<TaskId>,
    limit: usize,
) -> Result<Vec<TaskRow>> {
    let query = page(filter, before, limit);
    all(connection, &query.sql, params_from_iter(&query.params), RawTask::read)?
        .into_iter()
        .map(RawTask::decode)
        .collect()
}

/// A keyset page: the id is the key and its order that of creation.
pub(super) fn page(filter: &TaskFilter, before: Option<TaskId>, limit: usize) -> Query {
    let mut query = Query::new(SELECT, filter);
    if let Some(before) = before {
        query.and("t.id < ?", Value::Blob(before.0.as_bytes().to_vec()));
    }
    query.sql.push_str(" ORDER BY t.id DESC LIMIT ?");
    query.params.push(Value::Integer(values::limit(limit)));
    query
}

pub(super) fn count(connection: &Connection, filter: &TaskFilter) -> Result<u64> {
    let by_template = filter.namespace.is_some() || filter.name.is_some() || filter.version.is_some();
    let query = Query::new(if by_template { COUNT_BY_TEMPLATE } else { COUNT }, filter);
    let count: i64 =
        connection.prepare_cached(&query.sql)?.query_row(params_from_iter(&query.params), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// A statement that grows by conditions, each with its parameter. The text depends only on which
/// conditions there are, so that it is compiled once for each combination.
pub(super) struct Query {
    pub(super) sql: String,
    params: Vec<Value>,
}

impl Query {
    fn new(select: &str, filter: &TaskFilter) -> Self {
        let mut query = Self { sql: select.to_owned(), params: Vec::new() };
        query.and_states(&filter.states);
        let TaskFilter { namespace, name, version, key, tag, .. } = filter;
        for (condition, wanted) in [
            ("n.name = ?", namespace),
            ("d.name = ?", name),
            ("d.version = ?", version),
            ("t.key = ?", key),
            ("EXISTS (SELECT 1 FROM json_each(t.tags) WHERE value = ?)", tag),
        ] {
            if let Some(wanted) = wanted {
                query.and(condition, Value::Text(wanted.clone()));
            }
        }
        query
    }

    fn and(&mut self, condition: &str, param: Value) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.params.push(param);
    }

    fn and_states(&mut self, states: &[TaskState]) {
        use TaskState::{Complete, InProgress, Pending};
        if states.is_empty() {
            return;
        }
        self.sql.push_str(" AND t.state IN (");
        self.sql.push_str(&vec!["?"; states.len()].join(", "));
        self.sql.push(')');
        self.params.extend(states.iter().map(|state| Value::Text(state.as_str().to_owned())));
        if !states.iter().any(|state| matches!(state, Pending | InProgress | Complete)) {
            self.sql.push_str(RARE);
        }
    }
}

//! Listings and counts of tasks by what they have in common.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::reading::{RawTask, select_tasks};
use super::{all, terms};
use crate::domain::id::TaskId;
use crate::domain::search::Term;
use crate::storage::Result;
use crate::storage::rows::{TaskFilter, TaskRow};
use crate::storage::sqlite::values;

const SELECT: &str = select_tasks!("WHERE true");

/// The tasks of a term, from its newest. CROSS JOIN keeps the order.
const SELECT_FOUND: &str =
    select_tasks!("tasker_task_terms m CROSS JOIN tasker_tasks t ON t.id = m.task_id", "WHERE true");

const COUNT: &str = "SELECT count(*) FROM tasker_tasks t WHERE true";

const COUNT_FOUND: &str =
    "SELECT count(*) FROM tasker_task_terms m CROSS JOIN tasker_tasks t ON t.id = m.task_id WHERE true";

const COUNT_TERMS: &str = "SELECT count(*) FROM tasker_task_terms m WHERE true";

/// The template versions of a namespace, a name, a version. There are few, and whoever counts need not
/// look at each task's.
const OF_TEMPLATES: &str = "t.named_task_id IN (
    SELECT d.id FROM tasker_named_tasks d JOIN tasker_task_namespaces n ON n.id = d.namespace_id WHERE true";

/// The condition of the index `tasker_tasks_rare`, which a query must repeat to use it.
const RARE: &str = " AND t.state <> 'pending' AND t.state <> 'in_progress' AND t.state <> 'complete'";

pub(super) fn list(
    connection: &Connection,
    filter: &TaskFilter,
    before: Option<TaskId>,
    limit: usize,
) -> Result<Vec<TaskRow>> {
    let query = page(filter, terms::rarest_first(connection, filter)?, before, limit);
    all(connection, &query.sql, params_from_iter(&query.params), RawTask::read)?
        .into_iter()
        .map(RawTask::decode)
        .collect()
}

/// A keyset page: the id is the key and its order that of creation.
pub(super) fn page(filter: &TaskFilter, terms: Vec<Term>, before: Option<TaskId>, limit: usize) -> Query {
    let mut query = Query::new(if terms.is_empty() { SELECT } else { SELECT_FOUND });
    query.and_terms(terms);
    // With both ends of the page known, the tasks from there on are walked.
    query.and_all(filter, before.is_some());
    let id = if query.of_term { "m.task_id" } else { "t.id" };
    if let Some(before) = before {
        query.and(&format!("{id} < ?"), Value::Blob(before.0.as_bytes().to_vec()));
    }
    query.sql.push_str(&format!(" ORDER BY {id} DESC LIMIT ?"));
    query.params.push(Value::Integer(values::limit(limit)));
    query
}

pub(super) fn count(connection: &Connection, filter: &TaskFilter) -> Result<u64> {
    let query = counting(filter, terms::rarest_first(connection, filter)?);
    let count: i64 =
        connection.prepare_cached(&query.sql)?.query_row(params_from_iter(&query.params), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

pub(super) fn counting(filter: &TaskFilter, terms: Vec<Term>) -> Query {
    let mut query = Query::new(match terms.is_empty() {
        true => COUNT,
        false if filter.asks_for_terms_only() => COUNT_TERMS,
        false => COUNT_FOUND,
    });
    query.and_terms(terms);
    query.and_all(filter, false);
    query
}

/// A statement that grows by conditions, each with its parameter. The text depends only on which
/// conditions there are, so that it is compiled once for each combination.
pub(super) struct Query {
    pub(super) sql: String,
    params: Vec<Value>,
    /// Whether it walks the tasks of a term.
    of_term: bool,
}

impl Query {
    fn new(select: &str) -> Self {
        Self { sql: select.to_owned(), params: Vec::new(), of_term: false }
    }

    /// The first of the terms is walked, and the others are looked for at each of its tasks.
    fn and_terms(&mut self, terms: Vec<Term>) {
        for Term { name, value } in terms {
            if self.of_term {
                self.sql.push_str(
                    " AND EXISTS (SELECT 1 FROM tasker_task_terms x WHERE x.name = ? AND x.value = ? AND x.task_id = m.task_id)",
                );
            } else {
                self.sql.push_str(" AND m.name = ? AND m.value = ?");
                self.of_term = true;
            }
            self.params.extend([Value::Text(name), Value::Text(value)]);
        }
    }

    /// What is asked of the task itself. Where tasks are `walked` from a place on, the index on their creation
    /// is not to lead elsewhere: those that come next are hardly older. `+` keeps a column from its index.
    fn and_all(&mut self, filter: &TaskFilter, walked: bool) {
        self.and_states(filter);
        self.and_templates(filter);
        if let Some(key) = &filter.key {
            self.and("t.key = ?", Value::Text(key.clone()));
        }
        let created = if walked { "+t.created_at" } else { "t.created_at" };
        for (column, span) in [(created, filter.created), ("t.finished_at", filter.finished)] {
            for (comparison, moment) in [(">=", span.from), ("<", span.before)] {
                if let Some(moment) = moment {
                    self.and(&format!("{column} {comparison} ?"), Value::Integer(moment.0));
                }
            }
        }
    }

    fn and_templates(&mut self, filter: &TaskFilter) {
        let TaskFilter { namespace, name, version, .. } = filter;
        let wanted = [("n.name = ?", namespace), ("d.name = ?", name), ("d.version = ?", version)];
        if wanted.iter().all(|(_, wanted)| wanted.is_none()) {
            return;
        }
        self.sql.push_str(" AND ");
        self.sql.push_str(OF_TEMPLATES);
        for (condition, wanted) in wanted {
            if let Some(wanted) = wanted {
                self.and(condition, Value::Text(wanted.clone()));
            }
        }
        self.sql.push(')');
    }

    fn and(&mut self, condition: &str, param: Value) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.params.push(param);
    }

    fn and_states(&mut self, filter: &TaskFilter) {
        let states = &filter.states;
        if states.is_empty() {
            return;
        }
        self.sql.push_str(" AND t.state IN (");
        self.sql.push_str(&vec!["?"; states.len()].join(", "));
        self.sql.push(')');
        self.params.extend(states.iter().map(|state| Value::Text(state.as_str().to_owned())));
        if filter.has_rare_states_only() {
            self.sql.push_str(RARE);
        }
    }
}

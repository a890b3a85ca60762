//! Tasks by id, and tasks that match a filter.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;

use super::{PostgresTx, Statement};
use crate::domain::id::{RevisionId, TaskId};
use crate::storage::Result;
use crate::storage::postgres::values::{
    get, id_array, json, json_option, limit, task_id, task_state, timestamp, timestamp_option,
};
use crate::storage::rows::{TaskFilter, TaskRow};

/// What a [`TaskRow`] is read from, in the order of its fields.
const COLUMNS: &str = "
    t.id, s.name, n.name, n.version, t.revision_id, t.state::text, t.key, t.priority, t.queue, t.tags, t.initiator,
    t.reason, t.run_at, t.context::text, t.created_at, t.started_at, t.finished_at, t.error::text";

/// The names of a task's template: two probes of primary keys for each task.
const NAMES: &str = "
    JOIN tasker_named_tasks AS n ON n.id = t.named_task_id
    JOIN tasker_task_namespaces AS s ON s.id = n.namespace_id";

/// A probe of the primary key for each.
const BY_ID: &str = "
    unnest($1::uuid[]) AS w (id)
    JOIN tasker_tasks AS t ON t.id = w.id";

pub(super) async fn tasks(tx: &mut PostgresTx, ids: &[TaskId]) -> Result<Vec<TaskRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT {COLUMNS} FROM {BY_ID} {NAMES}");
    let rows = tx.rows(sqlx::query(AssertSqlSafe(sql)).bind(id_array(ids))).await?;
    rows.iter().map(task).collect()
}

/// Walks the primary key from the newest, or one of the indexes on state, template and key where the
/// filter names few tasks. The limit stands inside: only what is returned is joined.
pub(super) async fn list(
    tx: &mut PostgresTx,
    filter: &TaskFilter,
    before: Option<TaskId>,
    most: usize,
) -> Result<Vec<TaskRow>> {
    let conditions = Conditions::of(filter, before);
    let matching = format!(
        "(SELECT * FROM tasker_tasks AS t WHERE {} ORDER BY t.id DESC LIMIT {}) AS t",
        conditions.sql(),
        limit(most)
    );
    let sql = format!("SELECT {COLUMNS} FROM {matching} {NAMES} ORDER BY t.id DESC");
    let rows = tx.rows(conditions.bind(sql)).await?;
    rows.iter().map(task).collect()
}

pub(super) async fn count(tx: &mut PostgresTx, filter: &TaskFilter) -> Result<u64> {
    let conditions = Conditions::of(filter, None);
    let sql = format!("SELECT count(*) FROM tasker_tasks AS t WHERE {}", conditions.sql());
    let row = tx.row(conditions.bind(sql)).await?;
    let count: i64 = row.as_ref().map_or(Ok(0), |row| get(row, 0))?;
    Ok(count.unsigned_abs())
}

/// The conditions of a filter, each with at most one value. Only fixed text and the names of states
/// go into the SQL.
struct Conditions<'a> {
    parts: Vec<String>,
    words: Vec<&'a str>,
    before: Option<TaskId>,
}

impl<'a> Conditions<'a> {
    fn of(filter: &'a TaskFilter, before: Option<TaskId>) -> Self {
        let mut all = Self { parts: vec!["true".into()], words: Vec::new(), before };
        if !filter.states.is_empty() {
            // As constants, so that the planner sees whether the index on rare states will do.
            let names: Vec<String> = filter.states.iter().map(|state| format!("'{state}'")).collect();
            all.parts.push(format!("t.state IN ({})", names.join(", ")));
        }
        let mut template = vec!["true".to_owned()];
        for (column, word) in [("s.name", &filter.namespace), ("n.name", &filter.name), ("n.version", &filter.version)]
        {
            if let Some(word) = word {
                template.push(format!("{column} = {}", all.place(word)));
            }
        }
        if template.len() > 1 {
            all.parts.push(format!(
                "t.named_task_id = ANY (ARRAY (
                    SELECT n.id FROM tasker_named_tasks AS n
                    JOIN tasker_task_namespaces AS s ON s.id = n.namespace_id
                    WHERE {}))",
                template.join(" AND ")
            ));
        }
        if let Some(key) = &filter.key {
            let place = all.place(key);
            all.parts.push(format!("t.key = {place}"));
        }
        if let Some(tag) = &filter.tag {
            let place = all.place(tag);
            all.parts.push(format!("t.tags @> ARRAY [{place}]"));
        }
        if before.is_some() {
            all.parts.push(format!("t.id < ${}", all.words.len() + 1));
        }
        all
    }

    /// Keeps a value and gives its place in the statement.
    fn place(&mut self, word: &'a str) -> String {
        self.words.push(word);
        format!("${}::text", self.words.len())
    }

    fn sql(&self) -> String {
        self.parts.join(" AND ")
    }

    fn bind(self, sql: String) -> Statement {
        let statement =
            self.words.iter().fold(sqlx::query(AssertSqlSafe(sql)), |statement, word| statement.bind(*word));
        match self.before {
            Some(before) => statement.bind(before.0),
            None => statement,
        }
    }
}

fn task(row: &PgRow) -> Result<TaskRow> {
    Ok(TaskRow {
        id: task_id(row, 0)?,
        namespace: get(row, 1)?,
        name: get(row, 2)?,
        version: get(row, 3)?,
        revision: RevisionId(get(row, 4)?),
        state: task_state(row, 5)?,
        key: get(row, 6)?,
        priority: get(row, 7)?,
        queue: get(row, 8)?,
        tags: get(row, 9)?,
        initiator: get(row, 10)?,
        reason: get(row, 11)?,
        run_at: timestamp_option(row, 12)?,
        context: json(row, 13)?,
        created_at: timestamp(row, 14)?,
        started_at: timestamp_option(row, 15)?,
        finished_at: timestamp_option(row, 16)?,
        error: json_option(row, 17)?,
    })
}

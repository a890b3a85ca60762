//! Tasks by id, and tasks that match a filter.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;

use super::{PostgresTx, Statement, terms};
use crate::domain::id::{RevisionId, TaskId};
use crate::domain::search::Term;
use crate::storage::Result;
use crate::storage::postgres::values::{
    get, id_array, instant, json, json_option, limit, task_id, task_state, timestamp, timestamp_option,
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
    (SELECT unnest($1::uuid[]) AS id) AS w
    JOIN tasker_tasks AS t ON t.id = ANY (ARRAY [w.id])";

pub(super) async fn tasks(tx: &mut PostgresTx<'_>, ids: &[TaskId]) -> Result<Vec<TaskRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT {COLUMNS} FROM {BY_ID} {NAMES}");
    let rows = tx.rows(sqlx::query(AssertSqlSafe(sql)).bind(id_array(ids))).await?;
    rows.iter().map(task).collect()
}

/// Walks the primary key from the newest, or one of the indexes on state, template, key and times where the
/// filter names few tasks; the newest of a term where it names one. The limit stands inside: only what is
/// returned is joined.
pub(super) async fn list(
    tx: &mut PostgresTx<'_>,
    filter: &TaskFilter,
    before: Option<TaskId>,
    most: usize,
) -> Result<Vec<TaskRow>> {
    let terms = terms::rarest_first(tx, filter).await?;
    let (sql, values) = page(filter, terms, before, most)?;
    let rows = tx.rows(bind(sql, values)).await?;
    rows.iter().map(task).collect()
}

/// The statement of a page, with its values.
fn page(filter: &TaskFilter, terms: Vec<Term>, before: Option<TaskId>, most: usize) -> Result<(String, Vec<Bound>)> {
    let mut conditions = Conditions::of(filter, terms)?;
    if let Some(before) = before {
        let place = conditions.place(Bound::Task(before));
        conditions.outer.push(format!("{} < {place}", conditions.id));
    }
    let matching = format!(
        "(SELECT t.* FROM {} ORDER BY {} DESC LIMIT {}) AS t",
        conditions.source("*"),
        conditions.id,
        limit(most)
    );
    let sql = format!("SELECT {COLUMNS} FROM {matching} {NAMES} ORDER BY t.id DESC");
    Ok((sql, conditions.values))
}

pub(super) async fn count(tx: &mut PostgresTx<'_>, filter: &TaskFilter) -> Result<u64> {
    let conditions = Conditions::of(filter, terms::rarest_first(tx, filter).await?)?;
    let source = match filter.asks_for_terms_only() && conditions.id != "t.id" {
        true => format!("tasker_task_terms AS m WHERE {}", conditions.outer.join(" AND ")),
        false => conditions.source(""),
    };
    let sql = format!("SELECT count(*) FROM {source}");
    let row = tx.row(bind(sql, conditions.values)).await?;
    let count: i64 = row.as_ref().map_or(Ok(0), |row| get(row, 0))?;
    Ok(count.unsigned_abs())
}

/// A value of a condition.
enum Bound {
    Text(String),
    Moment(DateTime<Utc>),
    Task(TaskId),
}

/// The conditions of a filter. Only fixed text and the names of states go into the SQL.
struct Conditions {
    /// What is asked of a task.
    inner: Vec<String>,
    /// What is asked of the term by which tasks are found, and of their others.
    outer: Vec<String>,
    values: Vec<Bound>,
    /// The id that is walked.
    id: &'static str,
}

impl Conditions {
    fn of(filter: &TaskFilter, terms: Vec<Term>) -> Result<Self> {
        let mut all = Self { inner: vec!["true".into()], outer: vec!["true".into()], values: Vec::new(), id: "t.id" };
        all.terms(terms);
        if !filter.states.is_empty() {
            let column = if filter.has_rare_states_only() { "t.rare" } else { "t.state" };
            let names: Vec<String> = filter.states.iter().map(|state| format!("'{state}'")).collect();
            all.inner.push(format!("{column} IN ({})", names.join(", ")));
        }
        all.templates(filter);
        if let Some(key) = &filter.key {
            let place = all.place(Bound::Text(key.clone()));
            all.inner.push(format!("t.key = {place}"));
        }
        for (column, span) in [("t.created_at", filter.created), ("t.finished_at", filter.finished)] {
            for (comparison, moment) in [(">=", span.from), ("<", span.before)] {
                if let Some(moment) = moment {
                    let place = all.place(Bound::Moment(instant(moment)?));
                    all.inner.push(format!("{column} {comparison} {place}"));
                }
            }
        }
        Ok(all)
    }

    /// The first of the terms is walked, and the others are looked for at each of its tasks.
    fn terms(&mut self, terms: Vec<Term>) {
        for Term { name, value } in terms {
            let (name, value) = (self.place(Bound::Text(name)), self.place(Bound::Text(value)));
            self.outer.push(if self.id == "m.task_id" {
                format!(
                    "EXISTS (SELECT FROM tasker_task_terms AS x
                        WHERE x.name = {name} AND x.value = {value} AND x.task_id = m.task_id OFFSET 0)"
                )
            } else {
                self.id = "m.task_id";
                format!("m.name = {name} AND m.value = {value}")
            });
        }
    }

    fn templates(&mut self, filter: &TaskFilter) {
        let wanted = [("s.name", &filter.namespace), ("n.name", &filter.name), ("n.version", &filter.version)];
        let mut template = Vec::new();
        for (column, word) in wanted {
            if let Some(word) = word {
                template.push(format!("{column} = {}", self.place(Bound::Text(word.clone()))));
            }
        }
        if !template.is_empty() {
            self.inner.push(format!(
                "t.named_task_id = ANY (ARRAY (
                    SELECT n.id FROM tasker_named_tasks AS n
                    JOIN tasker_task_namespaces AS s ON s.id = n.namespace_id
                    WHERE {}))",
                template.join(" AND ")
            ));
        }
    }

    /// Where the tasks come from, with all conditions; `columns` of them. OFFSET 0 has the term walked in
    /// its order, and the others probed for each task, whatever the planner thinks of it: what it would do
    /// with tables that have grown since they were analyzed may be to look at all tasks there are.
    fn source(&self, columns: &str) -> String {
        let (inner, outer) = (self.inner.join(" AND "), self.outer.join(" AND "));
        match self.id {
            "t.id" => format!("tasker_tasks AS t WHERE {inner} AND {outer}"),
            _ => format!(
                "tasker_task_terms AS m CROSS JOIN LATERAL (
                    SELECT {columns} FROM tasker_tasks AS t WHERE t.id = m.task_id AND {inner} OFFSET 0
                ) AS t WHERE {outer}"
            ),
        }
    }

    /// Keeps a value and gives its place in the statement.
    fn place(&mut self, value: Bound) -> String {
        let cast = match value {
            Bound::Text(_) => "text",
            Bound::Moment(_) => "timestamptz",
            Bound::Task(_) => "uuid",
        };
        self.values.push(value);
        format!("${}::{cast}", self.values.len())
    }
}

fn bind(sql: String, values: Vec<Bound>) -> Statement {
    values.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |statement, value| match value {
        Bound::Text(text) => statement.bind(text),
        Bound::Moment(moment) => statement.bind(moment),
        Bound::Task(task) => statement.bind(task.0),
    })
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

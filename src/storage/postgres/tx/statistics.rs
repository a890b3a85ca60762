//! Counting what there is, and reading what ended lately.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;

use super::{PostgresTx, Statement};
use crate::domain::id::{RevisionId, TaskId};
use crate::storage::Result;
use crate::storage::postgres::values::{
    count, get, index, instant, step_state, task_id, task_state, timestamp, timestamp_option,
};
use crate::storage::rows::{Backlog, Census, EndedTask, StepProgress, Window};

/// Tasks by state: of each index only as much as is counted, and the rows of those that are unfinished.
const TASKS: &str = "
    SELECT state::text, count(*) FROM tasker_tasks WHERE finished_at IS NULL GROUP BY state
    UNION ALL
    SELECT rare::text, count(*) FROM tasker_tasks
    WHERE rare IN ('error', 'cancelled', 'resolved_manually') GROUP BY rare
    UNION ALL
    SELECT NULL, count(*) FROM tasker_tasks WHERE finished_at IS NOT NULL";

/// Reads the queue's small tables, and probes the primary key for each step that a receipt names: it may be done.
const QUEUE: &str = "
    WITH clock AS MATERIALIZED (
        SELECT coalesce($1, clock_timestamp() + $2 * interval '1 microsecond') AS now
    ), held AS MATERIALIZED (
        SELECT s.id IS NOT NULL AND s.epoch = 0 AND s.expires_at > clock.now AS live
        FROM clock
        CROSS JOIN tasker_receipts AS r
        CROSS JOIN LATERAL (SELECT unnest(r.task_ids) AS task_id, unnest(r.idxs) AS idx, unnest(r.tokens) AS token) AS h
        JOIN tasker_workflow_steps AS w ON w.task_id = h.task_id AND w.idx = h.idx
        LEFT JOIN tasker_sessions AS s ON s.id = r.session_id
        WHERE w.token = h.token AND w.state IN ('pending', 'waiting_for_retry')
    )
    SELECT
        (SELECT count(*) FROM tasker_ready),
        (SELECT min(ready_at) FROM tasker_ready),
        (SELECT count(*) FROM tasker_timers WHERE kind = 'retry'),
        (SELECT count(*) FROM tasker_timers WHERE kind = 'start'),
        (SELECT count(*) FROM held WHERE live),
        (SELECT count(*) FROM held WHERE NOT live),
        (SELECT count(*) FROM tasker_sessions AS s, clock WHERE s.epoch = 0 AND s.expires_at > clock.now)";

/// One pass over what is ready; a lane is probed for each that something is ready in.
const BACKLOG: &str = "
    SELECT l.queue, sum(r.steps)::bigint, min(r.since)
    FROM (SELECT lane, count(*) AS steps, min(ready_at) AS since FROM tasker_ready GROUP BY lane) AS r
    JOIN tasker_lanes AS l ON l.id = r.lane
    GROUP BY l.queue
    ORDER BY l.queue COLLATE \"C\"";

/// A range of the index on when tasks ended.
macro_rules! select_ended {
    ($columns:literal, $joined:literal) => {
        concat!("SELECT ", $columns, " FROM tasker_tasks AS t ", $joined, " WHERE t.finished_at >= $1")
    };
}

pub(super) const ENDED_TASKS: &str =
    select_ended!("t.id, t.revision_id, t.state::text, t.created_at, t.run_at, t.started_at, t.finished_at", "");

/// And a walk through the primary key for the steps of each.
pub(super) const ENDED_STEPS: &str = select_ended!(
    "s.task_id, s.idx, s.state::text, s.attempts, s.started_at, s.finished_at, s.next_retry_at, s.items",
    "JOIN tasker_workflow_steps AS s ON s.task_id = t.id"
);

pub(super) async fn census(tx: &mut PostgresTx<'_>) -> Result<Census> {
    let mut census = Census::default();
    let mut ended = 0;
    for row in tx.rows(sqlx::query(TASKS)).await? {
        let found = get::<i64>(&row, 1)?.unsigned_abs();
        match get::<Option<&str>>(&row, 0)? {
            None => ended = found,
            Some(_) => census.tasks[task_state(&row, 0)? as usize] = found,
        }
    }
    census.rest_is_complete(ended);
    let (now, offset) = tx.time()?;
    let Some(row) = tx.row(sqlx::query(QUEUE).bind(now).bind(offset)).await? else { return Ok(census) };
    let number = |column| get::<i64>(&row, column).map(i64::unsigned_abs);
    Ok(Census {
        ready: number(0)?,
        ready_since: timestamp_option(&row, 1)?,
        retrying: number(2)?,
        scheduled: number(3)?,
        held: number(4)?,
        expired: number(5)?,
        sessions: number(6)?,
        ..census
    })
}

pub(super) async fn backlog(tx: &mut PostgresTx<'_>) -> Result<Vec<Backlog>> {
    let rows = tx.rows(sqlx::query(BACKLOG)).await?;
    let of_queue = |row: &PgRow| {
        let steps = get::<i64>(row, 1)?.unsigned_abs();
        Ok(Backlog { queue: get(row, 0)?, steps, since: timestamp_option(row, 2)? })
    };
    rows.iter().map(of_queue).collect()
}

pub(super) async fn ended_tasks(tx: &mut PostgresTx<'_>, window: &Window) -> Result<Vec<EndedTask>> {
    let rows = tx.rows(of_window(ENDED_TASKS, window)?).await?;
    let task = |row: &PgRow| {
        Ok(EndedTask {
            id: task_id(row, 0)?,
            revision: RevisionId(get(row, 1)?),
            state: task_state(row, 2)?,
            created_at: timestamp(row, 3)?,
            run_at: timestamp_option(row, 4)?,
            started_at: timestamp_option(row, 5)?,
            finished_at: timestamp(row, 6)?,
        })
    };
    rows.iter().map(task).collect()
}

pub(super) async fn ended_steps(tx: &mut PostgresTx<'_>, window: &Window) -> Result<Vec<(TaskId, StepProgress)>> {
    let rows = tx.rows(of_window(ENDED_STEPS, window)?).await?;
    let step = |row: &PgRow| {
        let progress = StepProgress {
            index: index(get(row, 1)?),
            state: step_state(row, 2)?,
            attempts: count(get(row, 3)?),
            started_at: timestamp_option(row, 4)?,
            finished_at: timestamp_option(row, 5)?,
            next_retry_at: timestamp_option(row, 6)?,
            items: get::<Option<i32>>(row, 7)?.map(index),
        };
        Ok((task_id(row, 0)?, progress))
    };
    rows.iter().map(step).collect()
}

/// A statement on a window. Only fixed text goes into the SQL.
fn of_window<'a>(select: &str, window: &'a Window) -> Result<Statement> {
    let mut template = Vec::new();
    let mut words: Vec<&'a str> = Vec::new();
    for (column, word) in [("s.name", &window.namespace), ("n.name", &window.name)] {
        if let Some(word) = word {
            words.push(word);
            template.push(format!("{column} = ${}::text", words.len() + 1));
        }
    }
    let mut sql = select.to_owned();
    if !template.is_empty() {
        sql.push_str(" AND t.named_task_id = ANY (ARRAY (SELECT n.id FROM tasker_named_tasks AS n ");
        sql.push_str("JOIN tasker_task_namespaces AS s ON s.id = n.namespace_id WHERE ");
        sql.push_str(&template.join(" AND "));
        sql.push_str("))");
    }
    let statement = sqlx::query(AssertSqlSafe(sql)).bind(instant(window.since)?);
    Ok(words.into_iter().fold(statement, |statement, word| statement.bind(word.to_owned())))
}

//! Counting what there is, and reading what ended lately.

use std::collections::HashSet;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::{all, sessions};
use crate::domain::id::{SessionId, TaskId, Token};
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;
use crate::storage::Result;
use crate::storage::rows::{Backlog, Census, EndedTask, StepProgress, Window};

/// Of each index only as much as is counted; no task is read. This one with the condition of `tasker_tasks_rare`.
pub(super) const RARE: &str = "
    SELECT state, count(*) FROM tasker_tasks
    WHERE state <> 'pending' AND state <> 'in_progress' AND state <> 'complete'
    GROUP BY state";

/// With the condition of `tasker_tasks_in_progress`.
pub(super) const IN_PROGRESS: &str =
    "SELECT state, count(*) FROM tasker_tasks WHERE state = 'in_progress' GROUP BY state";

pub(super) const ENDED: &str = "SELECT count(*) FROM tasker_tasks WHERE finished_at IS NOT NULL";

pub(super) const ALL: &str = "SELECT count(*) FROM tasker_tasks";

const READY: &str = "SELECT count(*), min(ready_at) FROM tasker_ready";

/// One pass over what is ready.
const BACKLOG: &str = "
    SELECT l.queue, count(*), min(r.ready_at)
    FROM tasker_ready r JOIN tasker_lanes l ON l.id = r.lane
    GROUP BY l.queue
    ORDER BY l.queue";

const TIMERS: &str =
    "SELECT count(*) FILTER (WHERE kind = 'retry'), count(*) FILTER (WHERE kind = 'start') FROM tasker_timers";

const LIVE: &str = "SELECT id FROM tasker_sessions WHERE epoch = 0 AND expires_at > ?1";

const TOKEN: &str = "SELECT token, state FROM tasker_workflow_steps WHERE task_id = ?1 AND idx = ?2";

/// A range of the index on when tasks ended.
macro_rules! select_ended {
    ($columns:literal, $joined:literal) => {
        concat!("SELECT ", $columns, " FROM tasker_tasks t ", $joined, " WHERE t.finished_at >= ?")
    };
}

pub(super) const ENDED_TASKS: &str =
    select_ended!("t.id, t.revision_id, t.state, t.created_at, t.run_at, t.started_at, t.finished_at", "");

/// And a walk through the primary key for the steps of each.
pub(super) const ENDED_STEPS: &str = select_ended!(
    "s.task_id, s.idx, s.state, s.attempts, s.started_at, s.finished_at, s.next_retry_at, s.items",
    "CROSS JOIN tasker_workflow_steps s ON s.task_id = t.id"
);

pub(super) fn census(connection: &Connection, now: Timestamp) -> Result<Census> {
    let mut census = Census::default();
    for sql in [RARE, IN_PROGRESS] {
        for (state, found) in all(connection, sql, (), |row| Ok((row.get::<_, TaskState>(0)?, row.get::<_, i64>(1)?)))?
        {
            census.tasks[state as usize] = found.unsigned_abs();
        }
    }
    census.rest_is_complete(count(connection, ENDED)?);
    census.rest_is_pending(count(connection, ALL)?);
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?));
    let (ready, ready_since) = connection.prepare_cached(READY)?.query_row((), pair)?;
    let (retrying, scheduled) = connection.prepare_cached(TIMERS)?.query_row((), pair)?;
    let live: HashSet<SessionId> = all(connection, LIVE, [now], |row| row.get(0))?.into_iter().collect();
    for (session, held) in held(connection)? {
        let count = if live.contains(&session) { &mut census.held } else { &mut census.expired };
        *count += held;
    }
    Ok(Census {
        ready: ready.unsigned_abs(),
        ready_since: ready_since.map(Timestamp),
        retrying: retrying.unsigned_abs(),
        scheduled: scheduled.unwrap_or(0).unsigned_abs(),
        sessions: live.len() as u64,
        ..census
    })
}

fn count(connection: &Connection, sql: &str) -> Result<u64> {
    let count: i64 = connection.prepare_cached(sql)?.query_row((), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

pub(super) fn backlog(connection: &Connection) -> Result<Vec<Backlog>> {
    all(connection, BACKLOG, (), |row| {
        let steps = row.get::<_, i64>(1)?.unsigned_abs();
        Ok(Backlog { queue: row.get(0)?, steps, since: row.get(2)? })
    })
}

/// How many steps each receipt holds: those that it names and that are not done yet.
fn held(connection: &Connection) -> Result<Vec<(SessionId, u64)>> {
    let mut find = connection.prepare_cached(TOKEN)?;
    let mut held = Vec::new();
    for receipt in sessions::all_receipts(connection)? {
        let mut still = 0;
        for step in &receipt.steps {
            let now: Option<(Token, StepState)> =
                find.query_row((step.key.task, step.key.index), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            still += u64::from(now.is_some_and(|(token, state)| token == step.token && state.is_unfinished()));
        }
        held.push((receipt.session, still));
    }
    Ok(held)
}

pub(super) fn ended_tasks(connection: &Connection, window: &Window) -> Result<Vec<EndedTask>> {
    let (sql, params) = of_window(ENDED_TASKS, window);
    all(connection, &sql, params_from_iter(params), |row| {
        Ok(EndedTask {
            id: row.get(0)?,
            revision: row.get(1)?,
            state: row.get(2)?,
            created_at: row.get(3)?,
            run_at: row.get(4)?,
            started_at: row.get(5)?,
            finished_at: row.get(6)?,
        })
    })
}

pub(super) fn ended_steps(connection: &Connection, window: &Window) -> Result<Vec<(TaskId, StepProgress)>> {
    let (sql, params) = of_window(ENDED_STEPS, window);
    all(connection, &sql, params_from_iter(params), |row| {
        let progress = StepProgress {
            index: row.get(1)?,
            state: row.get(2)?,
            attempts: row.get(3)?,
            started_at: row.get(4)?,
            finished_at: row.get(5)?,
            next_retry_at: row.get(6)?,
            items: row.get(7)?,
        };
        Ok((row.get(0)?, progress))
    })
}

/// A statement on a window with its parameters. Only fixed text goes into the SQL.
pub(super) fn of_window(select: &str, window: &Window) -> (String, Vec<Value>) {
    let mut template = Vec::new();
    let mut params = vec![Value::Integer(window.since.0)];
    for (condition, word) in [("n.name = ?", &window.namespace), ("d.name = ?", &window.name)] {
        if let Some(word) = word {
            template.push(condition);
            params.push(Value::Text(word.clone()));
        }
    }
    let mut sql = select.to_owned();
    if !template.is_empty() {
        // The plus keeps the planner with the index on when tasks ended.
        sql.push_str(" AND +t.named_task_id IN (SELECT d.id FROM tasker_named_tasks d ");
        sql.push_str("JOIN tasker_task_namespaces n ON n.id = d.namespace_id WHERE ");
        sql.push_str(&template.join(" AND "));
        sql.push(')');
    }
    (sql, params)
}

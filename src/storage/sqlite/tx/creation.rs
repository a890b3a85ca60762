//! New tasks: their keys, their rows, their steps.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::{each, templates};
use crate::domain::id::TaskId;
use crate::domain::json::Json;
use crate::domain::time::Timestamp;
use crate::storage::rows::{KeyRow, NewTask};
use crate::storage::{Result, StoreError};

const TAKE_KEY: &str = "
    INSERT INTO tasker_task_keys (namespace, name, key, task_id) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (namespace, name, key) DO NOTHING";

const KEY_OWNER: &str = "SELECT task_id FROM tasker_task_keys WHERE namespace = ?1 AND name = ?2 AND key = ?3";

pub(super) const INSERT_TASK: &str = "
    INSERT INTO tasker_tasks (id, named_task_id, revision_id, state, live, key, priority, queue, tags, initiator,
        reason, run_at, context, headers, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

/// Writes only the first time.
const MARK_USED: &str = "UPDATE tasker_named_tasks SET used = 1 WHERE id = ?1 AND used = 0";

pub(super) const INSERT_STEP: &str =
    "INSERT INTO tasker_workflow_steps (task_id, idx, state, waiting) VALUES (?1, ?2, 'pending', ?3)";

pub(super) fn take_keys(connection: &Connection, rows: &[KeyRow]) -> Result<Vec<Option<TaskId>>> {
    let mut take = connection.prepare_cached(TAKE_KEY)?;
    let mut owner = connection.prepare_cached(KEY_OWNER)?;
    let mut owners = Vec::with_capacity(rows.len());
    for row in rows {
        let taken = take.execute((&row.namespace, &row.name, &row.key, row.task))? == 1;
        owners.push(match taken {
            true => None,
            false => Some(owner.query_row((&row.namespace, &row.name, &row.key), |row| row.get(0))?),
        });
    }
    Ok(owners)
}

pub(super) fn insert_tasks(connection: &Connection, rows: &[NewTask], now: Timestamp) -> Result<()> {
    let templates: BTreeSet<_> = rows.iter().map(|row| row.named_task).collect();
    if !templates::exist(connection, &templates)? {
        return Err(StoreError::TemplateGone);
    }
    let mut insert = connection.prepare_cached(INSERT_TASK)?;
    for row in rows {
        let tags = Json::of(&row.tags).map_err(|error| StoreError::Data(error.to_string().into()))?;
        insert.execute(params![
            row.id,
            row.named_task,
            row.revision,
            row.state,
            row.live,
            row.key,
            row.priority,
            row.queue,
            tags,
            row.initiator,
            row.reason,
            row.run_at,
            row.context,
            row.headers,
            now,
        ])?;
    }
    let steps =
        rows.iter().flat_map(|row| (0_u32..).zip(row.waiting.iter()).map(|(index, waiting)| (row.id, index, *waiting)));
    each(connection, INSERT_STEP, steps, |step| step)?;
    each(connection, MARK_USED, templates, |id| [id])
}

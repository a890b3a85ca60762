//! Tasks that go with everything that belongs to them.

use rusqlite::Connection;

use super::{all, each, sessions};
use crate::domain::id::TaskId;
use crate::domain::json::Json;
use crate::domain::time::Timestamp;
use crate::storage::sqlite::values;
use crate::storage::{Result, StoreError};

/// Before its task goes: what the key is called depends on the task's template.
const DELETE_KEY: &str = "
    DELETE FROM tasker_task_keys
    WHERE task_id = ?1 AND (namespace, name, key) = (
        SELECT n.name, d.name, t.key
        FROM tasker_tasks t
        JOIN tasker_named_tasks d ON d.id = t.named_task_id
        JOIN tasker_task_namespaces n ON n.id = d.namespace_id
        WHERE t.id = ?1)";

/// One pass through a small table, whose key does not begin with the task.
const DELETE_READY: &str = "DELETE FROM tasker_ready WHERE lower(hex(task_id)) IN (SELECT value FROM json_each(?1))";

/// See [`DELETE_READY`].
const DELETE_TIMERS: &str = "DELETE FROM tasker_timers WHERE lower(hex(task_id)) IN (SELECT value FROM json_each(?1))";

/// Walks the index of ended tasks.
pub(super) const ENDED_BETWEEN: &str = "
    SELECT id, finished_at FROM tasker_tasks
    WHERE finished_at >= ?1 AND finished_at < ?2
      AND state IN ('complete', 'error', 'cancelled', 'resolved_manually')
    ORDER BY finished_at LIMIT ?3";

const HAS_ENDED: &str = "
    SELECT 1 FROM tasker_tasks
    WHERE id = ?1 AND finished_at < ?2 AND state IN ('complete', 'error', 'cancelled', 'resolved_manually')";

const DELETE_TIMERS_OF: &str = "DELETE FROM tasker_timers WHERE task_id = ?1";

/// Every table that has rows of a task, the task's own last. Each by its primary key, which the task
/// leads, or by an index that it leads.
const DELETIONS: [&str; 9] = [
    "DELETE FROM tasker_workflow_step_items WHERE task_id = ?1",
    "DELETE FROM tasker_task_terms WHERE task_id = ?1",
    "DELETE FROM tasker_task_annotations WHERE task_id = ?1",
    "DELETE FROM tasker_parked WHERE task_id = ?1",
    "DELETE FROM tasker_slots WHERE task_id = ?1",
    "DELETE FROM tasker_workflow_step_transitions WHERE task_id = ?1",
    "DELETE FROM tasker_task_transitions WHERE task_id = ?1",
    "DELETE FROM tasker_workflow_steps WHERE task_id = ?1",
    "DELETE FROM tasker_tasks WHERE id = ?1",
];

pub(super) fn delete_tasks(connection: &Connection, ids: &[TaskId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = ids.iter().map(|id| id.0.as_simple().to_string()).collect();
    let texts = Json::of(&texts).map_err(|error| StoreError::Data(error.to_string().into()))?;
    connection.prepare_cached(DELETE_TIMERS)?.execute([&texts])?;
    connection.prepare_cached(DELETE_READY)?.execute([&texts])?;
    sessions::forget_tasks(connection, ids)?;
    delete_rows(connection, ids)
}

/// What belongs to tasks that nobody claims any more.
fn delete_rows(connection: &Connection, ids: &[TaskId]) -> Result<()> {
    each(connection, DELETE_KEY, ids, |id| [id])?;
    for statement in DELETIONS {
        each(connection, statement, ids, |id| [id])?;
    }
    Ok(())
}

pub(super) fn ended_between(
    connection: &Connection,
    from: Option<Timestamp>,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<(TaskId, Timestamp)>> {
    let from = from.unwrap_or(Timestamp(i64::MIN));
    all(connection, ENDED_BETWEEN, (from, before, values::limit(limit)), |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn purge_tasks(connection: &Connection, ids: &[TaskId], before: Timestamp) -> Result<usize> {
    let mut has_ended = connection.prepare_cached(HAS_ENDED)?;
    let mut ended = Vec::with_capacity(ids.len());
    for &id in ids {
        if has_ended.exists((id, before))? {
            ended.push(id);
        }
    }
    each(connection, DELETE_TIMERS_OF, &ended, |id| [id])?;
    delete_rows(connection, &ended)?;
    Ok(ended.len())
}

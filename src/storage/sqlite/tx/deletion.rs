//! Tasks that go with everything that belongs to them.

use rusqlite::Connection;

use super::{all, each, sessions};
use crate::domain::id::{NamedTaskId, TaskId};
use crate::domain::json::Json;
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

const TEMPLATES: &str = "
    SELECT DISTINCT named_task_id FROM tasker_tasks
    WHERE lower(hex(id)) IN (SELECT value FROM json_each(?1))";

/// Each by its primary key, which the task leads.
const DELETIONS: [&str; 4] = [
    "DELETE FROM tasker_workflow_step_transitions WHERE task_id = ?1",
    "DELETE FROM tasker_task_transitions WHERE task_id = ?1",
    "DELETE FROM tasker_workflow_steps WHERE task_id = ?1",
    "DELETE FROM tasker_tasks WHERE id = ?1",
];

/// Reads the tasks until it finds one of the template.
const MARK_UNUSED: &str = "
    UPDATE tasker_named_tasks SET used = 0
    WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM tasker_tasks WHERE named_task_id = ?1)";

pub(super) fn delete_tasks(connection: &Connection, ids: &[TaskId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = ids.iter().map(|id| id.0.as_simple().to_string()).collect();
    let texts = Json::of(&texts).map_err(|error| StoreError::Data(error.to_string().into()))?;
    let templates: Vec<NamedTaskId> = all(connection, TEMPLATES, [&texts], |row| row.get(0))?;
    connection.prepare_cached(DELETE_TIMERS)?.execute([&texts])?;
    connection.prepare_cached(DELETE_READY)?.execute([&texts])?;
    sessions::forget_tasks(connection, ids)?;
    each(connection, DELETE_KEY, ids, |id| [id])?;
    for statement in DELETIONS {
        each(connection, statement, ids, |id| [id])?;
    }
    each(connection, MARK_UNUSED, templates, |id| [id])
}

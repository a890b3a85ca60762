//! Steps that are made while a task runs: one for each item of a list.

use rusqlite::Connection;

use super::{each, probe};
use crate::domain::id::StepKey;
use crate::domain::json::Json;
use crate::storage::Result;
use crate::storage::rows::{ExpandedStep, LastTransition, NewItems};
use crate::storage::sqlite::values::step_key;

const INSERT_STEP: &str =
    "INSERT INTO tasker_workflow_steps (task_id, idx, state, token, waiting) VALUES (?1, ?2, 'pending', ?3, ?4)";

const INSERT_ITEM: &str = "
    INSERT INTO tasker_workflow_step_items (task_id, idx, group_idx, position, item) VALUES (?1, ?2, ?3, ?4, ?5)";

pub(super) const WAIT_FOR_ITEMS: &str =
    "UPDATE tasker_workflow_steps SET items = ?3, waiting = waiting + ?3 WHERE task_id = ?1 AND idx = ?2";

const EXPANDED: &str = "
    SELECT task_id, idx, items, attempts FROM tasker_workflow_steps
    WHERE task_id = ?1 AND idx = ?2 AND items IS NOT NULL";

const ITEM: &str = "SELECT task_id, idx, item FROM tasker_workflow_step_items WHERE task_id = ?1 AND idx = ?2";

pub(super) const LAST_TRANSITION: &str = "
    SELECT task_id, idx, seq, to_state FROM tasker_workflow_step_transitions
    WHERE task_id = ?1 AND idx = ?2
    ORDER BY seq DESC LIMIT 1";

/// Walks the items of the task.
const DELETE_STEPS: &str = "
    DELETE FROM tasker_workflow_steps
    WHERE task_id = ?1 AND idx IN (SELECT idx FROM tasker_workflow_step_items WHERE task_id = ?1 AND group_idx = ?2)";

/// Walks the items of the task.
const DELETE_ITEMS: &str = "DELETE FROM tasker_workflow_step_items WHERE task_id = ?1 AND group_idx = ?2";

const FORGET_LIST: &str = "UPDATE tasker_workflow_steps SET items = NULL WHERE task_id = ?1 AND idx = ?2";

pub(super) fn remove_items(connection: &Connection, groups: &[StepKey]) -> Result<()> {
    for statement in [DELETE_STEPS, DELETE_ITEMS, FORGET_LIST] {
        each(connection, statement, groups, |group| (group.task, group.index))?;
    }
    Ok(())
}

pub(super) fn insert_items(connection: &Connection, rows: &[NewItems]) -> Result<()> {
    for row in rows {
        each(connection, INSERT_STEP, row.steps(), |(key, _, _, token)| (key.task, key.index, token, row.waiting))?;
        each(connection, INSERT_ITEM, row.steps(), |(key, position, item, _)| {
            (key.task, key.index, row.group.index, position, item)
        })?;
    }
    each(connection, WAIT_FOR_ITEMS, rows, |row| (row.group.task, row.group.index, row.items.len() as i64))
}

pub(super) fn expanded(connection: &Connection, keys: &[StepKey]) -> Result<Vec<ExpandedStep>> {
    probe(
        connection,
        EXPANDED,
        keys,
        |key| (key.task, key.index),
        |row| Ok(ExpandedStep { key: step_key(row, 0)?, items: row.get(2)?, attempts: row.get(3)? }),
    )
}

pub(super) fn items(connection: &Connection, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
    probe(connection, ITEM, keys, |key| (key.task, key.index), |row| Ok((step_key(row, 0)?, row.get(2)?)))
}

pub(super) fn last_transitions(connection: &Connection, keys: &[StepKey]) -> Result<Vec<LastTransition>> {
    probe(
        connection,
        LAST_TRANSITION,
        keys,
        |key| (key.task, key.index),
        |row| Ok(LastTransition { key: step_key(row, 0)?, seq: row.get(2)?, to: row.get(3)? }),
    )
}

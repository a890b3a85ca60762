//! Template versions, their revisions, and the lanes that lead to them.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use super::{all, each, probe};
use crate::domain::id::{LaneId, NamedTaskId, RevisionId};
use crate::domain::json::Json;
use crate::domain::time::Timestamp;
use crate::storage::rows::{LaneRow, NamedTaskRow, NewNamedTask, RevisionRow, VersionRow};
use crate::storage::{Result, StoreError};

const FIND: &str = "
    SELECT t.id, t.fixed
    FROM tasker_named_tasks t
    JOIN tasker_task_namespaces n ON n.id = t.namespace_id
    WHERE n.name = ?1 AND t.name = ?2 AND t.version = ?3";

pub(super) const LATEST_REVISION: &str = "
    SELECT id, template FROM tasker_named_task_revisions WHERE named_task_id = ?1 ORDER BY id DESC LIMIT 1";

const INSERT_NAMESPACE: &str = "INSERT INTO tasker_task_namespaces (name) VALUES (?1) ON CONFLICT (name) DO NOTHING";

const INSERT: &str = "
    INSERT INTO tasker_named_tasks (namespace_id, name, version, fixed, created_at)
    SELECT id, ?2, ?3, ?4, ?5 FROM tasker_task_namespaces WHERE name = ?1
    ON CONFLICT (namespace_id, name, version) DO NOTHING
    RETURNING id";

const INSERT_STEP: &str = "INSERT INTO tasker_named_steps (named_task_id, idx, name) VALUES (?1, ?2, ?3)";

const INSERT_EDGE: &str = "
    INSERT INTO tasker_named_step_edges (named_task_id, from_index, to_index) VALUES (?1, ?2, ?3)";

/// Dependents first: foreign keys are checked at the end of each statement.
const DELETIONS: [&str; 6] = [
    "DELETE FROM tasker_search_paths WHERE named_task_id = ?1",
    "DELETE FROM tasker_lanes WHERE named_task_id = ?1",
    "DELETE FROM tasker_named_task_revisions WHERE named_task_id = ?1",
    "DELETE FROM tasker_named_step_edges WHERE named_task_id = ?1",
    "DELETE FROM tasker_named_steps WHERE named_task_id = ?1",
    "DELETE FROM tasker_named_tasks WHERE id = ?1",
];

/// One that was never used is told at once. Of the others the tasks are read until one is found, which
/// only a registration has to wait for that changes what a version fixes.
const IS_USED: &str = "
    SELECT 1 FROM tasker_named_tasks
    WHERE id = ?1 AND used = 1 AND EXISTS (SELECT 1 FROM tasker_tasks WHERE named_task_id = ?1)";

const EXISTS: &str = "SELECT 1 FROM tasker_named_tasks WHERE id = ?1";

const INSERT_REVISION: &str = "
    INSERT INTO tasker_named_task_revisions (named_task_id, template, created_at) VALUES (?1, ?2, ?3) RETURNING id";

const REVISION: &str = "SELECT id, named_task_id, template FROM tasker_named_task_revisions WHERE id = ?1";

const VERSIONS: &str = "
    SELECT t.id, t.version, max(r.id)
    FROM tasker_task_namespaces n
    JOIN tasker_named_tasks t ON t.namespace_id = n.id
    JOIN tasker_named_task_revisions r ON r.named_task_id = t.id
    WHERE n.name = ?1 AND t.name = ?2
    GROUP BY t.id
    ORDER BY t.id";

const NAMES: &str = "
    SELECT DISTINCT n.name, t.name
    FROM tasker_named_tasks t
    JOIN tasker_task_namespaces n ON n.id = t.namespace_id
    ORDER BY n.name, t.name
    LIMIT 1000";

const FIND_LANE: &str = "SELECT id FROM tasker_lanes WHERE named_task_id = ?1 AND queue = ?2";

const INSERT_LANE: &str = "INSERT INTO tasker_lanes (named_task_id, queue) VALUES (?1, ?2) RETURNING id";

const LANES_OF: &str = "SELECT id, named_task_id, queue FROM tasker_lanes WHERE named_task_id = ?1 ORDER BY id";

pub(super) fn find(
    connection: &Connection,
    namespace: &str,
    name: &str,
    version: &str,
) -> Result<Option<NamedTaskRow>> {
    let found = connection
        .prepare_cached(FIND)?
        .query_row((namespace, name, version), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, fixed)) = found else { return Ok(None) };
    let latest =
        connection.prepare_cached(LATEST_REVISION)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(Some(NamedTaskRow { id, fixed, latest }))
}

pub(super) fn insert(connection: &Connection, new: &NewNamedTask, now: Timestamp) -> Result<NamedTaskId> {
    connection.prepare_cached(INSERT_NAMESPACE)?.execute([&new.namespace])?;
    let id: NamedTaskId = connection
        .prepare_cached(INSERT)?
        .query_row((&new.namespace, &new.name, &new.version, &new.fixed, now), |row| row.get(0))
        .optional()?
        .ok_or_else(|| {
            StoreError::Conflict(
                format!("the template {}/{} {} was stored meanwhile", new.namespace, new.name, new.version).into(),
            )
        })?;
    each(connection, INSERT_STEP, (0_u32..).zip(&new.steps), |(index, name)| (id, index, name))?;
    each(connection, INSERT_EDGE, &new.edges, |(from, to)| (id, *from, *to))?;
    Ok(id)
}

pub(super) fn delete(connection: &Connection, id: NamedTaskId) -> Result<()> {
    for statement in DELETIONS {
        connection.prepare_cached(statement)?.execute([id])?;
    }
    Ok(())
}

pub(super) fn is_used(connection: &Connection, id: NamedTaskId) -> Result<bool> {
    Ok(connection.prepare_cached(IS_USED)?.exists([id])?)
}

/// Whether all of them exist. One writer: none can go before this transaction ends.
pub(super) fn exist(connection: &Connection, ids: &BTreeSet<NamedTaskId>) -> Result<bool> {
    let mut statement = connection.prepare_cached(EXISTS)?;
    for id in ids {
        if !statement.exists([id])? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn insert_revision(
    connection: &Connection,
    id: NamedTaskId,
    template: &Json,
    now: Timestamp,
) -> Result<RevisionId> {
    Ok(connection.prepare_cached(INSERT_REVISION)?.query_row((id, template, now), |row| row.get(0))?)
}

pub(super) fn revisions(connection: &Connection, ids: &[RevisionId]) -> Result<Vec<RevisionRow>> {
    probe(
        connection,
        REVISION,
        ids,
        |id| [*id],
        |row| Ok(RevisionRow { id: row.get(0)?, named_task: row.get(1)?, template: row.get(2)? }),
    )
}

pub(super) fn versions(connection: &Connection, namespace: &str, name: &str) -> Result<Vec<VersionRow>> {
    all(connection, VERSIONS, (namespace, name), |row| {
        Ok(VersionRow { id: row.get(0)?, version: row.get(1)?, revision: row.get(2)? })
    })
}

pub(super) fn names(connection: &Connection) -> Result<Vec<(String, String)>> {
    all(connection, NAMES, (), |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn ensure_lanes(connection: &Connection, wanted: &[(NamedTaskId, String)]) -> Result<Vec<LaneId>> {
    let mut find = connection.prepare_cached(FIND_LANE)?;
    let mut insert = connection.prepare_cached(INSERT_LANE)?;
    let mut lanes = Vec::with_capacity(wanted.len());
    for (id, queue) in wanted {
        let lane = match find.query_row((id, queue), |row| row.get(0)).optional()? {
            Some(lane) => lane,
            None => insert.query_row((id, queue), |row| row.get(0))?,
        };
        lanes.push(lane);
    }
    Ok(lanes)
}

pub(super) fn lanes_of(connection: &Connection, ids: &[NamedTaskId]) -> Result<Vec<LaneRow>> {
    probe(
        connection,
        LANES_OF,
        ids,
        |id| [*id],
        |row| Ok(LaneRow { id: row.get(0)?, named_task: row.get(1)?, queue: row.get(2)? }),
    )
}

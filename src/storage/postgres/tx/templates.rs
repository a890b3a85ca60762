//! Template versions with their revisions, steps, edges and lanes.

use std::collections::{BTreeSet, HashMap};

use sqlx::postgres::PgRow;

use super::PostgresTx;
use crate::domain::id::{LaneId, NamedTaskId, RevisionId};
use crate::domain::json::Json;
use crate::storage::postgres::values::{get, json, stored_index};
use crate::storage::rows::{LaneRow, NamedTaskRow, NewNamedTask, RevisionRow, VersionRow};
use crate::storage::{Result, StoreError};

/// Probes of two unique indexes. FOR UPDATE waits for creators, who hold KEY SHARE, so that whoever
/// goes on to replace the version sees the tasks they made.
const LOCK: &str = "
    SELECT t.id, t.fixed::text
    FROM tasker_task_namespaces AS n
    JOIN tasker_named_tasks AS t ON t.namespace_id = n.id
    WHERE n.name = $1 AND t.name = $2 AND t.version = $3
    FOR UPDATE OF t";

/// A statement of its own, after the lock: another process may have registered while it waited.
const LATEST: &str = "
    SELECT id, template::text FROM tasker_named_task_revisions
    WHERE named_task_id = $1
    ORDER BY named_task_id DESC, id DESC LIMIT 1";

const NAMESPACE: &str = "SELECT id FROM tasker_task_namespaces WHERE name = $1";

const INSERT_NAMESPACE: &str = "INSERT INTO tasker_task_namespaces (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";

const INSERT: &str = "
    INSERT INTO tasker_named_tasks (namespace_id, name, version, fixed, created_at)
    VALUES ($1, $2, $3, $4::text::json, $5)
    ON CONFLICT (namespace_id, name, version) DO NOTHING
    RETURNING id";

const INSERT_STEPS: &str = "
    INSERT INTO tasker_named_steps (named_task_id, idx, name)
    SELECT $1, generate_subscripts($2, 1) - 1, unnest($2::text[])";

const INSERT_EDGES: &str = "
    INSERT INTO tasker_named_step_edges (named_task_id, from_index, to_index)
    SELECT $1, e.parent, e.child FROM (SELECT unnest($2::int[]) AS parent, unnest($3::int[]) AS child) AS e";

/// Takes revisions, lanes, steps and edges with it, by their foreign keys.
const DELETE: &str = "DELETE FROM tasker_named_tasks WHERE id = $1";

/// One probe of the index on (named_task_id, id).
const IS_USED: &str = "SELECT EXISTS (SELECT FROM tasker_tasks WHERE named_task_id = $1)";

const INSERT_REVISION: &str = "
    INSERT INTO tasker_named_task_revisions (named_task_id, template, created_at)
    VALUES ($1, $2::text::json, $3)
    RETURNING id";

/// Probes of the primary key.
const REVISIONS: &str = "
    SELECT id, named_task_id, template::text FROM tasker_named_task_revisions WHERE id = ANY ($1)";

/// One probe for the name, one for each version's latest revision.
const VERSIONS: &str = "
    SELECT t.id, t.version, latest.id
    FROM tasker_task_namespaces AS n
    JOIN tasker_named_tasks AS t ON t.namespace_id = n.id
    CROSS JOIN LATERAL (
        SELECT r.id FROM tasker_named_task_revisions AS r
        WHERE r.named_task_id = t.id
        ORDER BY r.named_task_id DESC, r.id DESC LIMIT 1
    ) AS latest
    WHERE n.name = $1 AND t.name = $2
    ORDER BY t.id";

const NAMES: &str = "
    SELECT DISTINCT n.name, t.name
    FROM tasker_named_tasks AS t
    JOIN tasker_task_namespaces AS n ON n.id = t.namespace_id
    ORDER BY 1, 2 LIMIT 1000";

/// Probes of the unique index on (named_task_id, queue).
const FIND_LANES: &str = "
    SELECT l.id, l.named_task_id, l.queue
    FROM (SELECT unnest($1::bigint[]) AS named_task_id, unnest($2::text[]) AS queue) AS w
    JOIN tasker_lanes AS l ON l.named_task_id = w.named_task_id AND l.queue = w.queue";

/// In key order, so that two processes that make the same lanes wait for one another in one order.
const INSERT_LANES: &str = "
    INSERT INTO tasker_lanes (named_task_id, queue)
    SELECT unnest($1::bigint[]), unnest($2::text[])
    ON CONFLICT (named_task_id, queue) DO NOTHING";

/// Probes of the unique index on (named_task_id, queue).
const LANES_OF: &str = "
    SELECT id, named_task_id, queue FROM tasker_lanes WHERE named_task_id = ANY ($1) ORDER BY id";

pub(super) async fn lock(
    tx: &mut PostgresTx<'_>,
    namespace: &str,
    name: &str,
    version: &str,
) -> Result<Option<NamedTaskRow>> {
    let found = tx.row(sqlx::query(LOCK).bind(namespace).bind(name).bind(version)).await?;
    let Some(found) = found else { return Ok(None) };
    let id: i64 = get(&found, 0)?;
    let latest = tx.row(sqlx::query(LATEST).bind(id)).await?;
    let latest = latest.map(|row| Ok::<_, StoreError>((RevisionId(get(&row, 0)?), json(&row, 1)?))).transpose()?;
    Ok(Some(NamedTaskRow { id: NamedTaskId(id), fixed: json(&found, 1)?, latest }))
}

pub(super) async fn insert(tx: &mut PostgresTx<'_>, new: &NewNamedTask) -> Result<NamedTaskId> {
    let now = tx.now_stored().await?;
    let namespace = namespace(tx, &new.namespace).await?;
    let version = sqlx::query(INSERT).bind(namespace).bind(new.name.as_str()).bind(new.version.as_str());
    let id: i64 = match tx.row(version.bind(new.fixed.as_str()).bind(now)).await? {
        Some(row) => get(&row, 0)?,
        None => return Err(StoreError::Conflict("the template version was stored by another process".into())),
    };
    tx.run(sqlx::query(INSERT_STEPS).bind(id).bind(new.steps.as_slice())).await?;
    if !new.edges.is_empty() {
        let edges = new.edges.iter().map(|(parent, child)| (stored_index(*parent), stored_index(*child)));
        let (parents, children): (Vec<i32>, Vec<i32>) = edges.unzip();
        tx.run(sqlx::query(INSERT_EDGES).bind(id).bind(parents).bind(children)).await?;
    }
    Ok(NamedTaskId(id))
}

/// The id of a namespace, made where missing.
async fn namespace(tx: &mut PostgresTx<'_>, name: &str) -> Result<i64> {
    if let Some(row) = tx.row(sqlx::query(NAMESPACE).bind(name)).await? {
        return get(&row, 0);
    }
    tx.run(sqlx::query(INSERT_NAMESPACE).bind(name)).await?;
    match tx.row(sqlx::query(NAMESPACE).bind(name)).await? {
        Some(row) => get(&row, 0),
        None => Err(StoreError::Conflict("the namespace was deleted by another process".into())),
    }
}

pub(super) async fn delete(tx: &mut PostgresTx<'_>, id: NamedTaskId) -> Result<()> {
    tx.run(sqlx::query(DELETE).bind(id.0)).await
}

pub(super) async fn is_used(tx: &mut PostgresTx<'_>, id: NamedTaskId) -> Result<bool> {
    let row = tx.row(sqlx::query(IS_USED).bind(id.0)).await?;
    row.map_or(Ok(false), |row| get(&row, 0))
}

pub(super) async fn insert_revision(tx: &mut PostgresTx<'_>, id: NamedTaskId, template: &Json) -> Result<RevisionId> {
    let now = tx.now_stored().await?;
    match tx.row(sqlx::query(INSERT_REVISION).bind(id.0).bind(template.as_str()).bind(now)).await? {
        Some(row) => get(&row, 0).map(RevisionId),
        None => Err(StoreError::Database("a revision was not stored".into())),
    }
}

pub(super) async fn revisions(tx: &mut PostgresTx<'_>, ids: &[RevisionId]) -> Result<Vec<RevisionRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows = tx.rows(sqlx::query(REVISIONS).bind(ids)).await?;
    let revision = |row: &PgRow| {
        Ok(RevisionRow { id: RevisionId(get(row, 0)?), named_task: NamedTaskId(get(row, 1)?), template: json(row, 2)? })
    };
    rows.iter().map(revision).collect()
}

pub(super) async fn versions(tx: &mut PostgresTx<'_>, namespace: &str, name: &str) -> Result<Vec<VersionRow>> {
    let rows = tx.rows(sqlx::query(VERSIONS).bind(namespace).bind(name)).await?;
    let version = |row: &PgRow| {
        Ok(VersionRow { id: NamedTaskId(get(row, 0)?), version: get(row, 1)?, revision: RevisionId(get(row, 2)?) })
    };
    rows.iter().map(version).collect()
}

pub(super) async fn names(tx: &mut PostgresTx<'_>) -> Result<Vec<(String, String)>> {
    let rows = tx.rows(sqlx::query(NAMES)).await?;
    rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
}

pub(super) async fn ensure_lanes(tx: &mut PostgresTx<'_>, wanted: &[(NamedTaskId, String)]) -> Result<Vec<LaneId>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    // A look first: an insert that does nothing would use up a number of the sequence.
    let mut found = find_lanes(tx, wanted).await?;
    let missing: BTreeSet<&(NamedTaskId, String)> = wanted.iter().filter(|key| !found.contains_key(*key)).collect();
    if !missing.is_empty() {
        let (ids, queues): (Vec<i64>, Vec<&str>) =
            missing.into_iter().map(|(id, queue)| (id.0, queue.as_str())).unzip();
        tx.run(sqlx::query(INSERT_LANES).bind(ids).bind(queues)).await?;
        found = find_lanes(tx, wanted).await?;
    }
    wanted.iter().map(|key| found.get(key).copied().ok_or(StoreError::TemplateGone)).collect()
}

async fn find_lanes(
    tx: &mut PostgresTx<'_>,
    wanted: &[(NamedTaskId, String)],
) -> Result<HashMap<(NamedTaskId, String), LaneId>> {
    let (ids, queues): (Vec<i64>, Vec<&str>) = wanted.iter().map(|(id, queue)| (id.0, queue.as_str())).unzip();
    let rows = tx.rows(sqlx::query(FIND_LANES).bind(ids).bind(queues)).await?;
    rows.iter().map(|row| lane(row).map(|lane| ((lane.named_task, lane.queue), lane.id))).collect()
}

pub(super) async fn lanes_of(tx: &mut PostgresTx<'_>, ids: &[NamedTaskId]) -> Result<Vec<LaneRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    tx.rows(sqlx::query(LANES_OF).bind(ids)).await?.iter().map(lane).collect()
}

fn lane(row: &PgRow) -> Result<LaneRow> {
    Ok(LaneRow { id: LaneId(get(row, 0)?), named_task: NamedTaskId(get(row, 1)?), queue: get(row, 2)? })
}

//! Tasks that go with everything that belongs to them.
//!
//! The order of the statements is that of the locks: own steps, then what is queued, then receipts,
//! then tasks. A step moves on through these from the first to the last, under its lock or that of
//! the row it leaves, so what one statement waited for, the next one sees.

use uuid::Uuid;

use super::PostgresTx;
use crate::domain::id::TaskId;
use crate::domain::time::Timestamp;
use crate::storage::Result;
use crate::storage::postgres::values::{id_array, instant, instant_option, limit, task_id, timestamp};

/// Walks the primary key of each task's steps. Whoever settles one of them was there first, or finds
/// none.
const LOCK_STEPS: &str = "
    SELECT FROM tasker_workflow_steps WHERE task_id = ANY ($1) ORDER BY task_id, idx FOR UPDATE";

/// Probes an index. Before the ready rows, as timers become those.
const DELETE_TIMERS: &str = "DELETE FROM tasker_timers WHERE task_id = ANY ($1)";

/// Reads the table. Before the receipts: a claim that has the row is waited for, and its receipt seen next.
const DELETE_READY: &str = "DELETE FROM tasker_ready WHERE task_id = ANY ($1)";

/// Reads all receipts: there is one for each batch that is being worked on.
const LOCK_RECEIPTS: &str = "SELECT id FROM tasker_receipts WHERE task_ids && $1 ORDER BY id FOR UPDATE";

/// What is left of a receipt, its arrays side by side. One with nothing left keeps its row for
/// [`DELETE_RECEIPTS`].
const SHRINK_RECEIPTS: &str = "
    UPDATE tasker_receipts AS r
    SET lanes = coalesce(left_over.lanes, '{}'), task_ids = coalesce(left_over.task_ids, '{}'),
        idxs = coalesce(left_over.idxs, '{}'), tokens = coalesce(left_over.tokens, '{}'),
        attempts = coalesce(left_over.attempts, '{}'), step_lanes = coalesce(left_over.step_lanes, '{}'),
        ranks = coalesce(left_over.ranks, '{}'), states = coalesce(left_over.states, '{}')
    FROM tasker_receipts AS whole
    CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT h.step_lane) AS lanes, array_agg(h.task_id ORDER BY h.place) AS task_ids,
            array_agg(h.idx ORDER BY h.place) AS idxs, array_agg(h.token ORDER BY h.place) AS tokens,
            array_agg(h.attempt ORDER BY h.place) AS attempts, array_agg(h.step_lane ORDER BY h.place) AS step_lanes,
            array_agg(h.rank ORDER BY h.place) AS ranks, array_agg(h.state ORDER BY h.place) AS states
        FROM unnest(whole.task_ids, whole.idxs, whole.tokens, whole.attempts, whole.step_lanes, whole.ranks,
                    whole.states) WITH ORDINALITY
            AS h (task_id, idx, token, attempt, step_lane, rank, state, place)
        WHERE h.task_id <> ALL ($1)
    ) AS left_over
    WHERE whole.id = r.id AND r.task_ids && $1";

const DELETE_RECEIPTS: &str = "DELETE FROM tasker_receipts WHERE task_ids = '{}'";

/// Walks the index of ended tasks, from where the last look ended: rows that were deleted before it
/// and are not vacuumed yet are not walked again.
const ENDED_BETWEEN: &str = "
    SELECT id, finished_at FROM tasker_tasks
    WHERE finished_at >= coalesce($1, '-infinity') AND finished_at < $2
      AND state IN ('complete', 'error', 'cancelled', 'resolved_manually')
    ORDER BY finished_at LIMIT $3";

/// Probes of the primary key. Somebody may have restarted one of them since they were found.
const LOCK_ENDED: &str = "
    SELECT id FROM tasker_tasks
    WHERE id = ANY ($1) AND finished_at < $2 AND state IN ('complete', 'error', 'cancelled', 'resolved_manually')
    ORDER BY id FOR UPDATE";

/// Probes of the primary key.
const LOCK_TASKS: &str = "SELECT FROM tasker_tasks WHERE id = ANY ($1) ORDER BY id FOR UPDATE";

/// A probe of the primary key for each task that has a key.
const DELETE_KEYS: &str = "
    DELETE FROM tasker_task_keys AS k
    USING tasker_tasks AS t, tasker_named_tasks AS d, tasker_task_namespaces AS n
    WHERE t.id = ANY ($1) AND d.id = t.named_task_id AND n.id = d.namespace_id
      AND k.namespace = n.name AND k.name = d.name AND k.key = t.key AND k.task_id = t.id";

/// Every table that has rows of a task, the task's own last. Each walks its primary key, which the task
/// leads, or an index that it leads.
const DELETIONS: [&str; 9] = [
    "DELETE FROM tasker_workflow_step_items WHERE task_id = ANY ($1)",
    "DELETE FROM tasker_task_terms WHERE task_id = ANY ($1)",
    "DELETE FROM tasker_task_annotations WHERE task_id = ANY ($1)",
    "DELETE FROM tasker_parked WHERE task_id = ANY ($1)",
    "DELETE FROM tasker_slots WHERE task_id = ANY ($1)",
    "DELETE FROM tasker_workflow_step_transitions WHERE task_id = ANY ($1)",
    "DELETE FROM tasker_task_transitions WHERE task_id = ANY ($1)",
    "DELETE FROM tasker_workflow_steps WHERE task_id = ANY ($1)",
    "DELETE FROM tasker_tasks WHERE id = ANY ($1)",
];

pub(super) async fn delete_tasks(tx: &mut PostgresTx<'_>, ids: &[TaskId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids = id_array(ids);
    for statement in [LOCK_STEPS, DELETE_TIMERS, DELETE_READY, LOCK_RECEIPTS, SHRINK_RECEIPTS] {
        tx.run(sqlx::query(statement).bind(ids.clone())).await?;
    }
    tx.run(sqlx::query(DELETE_RECEIPTS)).await?;
    tx.run(sqlx::query(LOCK_TASKS).bind(ids.clone())).await?;
    delete_rows(tx, ids).await
}

/// What belongs to tasks that nobody claims any more, and that are locked.
async fn delete_rows(tx: &mut PostgresTx<'_>, ids: Vec<Uuid>) -> Result<()> {
    for statement in std::iter::once(DELETE_KEYS).chain(DELETIONS) {
        tx.run(sqlx::query(statement).bind(ids.clone())).await?;
    }
    Ok(())
}

pub(super) async fn ended_between(
    tx: &mut PostgresTx<'_>,
    from: Option<Timestamp>,
    before: Timestamp,
    most: usize,
) -> Result<Vec<(TaskId, Timestamp)>> {
    let statement = sqlx::query(ENDED_BETWEEN).bind(instant_option(from)?).bind(instant(before)?).bind(limit(most));
    tx.rows(statement).await?.iter().map(|row| Ok((task_id(row, 0)?, timestamp(row, 1)?))).collect()
}

pub(super) async fn purge_tasks(tx: &mut PostgresTx<'_>, ids: &[TaskId], before: Timestamp) -> Result<usize> {
    if ids.is_empty() {
        return Ok(0);
    }
    let ids = id_array(ids);
    tx.run(sqlx::query(LOCK_STEPS).bind(ids.clone())).await?;
    let ended = tx.rows(sqlx::query(LOCK_ENDED).bind(ids).bind(instant(before)?)).await?;
    let ended: Vec<Uuid> = ended.iter().map(|row| task_id(row, 0).map(|id| id.0)).collect::<Result<_>>()?;
    tx.run(sqlx::query(DELETE_TIMERS).bind(ended.clone())).await?;
    delete_rows(tx, ended.clone()).await?;
    Ok(ended.len())
}

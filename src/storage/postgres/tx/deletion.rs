//! Tasks that go with everything that belongs to them.
//!
//! The order of the statements is that of the locks: own steps, then what is queued, then receipts,
//! then tasks. A step moves on through these from the first to the last, under its lock or that of
//! the row it leaves, so what one statement waited for, the next one sees.

use super::PostgresTx;
use crate::domain::id::TaskId;
use crate::storage::Result;
use crate::storage::postgres::values::id_array;

/// Walks the primary key of each task's steps. Whoever settles one of them was there first, or finds
/// none.
const LOCK_STEPS: &str = "
    SELECT FROM tasker_workflow_steps WHERE task_id = ANY ($1) ORDER BY task_id, idx FOR UPDATE";

/// Reads the table: its key does not begin with the task. Before the ready rows, as timers become those.
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

/// Probes of the primary key.
const LOCK_TASKS: &str = "SELECT FROM tasker_tasks WHERE id = ANY ($1) ORDER BY id FOR UPDATE";

/// A probe of the primary key for each task that has a key.
const DELETE_KEYS: &str = "
    DELETE FROM tasker_task_keys AS k
    USING tasker_tasks AS t, tasker_named_tasks AS d, tasker_task_namespaces AS n
    WHERE t.id = ANY ($1) AND d.id = t.named_task_id AND n.id = d.namespace_id
      AND k.namespace = n.name AND k.name = d.name AND k.key = t.key AND k.task_id = t.id";

/// Each walks its primary key, which the task leads.
const DELETIONS: [&str; 4] = [
    "DELETE FROM tasker_workflow_step_transitions WHERE task_id = ANY ($1)",
    "DELETE FROM tasker_task_transitions WHERE task_id = ANY ($1)",
    "DELETE FROM tasker_workflow_steps WHERE task_id = ANY ($1)",
    "DELETE FROM tasker_tasks WHERE id = ANY ($1)",
];

pub(super) async fn delete_tasks(tx: &mut PostgresTx, ids: &[TaskId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids = id_array(ids);
    for statement in [LOCK_STEPS, DELETE_TIMERS, DELETE_READY, LOCK_RECEIPTS, SHRINK_RECEIPTS] {
        tx.run(sqlx::query(statement).bind(ids.clone())).await?;
    }
    tx.run(sqlx::query(DELETE_RECEIPTS)).await?;
    for statement in [LOCK_TASKS, DELETE_KEYS].into_iter().chain(DELETIONS) {
        tx.run(sqlx::query(statement).bind(ids.clone())).await?;
    }
    Ok(())
}

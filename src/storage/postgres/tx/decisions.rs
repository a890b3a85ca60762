//! What decisions choose, and the steps that they skip.

use super::PostgresTx;
use super::settlement::held_step;
use crate::domain::id::{StepIndex, StepKey};
use crate::domain::state::StepState;
use crate::storage::Result;
use crate::storage::postgres::values::{key_arrays, step_key, stored_index};
use crate::storage::rows::HeldStep;

/// A probe of the primary key for each, locked in key order. A step that waits for nothing is not
/// locked: whoever holds it, or may, waits for nobody's children.
const LOCK_BLOCKED: &str = "
    SELECT s.task_id, s.idx, s.state::text, s.token, s.attempts, s.crashes
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS w
    JOIN tasker_workflow_steps AS s ON s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx
    WHERE s.state = 'pending' AND s.waiting > 0
    ORDER BY w.task_id, w.idx
    FOR NO KEY UPDATE OF s";

/// A probe of the primary key for each.
const BYPASSED: &str = "
    SELECT s.task_id, s.idx
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS w
    JOIN tasker_workflow_steps AS s ON s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx
    WHERE s.bypassed";

/// A probe of the primary key for each; they are locked. HOT.
const BYPASS: &str = "
    UPDATE tasker_workflow_steps AS s
    SET state = $3::tasker_step_state, token = s.token + 1, waiting = 0, bypassed = true, finished_at = $4
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS w
    WHERE s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx";

/// A probe of the primary key for each; they are locked. HOT. Routes come as array literals, since an
/// array of arrays must not be ragged.
const KEEP_ROUTES: &str = "
    UPDATE tasker_workflow_steps AS s
    SET route = w.route::int[]
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx, unnest($3::text[]) AS route) AS w
    WHERE s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx";

pub(super) async fn lock_blocked(tx: &mut PostgresTx<'_>, keys: &[StepKey]) -> Result<Vec<HeldStep>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (tasks, idxs) = key_arrays(keys);
    tx.rows(sqlx::query(LOCK_BLOCKED).bind(tasks).bind(idxs)).await?.iter().map(held_step).collect()
}

pub(super) async fn bypassed(tx: &mut PostgresTx<'_>, keys: &[StepKey]) -> Result<Vec<StepKey>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (tasks, idxs) = key_arrays(keys);
    tx.rows(sqlx::query(BYPASSED).bind(tasks).bind(idxs)).await?.iter().map(|row| step_key(row, 0)).collect()
}

pub(super) async fn bypass_steps(tx: &mut PostgresTx<'_>, keys: &[StepKey], to: StepState) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let now = tx.now_stored().await?;
    let (tasks, idxs) = key_arrays(keys);
    tx.run(sqlx::query(BYPASS).bind(tasks).bind(idxs).bind(to.as_str()).bind(now)).await
}

pub(super) async fn keep_routes(tx: &mut PostgresTx<'_>, rows: &[(StepKey, Vec<StepIndex>)]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let literal = |route: &[StepIndex]| {
        let indexes: Vec<String> = route.iter().map(ToString::to_string).collect();
        format!("{{{}}}", indexes.join(","))
    };
    let statement = sqlx::query(KEEP_ROUTES)
        .bind(rows.iter().map(|(key, _)| key.task.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|(key, _)| stored_index(key.index)).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, route)| literal(route)).collect::<Vec<_>>());
    tx.run(statement).await
}

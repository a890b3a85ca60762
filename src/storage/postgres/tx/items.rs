//! Steps that are made while a task runs: one for each item of a list.

use sqlx::postgres::PgRow;

use super::PostgresTx;
use super::queue::values;
use crate::domain::id::StepKey;
use crate::domain::json::Json;
use crate::storage::Result;
use crate::storage::postgres::values::{count, get, index, key_arrays, step_key, step_state, stored_index};
use crate::storage::rows::{ExpandedStep, LastTransition, NewItems};

const INSERT_STEPS: &str = "
    INSERT INTO tasker_workflow_steps (task_id, idx, state, token, waiting)
    SELECT n.task_id, n.idx, 'pending', n.token, n.waiting
    FROM (
        SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx, unnest($3::int[]) AS token,
            unnest($4::int[]) AS waiting
    ) AS n";

const INSERT_ITEMS: &str = "
    INSERT INTO tasker_workflow_step_items (task_id, idx, group_idx, position, item)
    SELECT n.task_id, n.idx, n.group_idx, n.position, n.item::json
    FROM (
        SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx, unnest($3::int[]) AS group_idx,
            unnest($4::int[]) AS position, unnest($5::text[]) AS item
    ) AS n";

/// A probe of the primary key for each; they are locked. HOT.
const WAIT_FOR_ITEMS: &str = "
    UPDATE tasker_workflow_steps AS s
    SET items = w.items, waiting = s.waiting + w.items
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx, unnest($3::int[]) AS items) AS w
    WHERE s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx";

/// A probe of the primary key for each.
const EXPANDED: &str = "
    SELECT s.task_id, s.idx, s.items, s.attempts
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS w
    JOIN tasker_workflow_steps AS s ON s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx
    WHERE s.items IS NOT NULL";

/// A probe of the primary key for each.
const ITEMS: &str = "
    SELECT i.task_id, i.idx, i.item::text
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS w
    JOIN tasker_workflow_step_items AS i ON i.task_id = ANY (ARRAY [w.task_id]) AND i.idx = w.idx";

/// The end of a range of the primary key for each.
const LAST_TRANSITIONS: &str = "
    SELECT w.task_id, w.idx, last.seq, last.to_state::text
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS w
    CROSS JOIN LATERAL (
        SELECT t.seq, t.to_state FROM tasker_workflow_step_transitions AS t
        WHERE t.task_id = w.task_id AND t.idx = w.idx
        ORDER BY t.task_id DESC, t.idx DESC, t.seq DESC LIMIT 1
    ) AS last";

/// Walks the items of each group's task, and probes the primary key for each; the steps are locked.
const DELETE_ITEMS: &str = "
    WITH gone AS MATERIALIZED (
        DELETE FROM tasker_workflow_step_items AS i
        USING (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS g
        WHERE i.task_id = ANY (ARRAY [g.task_id]) AND i.group_idx = g.idx
        RETURNING i.task_id, i.idx
    )
    DELETE FROM tasker_workflow_steps AS s
    USING gone
    WHERE s.task_id = ANY (ARRAY [gone.task_id]) AND s.idx = gone.idx";

/// A probe of the primary key for each; they are locked. HOT.
const FORGET_LISTS: &str = "
    UPDATE tasker_workflow_steps AS s
    SET items = NULL
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS g
    WHERE s.task_id = ANY (ARRAY [g.task_id]) AND s.idx = g.idx";

pub(super) async fn remove_items(tx: &mut PostgresTx<'_>, groups: &[StepKey]) -> Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let (tasks, idxs) = key_arrays(groups);
    tx.run(sqlx::query(DELETE_ITEMS).bind(tasks.clone()).bind(idxs.clone())).await?;
    tx.run(sqlx::query(FORGET_LISTS).bind(tasks).bind(idxs)).await
}

pub(super) async fn insert_items(tx: &mut PostgresTx<'_>, rows: &[NewItems]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let count = rows.iter().map(|row| row.items.len()).sum();
    let (mut tasks, mut idxs) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut tokens, mut waiting) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut groups, mut positions, mut items) =
        (Vec::with_capacity(count), Vec::with_capacity(count), Vec::with_capacity(count));
    for row in rows {
        for (key, position, item, token) in row.steps() {
            tasks.push(key.task.0);
            idxs.push(stored_index(key.index));
            tokens.push(token.0);
            waiting.push(row.waiting);
            groups.push(stored_index(row.group.index));
            positions.push(stored_index(position));
            items.push(item.as_str());
        }
    }
    tx.run(sqlx::query(INSERT_STEPS).bind(tasks.clone()).bind(idxs.clone()).bind(tokens).bind(waiting)).await?;
    tx.run(sqlx::query(INSERT_ITEMS).bind(tasks).bind(idxs).bind(groups).bind(positions).bind(items)).await?;
    let statement = sqlx::query(WAIT_FOR_ITEMS)
        .bind(rows.iter().map(|row| row.group.task.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| stored_index(row.group.index)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| i32::try_from(row.items.len()).unwrap_or(i32::MAX)).collect::<Vec<_>>());
    tx.run(statement).await
}

pub(super) async fn expanded(tx: &mut PostgresTx<'_>, keys: &[StepKey]) -> Result<Vec<ExpandedStep>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (tasks, idxs) = key_arrays(keys);
    let rows = tx.rows(sqlx::query(EXPANDED).bind(tasks).bind(idxs)).await?;
    let expanded = |row: &PgRow| {
        Ok(ExpandedStep { key: step_key(row, 0)?, items: index(get(row, 2)?), attempts: count(get(row, 3)?) })
    };
    rows.iter().map(expanded).collect()
}

pub(super) async fn items(tx: &mut PostgresTx<'_>, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
    values(tx, ITEMS, keys).await
}

pub(super) async fn last_transitions(tx: &mut PostgresTx<'_>, keys: &[StepKey]) -> Result<Vec<LastTransition>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (tasks, idxs) = key_arrays(keys);
    let rows = tx.rows(sqlx::query(LAST_TRANSITIONS).bind(tasks).bind(idxs)).await?;
    let last = |row: &PgRow| Ok(LastTransition { key: step_key(row, 0)?, seq: get(row, 2)?, to: step_state(row, 3)? });
    rows.iter().map(last).collect()
}

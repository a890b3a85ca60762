//! How many attempts of steps with a limit run, and which steps wait for that.
//!
//! A key's lock is a row. Whoever holds it has seen every slot and every parked step of the key: those
//! that were put before it was locked are committed, and none is put by anybody else until it is free.

use sqlx::postgres::PgRow;

use super::PostgresTx;
use crate::domain::id::StepKey;
use crate::domain::json::Json;
use crate::domain::limit::LimitKey;
use crate::storage::Result;
use crate::storage::postgres::values::{ReadyArrays, get, json, key_arrays, limit, ready_row, step_key, stored_index};
use crate::storage::rows::{Parked, ReadyRow, Slot};

/// A probe of the primary key for each. One after the other in the order of the keys' bytes, in which all lock, each
/// row is made or, where it is there, locked: whoever waits for a key has none behind it. The update is never
/// carried out; that its condition fails leaves the lock.
const LOCK: &str = "
    INSERT INTO tasker_limit_locks AS l (key)
    SELECT w.key FROM (SELECT unnest($1::text[]) AS key) AS w ORDER BY w.key COLLATE \"C\"
    ON CONFLICT (key) DO UPDATE SET key = excluded.key WHERE false";

const FORGET: &str = "DELETE FROM tasker_limit_locks WHERE key = ANY ($1)";

/// Reads the table, which has few rows beside those of keys that are in use: of attempts that were ended by hand, and
/// whose keys nobody used again. What somebody has, or waits for, is left alone.
const FORGET_UNUSED: &str = "
    WITH unused AS MATERIALIZED (
        SELECT l.key FROM tasker_limit_locks AS l
        WHERE NOT EXISTS (SELECT FROM tasker_slots AS s WHERE s.key = l.key)
        ORDER BY l.key
        LIMIT $1
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM tasker_limit_locks AS l USING unused WHERE l.key = unused.key
    RETURNING 1";

/// Walks the index for each key, and probes the steps. A slot counts while its step has its token. One that is being
/// taken anew, under another key, is not deleted, nor waited for, since its taker may wait for others that are; nor is
/// one that was: token and key are tested again under its lock.
const COUNT: &str = "
    WITH found AS MATERIALIZED (
        SELECT l.key, l.task_id, l.idx, l.token, EXISTS (
            SELECT FROM tasker_workflow_steps AS s
            WHERE s.task_id = l.task_id AND s.idx = l.idx AND s.token = l.token
              AND s.state IN ('pending', 'waiting_for_retry')) AS taken
        FROM tasker_slots AS l WHERE l.key = ANY ($1)
    ), stale AS MATERIALIZED (
        SELECT l.task_id, l.idx
        FROM found AS f
        JOIN tasker_slots AS l ON l.task_id = f.task_id AND l.idx = f.idx AND l.token = f.token AND l.key = f.key
        WHERE NOT f.taken
        FOR UPDATE OF l SKIP LOCKED
    ), gone AS (
        DELETE FROM tasker_slots AS l USING stale AS s WHERE l.task_id = s.task_id AND l.idx = s.idx
    )
    SELECT key, count(*) FROM found WHERE taken GROUP BY key";

/// One of an earlier token may be left.
const TAKE: &str = "
    INSERT INTO tasker_slots (task_id, idx, token, key)
    SELECT unnest($1::uuid[]), unnest($2::int[]), unnest($3::int[]), unnest($4::text[])
    ON CONFLICT (task_id, idx) DO UPDATE SET token = excluded.token, key = excluded.key";

const PARK: &str = "
    INSERT INTO tasker_parked (lane, rank, task_id, idx, token, attempts, state, key, running)
    SELECT r.lane, r.rank, r.task_id, r.idx, r.token, r.attempts, r.state::tasker_step_state, r.key, r.running
    FROM (
        SELECT unnest($1::int[]) AS lane, unnest($2::int[]) AS rank, unnest($3::uuid[]) AS task_id,
            unnest($4::int[]) AS idx, unnest($5::int[]) AS token, unnest($6::smallint[]) AS attempts,
            unnest($7::text[]) AS state, unnest($8::text[]) AS key, unnest($9::int[]) AS running
    ) AS r
    ON CONFLICT (task_id, idx) DO UPDATE
    SET lane = excluded.lane, rank = excluded.rank, token = excluded.token, attempts = excluded.attempts,
        state = excluded.state, key = excluded.key, running = excluded.running";

/// Walks the index of each key. The step's lock keeps operations by hand out, which take it first and
/// then what is queued; one that has it already will delete the row.
const UNPARK: &str = "
    WITH first AS MATERIALIZED (
        SELECT best.*
        FROM (SELECT unnest($1::text[]) AS key, unnest($2::bigint[]) AS most) AS w
        CROSS JOIN LATERAL (
            SELECT p.task_id, p.idx,
                s.token = p.token AND s.waiting = 0 AND s.state IN ('pending', 'waiting_for_retry') AS as_it_was
            FROM tasker_parked AS p
            JOIN tasker_workflow_steps AS s ON s.task_id = p.task_id AND s.idx = p.idx
            WHERE p.key = w.key
            ORDER BY p.key, p.rank, p.task_id, p.idx
            LIMIT w.most
            FOR NO KEY UPDATE OF s SKIP LOCKED
        ) AS best
    )
    DELETE FROM tasker_parked AS p USING first
    WHERE p.task_id = ANY (ARRAY [first.task_id]) AND p.idx = first.idx
    RETURNING p.lane, p.rank, p.task_id, p.idx, p.token, p.attempts, p.state::text, first.as_it_was, p.key";

/// Reads what is parked, which is little where limits are rarely reached, and counts for each key.
const OPEN: &str = "
    SELECT key, free FROM (
        SELECT p.key, max(p.running) - (
            SELECT count(*) FROM tasker_slots AS l
            JOIN tasker_workflow_steps AS s ON s.task_id = l.task_id AND s.idx = l.idx AND s.token = l.token
            WHERE l.key = p.key AND s.state IN ('pending', 'waiting_for_retry')) AS free
        FROM tasker_parked AS p GROUP BY p.key
    ) AS keys
    WHERE free > 0 LIMIT $1";

/// A probe of the primary key for each.
const MADE: &str = "
    SELECT s.task_id, s.idx, s.limit_key::text
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS w
    JOIN tasker_workflow_steps AS s ON s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx
    WHERE s.limit_key IS NOT NULL";

/// A probe of the primary key for each, whose lock the transaction has. HOT.
const KEEP_MADE: &str = "
    UPDATE tasker_workflow_steps AS s SET limit_key = m.made::json
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx, unnest($3::text[]) AS made) AS m
    WHERE s.task_id = ANY (ARRAY [m.task_id]) AND s.idx = m.idx";

pub(super) async fn made(tx: &mut PostgresTx<'_>, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (tasks, idxs) = key_arrays(keys);
    let rows = tx.rows(sqlx::query(MADE).bind(tasks).bind(idxs)).await?;
    rows.iter().map(|row| Ok((step_key(row, 0)?, json(row, 2)?))).collect()
}

pub(super) async fn keep_made(tx: &mut PostgresTx<'_>, rows: &[(StepKey, Json)]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(KEEP_MADE)
        .bind(rows.iter().map(|(key, _)| key.task.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|(key, _)| stored_index(key.index)).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, made)| made.as_str()).collect::<Vec<_>>());
    tx.run(statement).await
}

pub(super) async fn lock(tx: &mut PostgresTx<'_>, keys: &[LimitKey]) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    tx.run(sqlx::query(LOCK).bind(texts(keys))).await
}

pub(super) async fn forget(tx: &mut PostgresTx<'_>, keys: &[LimitKey]) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    tx.run(sqlx::query(FORGET).bind(texts(keys))).await
}

pub(super) async fn forget_unused(tx: &mut PostgresTx<'_>, most: usize) -> Result<bool> {
    Ok(tx.rows(sqlx::query(FORGET_UNUSED).bind(limit(most))).await?.len() == most)
}

pub(super) async fn count(tx: &mut PostgresTx<'_>, keys: &[LimitKey]) -> Result<Vec<(LimitKey, usize)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx.rows(sqlx::query(COUNT).bind(texts(keys))).await?;
    rows.iter().map(counted).collect()
}

pub(super) async fn take(tx: &mut PostgresTx<'_>, slots: &[Slot]) -> Result<()> {
    if slots.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(TAKE)
        .bind(slots.iter().map(|slot| slot.step.task.0).collect::<Vec<_>>())
        .bind(slots.iter().map(|slot| stored_index(slot.step.index)).collect::<Vec<_>>())
        .bind(slots.iter().map(|slot| slot.token.0).collect::<Vec<_>>())
        .bind(slots.iter().map(|slot| slot.key.0.clone()).collect::<Vec<_>>());
    tx.run(statement).await
}

pub(super) async fn park(tx: &mut PostgresTx<'_>, rows: &[Parked]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let ready: ReadyArrays = rows.iter().map(|row| &row.ready).collect();
    let statement = sqlx::query(PARK).bind(ready.lanes).bind(ready.ranks).bind(ready.tasks).bind(ready.idxs);
    let statement = statement
        .bind(ready.tokens)
        .bind(ready.attempts)
        .bind(ready.states)
        .bind(rows.iter().map(|row| row.key.0.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| i32::try_from(row.running).unwrap_or(i32::MAX)).collect::<Vec<_>>());
    tx.run(statement).await
}

pub(super) async fn unpark(tx: &mut PostgresTx<'_>, keys: &[(LimitKey, usize)]) -> Result<Vec<(LimitKey, ReadyRow)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let statement = sqlx::query(UNPARK)
        .bind(keys.iter().map(|(key, _)| key.0.clone()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, most)| limit(*most)).collect::<Vec<_>>());
    let mut ready = Vec::new();
    for row in tx.rows(statement).await? {
        if get(&row, 7)? {
            ready.push((LimitKey(get(&row, 8)?), ready_row(&row)?));
        }
    }
    Ok(ready)
}

pub(super) async fn open(tx: &mut PostgresTx<'_>, most: usize) -> Result<Vec<(LimitKey, usize)>> {
    let rows = tx.rows(sqlx::query(OPEN).bind(limit(most))).await?;
    rows.iter().map(counted).collect()
}

fn counted(row: &PgRow) -> Result<(LimitKey, usize)> {
    Ok((LimitKey(get(row, 0)?), usize::try_from(get::<i64>(row, 1)?).unwrap_or(0)))
}

fn texts(keys: &[LimitKey]) -> Vec<String> {
    keys.iter().map(|key| key.0.clone()).collect()
}

//! Sessions, and the receipts that say what they hold.
//!
//! A session's row is locked in three strengths that fit together: whoever works under it takes KEY
//! SHARE, which any number of its transactions share and which a renewal (a plain update) does not
//! wait for; the sweep, the deletion and whoever looks for what an earlier transaction left take FOR UPDATE,
//! which excludes the holders.

use std::time::Duration;

use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{PostgresTx, Statement};
use crate::domain::id::{LaneId, ReceiptId, SessionId, SessionKey, StepKey, TaskId, Token};
use crate::domain::time::Timestamp;
use crate::storage::postgres::values::{ReadyArrays, count, get, index, limit, priority, step_state_named, timestamp};
use crate::storage::rows::{NewReceipt, ReadyRow, Receipt};
use crate::storage::{Result, StoreError};

/// Opened twice when the answer to the first commit was lost.
const OPEN: &str = "
    INSERT INTO tasker_sessions (id, opened_at, expires_at, label)
    SELECT $1, at, at + $4 * interval '1 microsecond', $5
    FROM (SELECT coalesce($2, clock_timestamp() + $3 * interval '1 microsecond')) AS clock (at)
    ON CONFLICT (id) DO NOTHING";

/// One probe of the primary key; no indexed column changes, so the update is HOT.
const RENEW: &str = "
    UPDATE tasker_sessions
    SET expires_at = coalesce($3, clock_timestamp() + $4 * interval '1 microsecond') + $5 * interval '1 microsecond'
    WHERE id = $1 AND epoch = $2
    RETURNING 1";

/// One probe of the primary key. Waits for a sweep under way, then sees the epoch it wrote.
const HOLD: &str = "
    SELECT clock_timestamp() FROM tasker_sessions WHERE id = $1 AND epoch = $2 FOR KEY SHARE";

/// The same, without the receipts that are done: probes of the primary key.
const HOLD_WITHOUT: &str = "
    WITH held AS MATERIALIZED (
        SELECT clock_timestamp() AS clock FROM tasker_sessions WHERE id = $1 AND epoch = $2 FOR KEY SHARE
    ), gone AS (
        DELETE FROM tasker_receipts WHERE id = ANY ($3) AND EXISTS (SELECT FROM held)
    )
    SELECT clock FROM held";

/// As [`HOLD`], and waits for all who have it.
const HOLD_ALONE: &str = "
    SELECT clock_timestamp() FROM tasker_sessions WHERE id = $1 AND epoch = $2 FOR UPDATE";

/// Reads all sessions: there are as many as processes. Skips those whose holder is at work; what it
/// locks it has re-tested, so a session renewed in between stays alive. Those raised before are
/// found by their receipts; those that hold none go, as whoever raised them did not live to delete them.
/// They get no receipts any more, and all that they ever had were committed before they were raised.
const EXPIRE: &str = "
    WITH past AS MATERIALIZED (
        SELECT id FROM tasker_sessions
        WHERE epoch = 0 AND expires_at <= (SELECT coalesce($1, clock_timestamp() + $2 * interval '1 microsecond'))
        ORDER BY id
        FOR UPDATE SKIP LOCKED
    ), raised AS (
        UPDATE tasker_sessions AS s SET epoch = s.epoch + 1 FROM past WHERE s.id = past.id RETURNING s.id
    ), abandoned AS MATERIALIZED (
        SELECT s.id FROM tasker_sessions AS s
        WHERE s.epoch > 0 AND NOT EXISTS (SELECT FROM tasker_receipts AS r WHERE r.session_id = s.id)
        ORDER BY s.id
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM tasker_sessions AS s USING abandoned WHERE s.id = abandoned.id
    )
    SELECT id FROM raised
    UNION ALL
    SELECT s.id FROM tasker_sessions AS s
    WHERE s.epoch > 0 AND EXISTS (SELECT FROM tasker_receipts AS r WHERE r.session_id = s.id)";

/// Shuts out holders, whose receipts the next statement then sees.
const LOCK: &str = "SELECT 1 FROM tasker_sessions WHERE id = $1 FOR UPDATE";

const DELETE: &str = "
    DELETE FROM tasker_sessions
    WHERE id = $1 AND NOT EXISTS (SELECT FROM tasker_receipts WHERE session_id = $1)";

const LIVE: &str = "
    SELECT count(*) FROM tasker_sessions
    WHERE epoch = 0 AND expires_at > (SELECT coalesce($1, clock_timestamp() + $2 * interval '1 microsecond'))";

/// Gives the clock: what is claimed was claimed after everything that this transaction waited for.
const PUT_RECEIPT: &str = "
    INSERT INTO tasker_receipts
        (id, session_id, lanes, step_lanes, ranks, task_ids, idxs, tokens, attempts, states, claimed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text[]::tasker_step_state[],
        clock_timestamp() + $11 * interval '1 microsecond')
    RETURNING claimed_at";

/// One probe of the primary key.
const FIND_RECEIPT: &str = "
    SELECT id, session_id, claimed_at, step_lanes, ranks, task_ids, idxs, tokens, attempts, states::text[]
    FROM tasker_receipts WHERE id = $1";

/// Walks the index on (session, id), so the oldest come first; their ids are in order of time.
const RECEIPTS_OF: &str = "
    SELECT id, session_id, claimed_at, step_lanes, ranks, task_ids, idxs, tokens, attempts, states::text[]
    FROM tasker_receipts WHERE session_id = $1
    ORDER BY session_id, id LIMIT $2
    FOR UPDATE";

/// Probes of the primary key.
const DROP_RECEIPTS: &str = "DELETE FROM tasker_receipts WHERE id = ANY ($1)";

pub(super) async fn open(tx: &mut PostgresTx<'_>, session: SessionId, label: &str, ttl: Duration) -> Result<()> {
    let (now, offset) = tx.time()?;
    tx.run(sqlx::query(OPEN).bind(session.0).bind(now).bind(offset).bind(micros(ttl)).bind(label)).await
}

pub(super) async fn renew(tx: &mut PostgresTx<'_>, session: SessionKey, ttl: Duration) -> Result<bool> {
    let (now, offset) = tx.time()?;
    let renewal = sqlx::query(RENEW).bind(session.id.0).bind(session.epoch).bind(now).bind(offset).bind(micros(ttl));
    Ok(tx.row(renewal).await?.is_some())
}

pub(super) async fn hold(tx: &mut PostgresTx<'_>, session: SessionKey, done: &[ReceiptId]) -> Result<bool> {
    let statement = match done {
        [] => of_session(HOLD, session),
        done => of_session(HOLD_WITHOUT, session).bind(receipt_ids(done)),
    };
    hold_by(tx, statement).await
}

pub(super) async fn hold_alone(tx: &mut PostgresTx<'_>, session: SessionKey) -> Result<bool> {
    hold_by(tx, of_session(HOLD_ALONE, session)).await
}

fn of_session(sql: &'static str, session: SessionKey) -> Statement {
    sqlx::query(sql).bind(session.id.0).bind(session.epoch)
}

async fn hold_by(tx: &mut PostgresTx<'_>, statement: Statement) -> Result<bool> {
    let Some(row) = tx.row(statement).await? else {
        return Ok(false);
    };
    tx.saw_clock(get(&row, 0)?);
    Ok(true)
}

pub(super) async fn expire(tx: &mut PostgresTx<'_>) -> Result<Vec<SessionId>> {
    let (now, offset) = tx.time()?;
    let rows = tx.rows(sqlx::query(EXPIRE).bind(now).bind(offset)).await?;
    rows.iter().map(|row| get(row, 0).map(SessionId)).collect()
}

pub(super) async fn delete(tx: &mut PostgresTx<'_>, session: SessionId) -> Result<()> {
    tx.run(sqlx::query(LOCK).bind(session.0)).await?;
    tx.run(sqlx::query(DELETE).bind(session.0)).await
}

pub(super) async fn live(tx: &mut PostgresTx<'_>) -> Result<u64> {
    let (now, offset) = tx.time()?;
    let row = tx.row(sqlx::query(LIVE).bind(now).bind(offset)).await?;
    let count: i64 = row.as_ref().map_or(Ok(0), |row| get(row, 0))?;
    Ok(count.unsigned_abs())
}

pub(super) async fn put_receipt(tx: &mut PostgresTx<'_>, receipt: &NewReceipt) -> Result<Timestamp> {
    let steps: ReadyArrays = receipt.steps.iter().collect();
    let lanes: Vec<i32> = receipt.lanes().iter().map(|lane| lane.0).collect();
    let statement = sqlx::query(PUT_RECEIPT).bind(receipt.id.0).bind(receipt.session.0).bind(lanes);
    let statement = statement.bind(steps.lanes).bind(steps.ranks).bind(steps.tasks).bind(steps.idxs);
    let row =
        tx.row(statement.bind(steps.tokens).bind(steps.attempts).bind(steps.states).bind(tx.clock_offset)).await?;
    let row = row.ok_or_else(|| StoreError::Database("a receipt was not stored".into()))?;
    let claimed_at = timestamp(&row, 0)?;
    tx.move_to(claimed_at);
    Ok(claimed_at)
}

pub(super) async fn find_receipt(tx: &mut PostgresTx<'_>, id: ReceiptId) -> Result<Option<Receipt>> {
    tx.row(sqlx::query(FIND_RECEIPT).bind(id.0)).await?.as_ref().map(receipt).transpose()
}

pub(super) async fn receipts_of(tx: &mut PostgresTx<'_>, session: SessionId, most: usize) -> Result<Vec<Receipt>> {
    let rows = tx.rows(sqlx::query(RECEIPTS_OF).bind(session.0).bind(limit(most))).await?;
    rows.iter().map(receipt).collect()
}

pub(super) async fn drop_receipts(tx: &mut PostgresTx<'_>, ids: &[ReceiptId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    tx.run(sqlx::query(DROP_RECEIPTS).bind(receipt_ids(ids))).await
}

fn receipt_ids(ids: &[ReceiptId]) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids
}

fn receipt(row: &PgRow) -> Result<Receipt> {
    let step_lanes: Vec<i32> = get(row, 3)?;
    let ranks: Vec<i32> = get(row, 4)?;
    let tasks: Vec<Uuid> = get(row, 5)?;
    let idxs: Vec<i32> = get(row, 6)?;
    let tokens: Vec<i32> = get(row, 7)?;
    let attempts: Vec<i16> = get(row, 8)?;
    let states: Vec<String> = get(row, 9)?;
    let steps = step_lanes.into_iter().zip(ranks).zip(tasks).zip(idxs).zip(tokens).zip(attempts).zip(states);
    let steps = steps.map(|((((((lane, rank), task), idx), token), attempts), state)| {
        Ok(ReadyRow {
            lane: LaneId(lane),
            priority: priority(rank),
            key: StepKey { task: TaskId(task), index: index(idx) },
            token: Token(token),
            attempts: count(attempts),
            state: step_state_named(&state)?,
        })
    });
    Ok(Receipt {
        id: ReceiptId(get(row, 0)?),
        session: SessionId(get(row, 1)?),
        steps: steps.collect::<Result<_>>()?,
        claimed_at: timestamp(row, 2)?,
    })
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

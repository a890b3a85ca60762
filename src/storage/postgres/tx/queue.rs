//! What may be claimed now or later, and what a claim needs to know.

use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::PostgresTx;
use crate::domain::id::{NamedTaskId, RevisionId, StepKey, TaskId};
use crate::domain::json::Json;
use crate::storage::Result;
use crate::storage::postgres::values::{
    ReadyArrays, get, id_array, instant, json, json_option, key_arrays, limit, rank, ready_row, step_key, stored_index,
    task_id, timestamp_option,
};
use crate::storage::rows::{LaneCursor, ReadyRow, TakenRow, TaskHead, TimerRow};

const PUT_READY: &str = "
    INSERT INTO tasker_ready (lane, rank, task_id, idx, token, attempts, state, ready_at)
    SELECT r.lane, r.rank, r.task_id, r.idx, r.token, r.attempts, r.state::tasker_step_state,
        coalesce($8, clock_timestamp() + $9 * interval '1 microsecond')
    FROM (
        SELECT unnest($1::int[]) AS lane, unnest($2::int[]) AS rank, unnest($3::uuid[]) AS task_id,
            unnest($4::int[]) AS idx, unnest($5::int[]) AS token, unnest($6::smallint[]) AS attempts,
            unnest($7::text[]) AS state
    ) AS r";

/// Walks the primary key from the cursor on and stops after `limit` rows that nobody has locked; no
/// sort. The rows are then deleted by their places, which their locks keep.
///
/// The choice stands in a materialised CTE: as a sub-select it could be run again and take more.
const TAKE_FROM_LANE: &str = "
    WITH best AS MATERIALIZED (
        SELECT ctid FROM tasker_ready
        WHERE lane = $1 AND (rank, task_id, idx) >= ($2, $3, $4)
        ORDER BY lane, rank, task_id, idx
        LIMIT $5
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM tasker_ready
    WHERE ctid = ANY (ARRAY (SELECT ctid FROM best))
    RETURNING lane, rank, task_id, idx, token, attempts, state::text, ready_at";

/// The same for many lanes. A look without locks finds how many of the best rows are in each lane, so
/// that no more than `limit` rows are locked in all; rows that others hold count in it, which makes
/// it give too little at times: `complete` tells.
///
/// Walks the primary key, once a lane, and merges what it found. Where deleted rows that a snapshot holds open stand before
/// the first, only the look for that goes past them.
const TAKE_FROM_LANES: &str = "
    WITH shares AS MATERIALIZED (
        SELECT best.lane, best.from_rank, best.from_task, best.from_idx, count(*) AS share
        FROM (
            SELECT c.lane, head.rank AS from_rank, head.task_id AS from_task, head.idx AS from_idx
            FROM (
                SELECT unnest($1::int[]) AS lane, unnest($2::int[]) AS from_rank, unnest($3::uuid[]) AS from_task,
                    unnest($4::int[]) AS from_idx
            ) AS c
            CROSS JOIN LATERAL (
                SELECT r.rank, r.task_id, r.idx FROM tasker_ready AS r
                WHERE r.lane = c.lane AND (r.rank, r.task_id, r.idx) >= (c.from_rank, c.from_task, c.from_idx)
                ORDER BY r.lane, r.rank, r.task_id, r.idx
                LIMIT 1
            ) AS head
            CROSS JOIN LATERAL (
                SELECT r.rank, r.task_id, r.idx FROM tasker_ready AS r
                WHERE r.lane = c.lane AND (r.rank, r.task_id, r.idx) >= (head.rank, head.task_id, head.idx)
                ORDER BY r.lane, r.rank, r.task_id, r.idx
                LIMIT $5
            ) AS first
            ORDER BY first.rank, first.task_id, first.idx
            LIMIT $5
        ) AS best
        GROUP BY best.lane, best.from_rank, best.from_task, best.from_idx
    ), best AS MATERIALIZED (
        SELECT first.place
        FROM shares
        CROSS JOIN LATERAL (
            SELECT r.ctid AS place FROM tasker_ready AS r
            WHERE r.lane = shares.lane AND (r.rank, r.task_id, r.idx)
                    >= (shares.from_rank, shares.from_task, shares.from_idx)
            ORDER BY r.lane, r.rank, r.task_id, r.idx
            LIMIT shares.share
            FOR UPDATE SKIP LOCKED
        ) AS first
    ), taken AS (
        DELETE FROM tasker_ready
        WHERE ctid = ANY (ARRAY (SELECT place FROM best))
        RETURNING lane, rank, task_id, idx, token, attempts, state::text, ready_at
    )
    SELECT taken.*, shares.wanted < $5 OR (SELECT count(*) FROM taken) = $5 AS complete
    FROM (SELECT coalesce(sum(share), 0) AS wanted FROM shares) AS shares
    LEFT JOIN taken ON true";

/// What [`TAKE_FROM_LANES`] left because others held rows that it had counted on: locks the first
/// rows of each lane, takes the best of them, and lets go of the others with the transaction.
const TAKE_THE_REST: &str = "
    WITH found AS MATERIALIZED (
        SELECT first.*
        FROM (
            SELECT unnest($1::int[]) AS lane, unnest($2::int[]) AS from_rank, unnest($3::uuid[]) AS from_task,
                unnest($4::int[]) AS from_idx
        ) AS c
        CROSS JOIN LATERAL (
            SELECT r.ctid AS place, r.rank, r.task_id, r.idx FROM tasker_ready AS r
            WHERE r.lane = c.lane AND (r.rank, r.task_id, r.idx) >= (c.from_rank, c.from_task, c.from_idx)
            ORDER BY r.lane, r.rank, r.task_id, r.idx
            LIMIT $5
            FOR UPDATE SKIP LOCKED
        ) AS first
    ), best AS MATERIALIZED (
        SELECT place FROM found ORDER BY rank, task_id, idx LIMIT $5
    )
    DELETE FROM tasker_ready
    WHERE ctid = ANY (ARRAY (SELECT place FROM best))
    RETURNING lane, rank, task_id, idx, token, attempts, state::text, ready_at";

const PUT_TIMERS: &str = "
    INSERT INTO tasker_timers (lane, rank, task_id, idx, token, attempts, state, due_at, kind)
    SELECT r.lane, r.rank, r.task_id, r.idx, r.token, r.attempts, r.state::tasker_step_state, r.due_at, r.kind
    FROM (
        SELECT unnest($1::int[]) AS lane, unnest($2::int[]) AS rank, unnest($3::uuid[]) AS task_id,
            unnest($4::int[]) AS idx, unnest($5::int[]) AS token, unnest($6::smallint[]) AS attempts,
            unnest($7::text[]) AS state, unnest($8::timestamptz[]) AS due_at, unnest($9::text[]) AS kind
    ) AS r";

/// Walks the primary key from the earliest to the present, which is read once: a clock in the
/// condition itself would have to be asked for every row, and could not end the walk.
const TAKE_DUE: &str = "
    WITH due AS MATERIALIZED (
        SELECT ctid FROM tasker_timers
        WHERE due_at <= (SELECT coalesce($2, clock_timestamp() + $3 * interval '1 microsecond'))
        ORDER BY due_at, task_id, idx
        LIMIT $1
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM tasker_timers
    WHERE ctid = ANY (ARRAY (SELECT ctid FROM due))
    RETURNING lane, rank, task_id, idx, token, attempts, state::text, due_at";

/// A probe of the primary key for each.
const HEADS: &str = "
    SELECT t.id, t.named_task_id, t.revision_id, t.priority, t.queue, t.run, t.context::text, t.headers::text
    FROM (SELECT unnest($1::uuid[]) AS id) AS w
    JOIN tasker_tasks AS t ON t.id = ANY (ARRAY [w.id])";

/// A probe of the primary key for each.
const RESULTS: &str = "
    SELECT s.task_id, s.idx, s.result::text
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS w
    JOIN tasker_workflow_steps AS s ON s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx
    WHERE s.result IS NOT NULL";

/// A probe of the primary key for each.
const CHECKPOINTS: &str = "
    SELECT s.task_id, s.idx, s.checkpoint::text
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx) AS w
    JOIN tasker_workflow_steps AS s ON s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx
    WHERE s.checkpoint IS NOT NULL";

pub(super) async fn put_ready(tx: &mut PostgresTx<'_>, rows: &[ReadyRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let (now, offset) = tx.time()?;
    tx.run(bind_ready(sqlx::query(PUT_READY), rows.iter().collect()).bind(now).bind(offset)).await
}

pub(super) async fn take_ready(tx: &mut PostgresTx<'_>, lanes: &[LaneCursor], most: usize) -> Result<Vec<TakenRow>> {
    if most == 0 {
        return Ok(Vec::new());
    }
    let mut taken = match lanes {
        [] => Vec::new(),
        [lane] => {
            let (rank, task, idx) = start(lane);
            let statement = sqlx::query(TAKE_FROM_LANE).bind(lane.lane.0).bind(rank).bind(task).bind(idx);
            taken_rows(&tx.rows(statement.bind(limit(most))).await?)?
        }
        lanes => take_from_lanes(tx, lanes, most).await?,
    };
    taken.sort_unstable_by_key(|TakenRow { row, .. }| (rank(row.priority), row.key));
    Ok(taken)
}

async fn take_from_lanes(tx: &mut PostgresTx<'_>, lanes: &[LaneCursor], most: usize) -> Result<Vec<TakenRow>> {
    let ids: Vec<i32> = lanes.iter().map(|lane| lane.lane.0).collect();
    let (mut ranks, mut tasks, mut idxs) = (Vec::new(), Vec::new(), Vec::new());
    for (rank, task, idx) in lanes.iter().map(start) {
        ranks.push(rank);
        tasks.push(task);
        idxs.push(idx);
    }
    let statement = sqlx::query(TAKE_FROM_LANES).bind(&ids).bind(&ranks).bind(&tasks).bind(&idxs);
    let rows = tx.rows(statement.bind(limit(most))).await?;
    let complete = rows.first().map_or(Ok(true), |row| get(row, 8))?;
    // A row of nothing but nulls says that there was nothing.
    let found = rows.iter().map(|row| Ok((get::<Option<i32>>(row, 0)?.is_some(), row))).collect::<Result<Vec<_>>>()?;
    let mut taken =
        found.into_iter().filter(|(some, _)| *some).map(|(_, row)| taken_row(row)).collect::<Result<Vec<_>>>()?;
    if !complete {
        let statement = sqlx::query(TAKE_THE_REST).bind(ids).bind(ranks).bind(tasks).bind(idxs);
        let rest = tx.rows(statement.bind(limit(most - taken.len()))).await?;
        taken.extend(taken_rows(&rest)?);
    }
    Ok(taken)
}

fn taken_rows(rows: &[PgRow]) -> Result<Vec<TakenRow>> {
    rows.iter().map(taken_row).collect()
}

/// The columns of a claimable step, and since when it is.
fn taken_row(row: &PgRow) -> Result<TakenRow> {
    Ok(TakenRow { row: ready_row(row)?, ready_at: timestamp_option(row, 7)? })
}

/// Where to start in a lane: no task has the nil id.
fn start(lane: &LaneCursor) -> (i32, Uuid, i32) {
    lane.from
        .map_or((i32::MIN, Uuid::nil(), 0), |(priority, key)| (rank(priority), key.task.0, stored_index(key.index)))
}

pub(super) async fn put_timers(tx: &mut PostgresTx<'_>, rows: &[TimerRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let due = rows.iter().map(|row| instant(row.due)).collect::<Result<Vec<_>>>()?;
    let kinds: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    let ready = rows.iter().map(|row| &row.ready).collect();
    tx.run(bind_ready(sqlx::query(PUT_TIMERS), ready).bind(due).bind(kinds)).await
}

pub(super) async fn take_due(tx: &mut PostgresTx<'_>, most: usize) -> Result<Vec<ReadyRow>> {
    let (now, offset) = tx.time()?;
    let rows = tx.rows(sqlx::query(TAKE_DUE).bind(limit(most)).bind(now).bind(offset)).await?;
    let due = |row: &PgRow| Ok((get::<chrono::DateTime<chrono::Utc>>(row, 7)?, ready_row(row)?));
    let mut taken = rows.iter().map(due).collect::<Result<Vec<_>>>()?;
    taken.sort_unstable_by_key(|(due, row)| (*due, row.key));
    Ok(taken.into_iter().map(|(_, row)| row).collect())
}

pub(super) async fn heads(tx: &mut PostgresTx<'_>, ids: &[TaskId]) -> Result<Vec<TaskHead>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx.rows(sqlx::query(HEADS).bind(id_array(ids))).await?;
    let head = |row: &PgRow| {
        Ok(TaskHead {
            id: task_id(row, 0)?,
            named_task: NamedTaskId(get(row, 1)?),
            revision: RevisionId(get(row, 2)?),
            priority: get(row, 3)?,
            queue: get(row, 4)?,
            run: get(row, 5)?,
            context: json(row, 6)?,
            headers: json_option(row, 7)?,
        })
    };
    rows.iter().map(head).collect()
}

pub(super) async fn results(tx: &mut PostgresTx<'_>, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
    values(tx, RESULTS, keys).await
}

pub(super) async fn checkpoints(tx: &mut PostgresTx<'_>, keys: &[StepKey]) -> Result<Vec<(StepKey, Json)>> {
    values(tx, CHECKPOINTS, keys).await
}

/// What probes by key find: a value of JSON each.
pub(super) async fn values(
    tx: &mut PostgresTx<'_>,
    sql: &'static str,
    keys: &[StepKey],
) -> Result<Vec<(StepKey, Json)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (tasks, idxs) = key_arrays(keys);
    let rows = tx.rows(sqlx::query(sql).bind(tasks).bind(idxs)).await?;
    rows.iter().map(|row| Ok((step_key(row, 0)?, json(row, 2)?))).collect()
}

/// Binds the seven columns of claimable steps.
pub(super) fn bind_ready(statement: super::Statement, rows: ReadyArrays) -> super::Statement {
    let statement = statement.bind(rows.lanes).bind(rows.ranks).bind(rows.tasks).bind(rows.idxs);
    statement.bind(rows.tokens).bind(rows.attempts).bind(rows.states)
}

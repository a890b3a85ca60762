//! Looking at one task, and at what there is to wait for.

use sqlx::postgres::PgRow;

use super::PostgresTx;
use crate::domain::id::{LaneId, SessionId, StepIndex, StepKey, TaskId, Token};
use crate::domain::state::StepState;
use crate::storage::Result;
use crate::storage::postgres::values::{
    count, get, held_arrays, id_array, index, json_option, step_key, step_state, task_id, timestamp, timestamp_option,
};
use crate::storage::rows::{HeldNow, HistoryRow, Hold, Outlook, StepProgress, StepRow, StoredTransition};

/// A statement on the steps of a task, `s`, which sees those that receipts name as `held`.
///
/// Walks the primary key of the task's steps. Reads all receipts: there is one for each batch that is
/// being worked on. A receipt outlives those of its steps that are done; their tokens have grown.
macro_rules! select_steps {
    ($columns:literal) => {
        concat!(
            "WITH held AS MATERIALIZED (
                SELECT h.idx, h.token
                FROM tasker_receipts AS r
                CROSS JOIN LATERAL (
                    SELECT unnest(r.task_ids) AS task_id, unnest(r.idxs) AS idx, unnest(r.tokens) AS token
                ) AS h
                WHERE r.task_ids @> ARRAY [$1] AND h.task_id = $1
            )
            SELECT s.idx, s.state::text, s.attempts,
                s.state IN ('pending', 'waiting_for_retry')
                    AND EXISTS (SELECT FROM held WHERE held.idx = s.idx AND held.token = s.token),
                s.started_at, s.finished_at, s.next_retry_at, s.items",
            $columns,
            " FROM tasker_workflow_steps AS s
            WHERE s.task_id = $1
            ORDER BY s.task_id, s.idx"
        )
    };
}

/// Probes the primary key of the items for each step: joined, a plan that knows nothing yet of the table may
/// go through all items of the task for each step.
const STEPS: &str = select_steps!(
    ", s.crashes, s.waiting, s.token, s.result::text, s.error::text, s.checkpoint::text, s.route, s.bypassed,
        (SELECT i.item::text FROM tasker_workflow_step_items AS i WHERE i.task_id = s.task_id AND i.idx = s.idx)"
);

const PROGRESS: &str = select_steps!("");

/// Walks the primary key.
const PARKED: &str = "SELECT idx FROM tasker_parked WHERE task_id = $1 ORDER BY task_id, idx";

/// Walks the primary key.
const TASK_HISTORY: &str = "
    SELECT NULL::int, seq, from_state::text, to_state::text, at, 0::smallint, NULL::uuid, detail::text
    FROM tasker_task_transitions WHERE task_id = $1
    ORDER BY task_id, seq";

/// Walks the primary keys, of what is recorded and of the steps, whose rows tell of plain successes.
const STEP_HISTORY: &str = "
    SELECT idx, seq, from_state::text, to_state::text, at, attempt, session_id, detail::text,
        claimed_at, coalesce(claimed_by, session_id)
    FROM tasker_workflow_step_transitions WHERE task_id = $1
    UNION ALL
    SELECT idx, 2 * token, 'in_progress', state::text, finished_at, attempts, settled_by, NULL, started_at, settled_by
    FROM tasker_workflow_steps WHERE task_id = $1 AND settled_by IS NOT NULL
    ORDER BY 1, 2";

/// Reads all receipts, as [`STEPS`] does, and probes the primary key for each of the task's steps in them.
const HELD_NOW: &str = "
    SELECT s.idx, s.token, s.state::text, s.attempts + (s.items IS NULL)::int::smallint, h.claimed_at, h.session_id
    FROM (
        SELECT u.idx, u.token, r.claimed_at, r.session_id
        FROM tasker_receipts AS r
        CROSS JOIN LATERAL (SELECT unnest(r.task_ids) AS task_id, unnest(r.idxs) AS idx, unnest(r.tokens) AS token) AS u
        WHERE r.task_ids @> ARRAY [$1] AND u.task_id = $1
    ) AS h
    JOIN tasker_workflow_steps AS s ON s.task_id = $1 AND s.idx = h.idx AND s.token = h.token
    WHERE s.state IN ('pending', 'waiting_for_retry')
    ORDER BY s.idx";

/// A probe of the primary key for each.
const ENDED: &str = "
    SELECT w.id
    FROM (SELECT unnest($1::uuid[]) AS id) AS w
    LEFT JOIN tasker_tasks AS t ON t.id = ANY (ARRAY [w.id])
    WHERE t.state IS NULL OR t.state IN ('complete', 'error', 'cancelled', 'resolved_manually')";

/// A probe of the primary key for each.
const SUPERSEDED: &str = "
    SELECT w.task_id, w.idx, w.token
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx, unnest($3::int[]) AS token) AS w
    LEFT JOIN tasker_workflow_steps AS s ON s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx
    WHERE s.token IS DISTINCT FROM w.token";

/// Each part stops at the first row it finds: the ready rows by their primary key, the retries by
/// their index, the next timer by its primary key; receipts are few.
const OUTLOOK: &str = "
    SELECT
        EXISTS (SELECT FROM (SELECT unnest($1::int[]) AS lane) AS w
                CROSS JOIN LATERAL (SELECT FROM tasker_ready AS r WHERE r.lane = w.lane LIMIT 1) AS r),
        EXISTS (SELECT FROM tasker_receipts AS r WHERE r.lanes && $1),
        EXISTS (SELECT FROM (SELECT unnest($1::int[]) AS lane) AS w
                CROSS JOIN LATERAL (
                    SELECT FROM tasker_timers AS t WHERE t.lane = w.lane AND t.kind = 'retry' LIMIT 1) AS t),
        (SELECT t.due_at FROM tasker_timers AS t ORDER BY t.due_at, t.task_id, t.idx LIMIT 1),
        coalesce($2, clock_timestamp() + $3 * interval '1 microsecond'),
        EXISTS (SELECT FROM (SELECT unnest($1::int[]) AS lane) AS w
                CROSS JOIN LATERAL (SELECT FROM tasker_parked AS p WHERE p.lane = w.lane LIMIT 1) AS p),
        EXISTS (SELECT FROM tasker_paused_queues),
        EXISTS (SELECT FROM tasker_outbox
                WHERE due_at <= coalesce($2, clock_timestamp() + $3 * interval '1 microsecond'))";

pub(super) async fn steps(tx: &mut PostgresTx<'_>, task: TaskId) -> Result<Vec<StepRow>> {
    let rows = tx.rows(sqlx::query(STEPS).bind(task.0)).await?;
    rows.iter().map(step).collect()
}

pub(super) async fn progress(tx: &mut PostgresTx<'_>, task: TaskId) -> Result<Vec<StepProgress>> {
    let rows = tx.rows(sqlx::query(PROGRESS).bind(task.0)).await?;
    rows.iter().map(step_progress).collect()
}

fn step_progress(row: &PgRow) -> Result<StepProgress> {
    let held: bool = get(row, 3)?;
    let attempts = count(get(row, 2)?);
    let items = get::<Option<i32>>(row, 7)?.map(index);
    Ok(StepProgress {
        index: index(get(row, 0)?),
        state: if held { StepState::InProgress } else { step_state(row, 1)? },
        attempts: if held && items.is_none() { attempts.saturating_add(1) } else { attempts },
        started_at: timestamp_option(row, 4)?,
        finished_at: timestamp_option(row, 5)?,
        next_retry_at: timestamp_option(row, 6)?,
        items,
    })
}

fn step(row: &PgRow) -> Result<StepRow> {
    let progress = step_progress(row)?;
    Ok(StepRow {
        index: progress.index,
        state: progress.state,
        attempts: progress.attempts,
        crashes: count(get(row, 8)?),
        waiting: get(row, 9)?,
        token: Token(get(row, 10)?),
        result: json_option(row, 11)?,
        error: json_option(row, 12)?,
        started_at: progress.started_at,
        finished_at: progress.finished_at,
        next_retry_at: progress.next_retry_at,
        checkpoint: json_option(row, 13)?,
        route: get::<Option<Vec<i32>>>(row, 14)?.map(|route| route.into_iter().map(index).collect()),
        bypassed: get(row, 15)?,
        item: json_option(row, 16)?,
        items: progress.items,
    })
}

pub(super) async fn parked(tx: &mut PostgresTx<'_>, task: TaskId) -> Result<Vec<StepIndex>> {
    let rows = tx.rows(sqlx::query(PARKED).bind(task.0)).await?;
    rows.iter().map(|row| get(row, 0).map(index)).collect()
}

pub(super) async fn task_history(tx: &mut PostgresTx<'_>, task: TaskId) -> Result<Vec<HistoryRow>> {
    tx.rows(sqlx::query(TASK_HISTORY).bind(task.0)).await?.iter().map(history_row).collect()
}

pub(super) async fn step_history(tx: &mut PostgresTx<'_>, task: TaskId) -> Result<Vec<StoredTransition>> {
    let rows = tx.rows(sqlx::query(STEP_HISTORY).bind(task.0)).await?;
    let stored = |row: &PgRow| {
        let by = get::<Option<uuid::Uuid>>(row, 9)?.map(SessionId);
        let hold = timestamp_option(row, 8)?.zip(by).map(|(since, by)| Hold { since, by });
        Ok(StoredTransition { row: history_row(row)?, hold })
    };
    rows.iter().map(stored).collect()
}

fn history_row(row: &PgRow) -> Result<HistoryRow> {
    Ok(HistoryRow {
        index: get::<Option<i32>>(row, 0)?.map(index),
        seq: get(row, 1)?,
        from: get(row, 2)?,
        to: get(row, 3)?,
        at: timestamp(row, 4)?,
        attempt: count(get(row, 5)?),
        by: get::<Option<uuid::Uuid>>(row, 6)?.map(SessionId),
        detail: json_option(row, 7)?,
    })
}

pub(super) async fn held_now(tx: &mut PostgresTx<'_>, task: TaskId) -> Result<Vec<HeldNow>> {
    let rows = tx.rows(sqlx::query(HELD_NOW).bind(task.0)).await?;
    let held = |row: &PgRow| {
        Ok(HeldNow {
            index: index(get(row, 0)?),
            token: Token(get(row, 1)?),
            from: step_state(row, 2)?,
            attempt: count(get(row, 3)?),
            hold: Hold { since: timestamp(row, 4)?, by: SessionId(get(row, 5)?) },
        })
    };
    rows.iter().map(held).collect()
}

pub(super) async fn ended(tx: &mut PostgresTx<'_>, ids: &[TaskId]) -> Result<Vec<TaskId>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx.rows(sqlx::query(ENDED).bind(id_array(ids))).await?;
    rows.iter().map(|row| task_id(row, 0)).collect()
}

pub(super) async fn superseded(tx: &mut PostgresTx<'_>, held: &[(StepKey, Token)]) -> Result<Vec<(StepKey, Token)>> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let (tasks, idxs, tokens) = held_arrays(held);
    let rows = tx.rows(sqlx::query(SUPERSEDED).bind(tasks).bind(idxs).bind(tokens)).await?;
    rows.iter().map(|row| Ok((step_key(row, 0)?, Token(get(row, 2)?)))).collect()
}

pub(super) async fn outlook(tx: &mut PostgresTx<'_>, lanes: &[LaneId]) -> Result<Outlook> {
    let lanes: Vec<i32> = lanes.iter().map(|lane| lane.0).collect();
    let (now, offset) = tx.time()?;
    let Some(row) = tx.row(sqlx::query(OUTLOOK).bind(lanes).bind(now).bind(offset)).await? else {
        return Ok(Outlook::default());
    };
    let now = timestamp(&row, 4)?;
    let until = |due: crate::domain::time::Timestamp| u64::try_from(due.since(now).as_micros()).unwrap_or(u64::MAX);
    Ok(Outlook {
        ready: get(&row, 0)?,
        held: get(&row, 1)?,
        retrying: get(&row, 2)?,
        parked: get(&row, 5)?,
        paused: get(&row, 6)?,
        outbox: get(&row, 7)?,
        next_due_us: timestamp_option(&row, 3)?.map(until),
    })
}

//! How steps and tasks move, and the history of it.
//!
//! Locks are taken in the order of `storage`: own steps by key, then children by key, then tasks by
//! id. Inputs are sorted, loops follow their input, and where a statement locks more than it updates,
//! a materialised CTE locks first, in order.

use sqlx::postgres::PgRow;

use super::PostgresTx;
use crate::domain::id::{StepKey, Token};
use crate::domain::state::TaskState;
use crate::storage::postgres::values::{
    count, get, held_arrays, instant_option, step_key, step_state, stored_count, stored_index, task_id, task_state,
};
use crate::storage::rows::{
    Checkpoint, HeldStep, ReleasedStep, SettledStep, StepMove, StepTransition, TaskMoved, TaskTouch, TaskTransition,
};
use crate::storage::{Result, TaskMoves};

/// A probe of the primary key for each, locked in key order. What has another token is passed over without its lock: it
/// is somebody else's step by now, or a child again, and would be locked out of the order of `storage`.
const LOCK: &str = "
    SELECT s.task_id, s.idx, s.state::text, s.token, s.attempts, s.crashes
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx, unnest($3::int[]) AS token) AS w
    JOIN tasker_workflow_steps AS s
      ON s.task_id = ANY (ARRAY [w.task_id]) AND s.idx = w.idx AND s.token = w.token
    ORDER BY w.task_id, w.idx
    FOR NO KEY UPDATE OF s";

/// A probe of the primary key for each, in key order. The fence: state and token are tested under the
/// row's lock, again if somebody held it. HOT, as no indexed column changes.
const SETTLE: &str = "
    UPDATE tasker_workflow_steps AS s
    SET state = m.state::tasker_step_state,
        token = s.token + 1,
        attempts = m.attempts,
        crashes = s.crashes + m.crashed,
        result = m.result::json,
        error = coalesce(m.error::json, s.error),
        started_at = coalesce(m.started_at, s.started_at),
        next_retry_at = m.next_retry_at,
        settled_by = m.settled_by,
        finished_at = CASE WHEN m.state IN ('pending', 'waiting_for_retry') THEN NULL ELSE $1 END
    FROM (
        SELECT unnest($2::uuid[]) AS task_id, unnest($3::int[]) AS idx, unnest($4::int[]) AS token,
            unnest($5::text[]) AS state, unnest($6::smallint[]) AS attempts, unnest($7::smallint[]) AS crashed,
            unnest($8::text[]) AS result, unnest($9::text[]) AS error, unnest($10::timestamptz[]) AS started_at,
            unnest($11::timestamptz[]) AS next_retry_at, unnest($12::uuid[]) AS settled_by
    ) AS m
    WHERE s.task_id = ANY (ARRAY [m.task_id]) AND s.idx = m.idx
      AND s.token = m.token AND s.state IN ('pending', 'waiting_for_retry')
    RETURNING s.task_id, s.idx, s.waiting, s.stale";

/// A probe of the primary key for each, in key order, fenced as [`SETTLE`] is. HOT.
const SAVE_CHECKPOINTS: &str = "
    UPDATE tasker_workflow_steps AS s
    SET checkpoint = c.value::json
    FROM (
        SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx, unnest($3::int[]) AS token,
            unnest($4::text[]) AS value
    ) AS c
    WHERE s.task_id = ANY (ARRAY [c.task_id]) AND s.idx = c.idx
      AND s.token = c.token AND s.state IN ('pending', 'waiting_for_retry')
    RETURNING s.task_id, s.idx";

/// A probe of the primary key for each, in key order, which is the input's. Two parents that finish at once meet at the
/// row's lock, and the second counts down from what the first left. Others than pending ones are not locked: a decision's
/// cascade, which took the pending ones in their order before, would come to them out of it. HOT.
const RELEASE: &str = "
    UPDATE tasker_workflow_steps AS s
    SET waiting = s.waiting - f.parents
    FROM (SELECT unnest($1::uuid[]) AS task_id, unnest($2::int[]) AS idx, unnest($3::int[]) AS parents) AS f
    WHERE s.task_id = ANY (ARRAY [f.task_id]) AND s.idx = f.idx AND s.state = 'pending'
    RETURNING s.task_id, s.idx, s.token, s.waiting";

/// The state that a task `t` comes to with a touch `x`.
macro_rules! next_state {
    () => {
        "CASE
            WHEN NOT (t.state = 'in_progress' OR t.state = 'pending' AND x.start) THEN t.state
            WHEN t.live + x.live = 0 AND t.failed + x.failed > 0 THEN $9::text::tasker_task_state
            WHEN t.live + x.live = 0 THEN $8::text::tasker_task_state
            WHEN t.state = 'pending' THEN $7::text::tasker_task_state
            ELSE t.state
        END"
    };
}

/// Whether a task `t` comes to rest with a touch `x`.
macro_rules! comes_to_rest {
    () => {
        "t.live + x.live = 0 AND (t.state = 'in_progress' OR t.state = 'pending' AND x.start)"
    };
}

/// A probe of the primary key for each, in id order, which is the input's. Everything is worked out from
/// the row as its lock finds it, and what that was stays in `was`, which is all that tells of a move. A task that
/// is being started may come to rest at once: it then moves twice.
const TOUCH: &str = concat!(
    "WITH touched AS (
        UPDATE tasker_tasks AS t
        SET was = t.state,
            state = ",
    next_state!(),
    ",
            live = t.live + x.live,
            failed = t.failed + x.failed,
            error = coalesce(t.error, x.error::json),
            seq = t.seq + CASE ",
    next_state!(),
    "
                WHEN t.state THEN 0
                WHEN $7::text::tasker_task_state THEN 1
                ELSE 1 + (t.state = 'pending')::int
            END,
            started_at = CASE WHEN t.state = 'pending' AND x.start THEN coalesce(t.started_at, $1) ELSE t.started_at END,
            rare = CASE WHEN t.failed + x.failed > 0 AND ",
    comes_to_rest!(),
    " THEN $9::text::tasker_task_state ELSE t.rare END,
            finished_at = CASE WHEN ",
    comes_to_rest!(),
    " THEN $1 ELSE t.finished_at END
        FROM (
            SELECT unnest($2::uuid[]) AS id, unnest($3::bool[]) AS start, unnest($4::int[]) AS live,
                unnest($5::int[]) AS failed, unnest($6::text[]) AS error
        ) AS x
        WHERE t.id = ANY (ARRAY [x.id])
        RETURNING t.id, t.was, t.state, t.seq
    )
    SELECT id, was::text, state::text, seq FROM touched WHERE was <> state"
);

/// Appends; the primary key refuses to record anything twice.
const RECORD_STEPS: &str = "
    INSERT INTO tasker_workflow_step_transitions
        (at, task_id, idx, seq, from_state, to_state, attempt, session_id, detail, claimed_at, claimed_by)
    SELECT $1, r.task_id, r.idx, r.seq, r.from_state::tasker_step_state, r.to_state::tasker_step_state, r.attempt,
        r.session_id, r.detail::json, r.claimed_at, r.claimed_by
    FROM (
        SELECT unnest($2::uuid[]) AS task_id, unnest($3::int[]) AS idx, unnest($4::int[]) AS seq,
            unnest($5::text[]) AS from_state, unnest($6::text[]) AS to_state, unnest($7::smallint[]) AS attempt,
            unnest($8::uuid[]) AS session_id, unnest($9::text[]) AS detail, unnest($10::timestamptz[]) AS claimed_at,
            unnest($11::uuid[]) AS claimed_by
    ) AS r";

/// Appends; the primary key refuses to record anything twice.
const RECORD_TASKS: &str = "
    INSERT INTO tasker_task_transitions (at, task_id, seq, from_state, to_state, detail)
    SELECT $1, r.task_id, r.seq, r.from_state::tasker_task_state, r.to_state::tasker_task_state, r.detail::json
    FROM (
        SELECT unnest($2::uuid[]) AS task_id, unnest($3::int[]) AS seq, unnest($4::text[]) AS from_state,
            unnest($5::text[]) AS to_state, unnest($6::text[]) AS detail
    ) AS r";

pub(super) async fn lock_steps(tx: &mut PostgresTx<'_>, held: &[(StepKey, Token)]) -> Result<Vec<HeldStep>> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let (tasks, idxs, tokens) = held_arrays(held);
    tx.rows(sqlx::query(LOCK).bind(tasks).bind(idxs).bind(tokens)).await?.iter().map(held_step).collect()
}

/// A row of the columns of [`LOCK`].
pub(super) fn held_step(row: &PgRow) -> Result<HeldStep> {
    Ok(HeldStep {
        key: step_key(row, 0)?,
        state: step_state(row, 2)?,
        token: Token(get(row, 3)?),
        attempts: count(get(row, 4)?),
        crashes: count(get(row, 5)?),
    })
}

pub(super) async fn settle_steps(tx: &mut PostgresTx<'_>, moves: &[StepMove]) -> Result<Vec<SettledStep>> {
    if moves.is_empty() {
        return Ok(Vec::new());
    }
    let now = tx.now_stored().await?;
    let mut moves: Vec<&StepMove> = moves.iter().collect();
    moves.sort_unstable_by_key(|step| step.key);
    let started = moves.iter().map(|step| instant_option(step.started_at)).collect::<Result<Vec<_>>>()?;
    let retried = moves.iter().map(|step| instant_option(step.next_retry_at)).collect::<Result<Vec<_>>>()?;
    let statement = sqlx::query(SETTLE)
        .bind(now)
        .bind(moves.iter().map(|step| step.key.task.0).collect::<Vec<_>>())
        .bind(moves.iter().map(|step| stored_index(step.key.index)).collect::<Vec<_>>())
        .bind(moves.iter().map(|step| step.token.0).collect::<Vec<_>>())
        .bind(moves.iter().map(|step| step.to.as_str()).collect::<Vec<_>>())
        .bind(moves.iter().map(|step| stored_count(step.attempts)).collect::<Vec<_>>())
        .bind(moves.iter().map(|step| stored_count(step.crashed)).collect::<Vec<_>>())
        .bind(moves.iter().map(|step| step.result.as_ref().map(|json| json.as_str())).collect::<Vec<_>>())
        .bind(moves.iter().map(|step| step.error.as_ref().map(|json| json.as_str())).collect::<Vec<_>>())
        .bind(started)
        .bind(retried)
        .bind(moves.iter().map(|step| step.settled_by.map(|session| session.0)).collect::<Vec<_>>());
    let settled =
        |row: &PgRow| Ok(SettledStep { key: step_key(row, 0)?, parked: get::<i32>(row, 2)? > 0, stale: get(row, 3)? });
    tx.rows(statement).await?.iter().map(settled).collect()
}

pub(super) async fn save_checkpoints(tx: &mut PostgresTx<'_>, rows: &[Checkpoint]) -> Result<Vec<StepKey>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows: Vec<&Checkpoint> = rows.iter().collect();
    rows.sort_unstable_by_key(|row| row.key);
    let statement = sqlx::query(SAVE_CHECKPOINTS)
        .bind(rows.iter().map(|row| row.key.task.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| stored_index(row.key.index)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.token.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.value.as_str()).collect::<Vec<_>>());
    tx.rows(statement).await?.iter().map(|row| step_key(row, 0)).collect()
}

pub(super) async fn release_steps(
    tx: &mut PostgresTx<'_>,
    finished_parents: &[(StepKey, i32)],
) -> Result<Vec<ReleasedStep>> {
    if finished_parents.is_empty() {
        return Ok(Vec::new());
    }
    let mut children = finished_parents.to_vec();
    children.sort_unstable_by_key(|(key, _)| *key);
    let statement = sqlx::query(RELEASE)
        .bind(children.iter().map(|(key, _)| key.task.0).collect::<Vec<_>>())
        .bind(children.iter().map(|(key, _)| stored_index(key.index)).collect::<Vec<_>>())
        .bind(children.iter().map(|(_, parents)| *parents).collect::<Vec<_>>());
    let mut released = Vec::new();
    for row in tx.rows(statement).await? {
        if get::<i32>(&row, 3)? == 0 {
            released.push(ReleasedStep { key: step_key(&row, 0)?, token: Token(get(&row, 2)?) });
        }
    }
    Ok(released)
}

pub(super) async fn touch_tasks(
    tx: &mut PostgresTx<'_>,
    touches: &[TaskTouch],
    moves: TaskMoves,
) -> Result<Vec<TaskMoved>> {
    if touches.is_empty() {
        return Ok(Vec::new());
    }
    let now = tx.now_stored().await?;
    let mut touches: Vec<&TaskTouch> = touches.iter().collect();
    touches.sort_unstable_by_key(|touch| touch.id);
    let statement = sqlx::query(TOUCH)
        .bind(now)
        .bind(touches.iter().map(|touch| touch.id.0).collect::<Vec<_>>())
        .bind(touches.iter().map(|touch| touch.start).collect::<Vec<_>>())
        .bind(touches.iter().map(|touch| touch.live).collect::<Vec<_>>())
        .bind(touches.iter().map(|touch| touch.failed).collect::<Vec<_>>())
        .bind(touches.iter().map(|touch| touch.error.as_ref().map(|json| json.as_str())).collect::<Vec<_>>())
        .bind(moves.started.as_str())
        .bind(moves.finished.as_str())
        .bind(moves.stalled.as_str());
    let mut moved = Vec::new();
    for row in tx.rows(statement).await? {
        let (id, was, to, seq) = (task_id(&row, 0)?, task_state(&row, 1)?, task_state(&row, 2)?, get(&row, 3)?);
        let starts_and_rests = was == TaskState::Pending && to != moves.started;
        if starts_and_rests {
            moved.push(TaskMoved { id, from: was, to: moves.started, seq: seq - 1 });
        }
        moved.push(TaskMoved { id, from: if starts_and_rests { moves.started } else { was }, to, seq });
    }
    moved.sort_unstable_by_key(|moved| (moved.id, moved.seq));
    Ok(moved)
}

pub(super) async fn record_steps(tx: &mut PostgresTx<'_>, rows: &[StepTransition]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let now = tx.now_stored().await?;
    let holds: Vec<_> = rows.iter().map(StepTransition::stored_hold).collect();
    let claimed = holds.iter().map(|(since, _)| instant_option(*since)).collect::<Result<Vec<_>>>()?;
    let statement = sqlx::query(RECORD_STEPS)
        .bind(now)
        .bind(rows.iter().map(|row| row.key.task.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| stored_index(row.key.index)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.seq).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.from.map(|state| state.as_str())).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.to.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| stored_count(row.attempt)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.by.map(|session| session.0)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.detail.as_ref().map(|json| json.as_str())).collect::<Vec<_>>())
        .bind(claimed)
        .bind(holds.iter().map(|(_, by)| by.map(|session| session.0)).collect::<Vec<_>>());
    tx.run(statement).await
}

pub(super) async fn record_tasks(tx: &mut PostgresTx<'_>, rows: &[TaskTransition]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let now = tx.now_stored().await?;
    let statement = sqlx::query(RECORD_TASKS)
        .bind(now)
        .bind(rows.iter().map(|row| row.id.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.seq).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.from.map(|state| state.as_str())).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.to.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.detail.as_ref().map(|json| json.as_str())).collect::<Vec<_>>());
    tx.run(statement).await
}

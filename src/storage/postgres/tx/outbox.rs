//! Tasks that applications ask for within transactions of their own.

use super::PostgresTx;
use crate::domain::id::TaskId;
use crate::storage::Result;
use crate::storage::postgres::values::{get, id_array, limit as bounded, task_id};
use crate::storage::rows::{OutboxRefusal, OutboxRow};

/// Walks the index of due rows. Not in a sub-select: it would not be certain to run once.
const TAKE_DUE: &str = "
    SELECT id, task, attempts FROM tasker_outbox
    WHERE due_at <= coalesce($1, clock_timestamp() + $2 * interval '1 microsecond')
    ORDER BY due_at, created_at LIMIT $3
    FOR UPDATE SKIP LOCKED";

/// Probes of the primary key.
const TAKE_THESE: &str = "
    SELECT id, task, attempts FROM tasker_outbox WHERE id = ANY ($1) ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED";

const DROP: &str = "DELETE FROM tasker_outbox WHERE id = ANY ($1)";

const REFUSE: &str = "
    UPDATE tasker_outbox AS o
    SET attempts = o.attempts + 1, error = n.error,
        due_at = coalesce($1, clock_timestamp() + $2 * interval '1 microsecond') + n.rest * interval '1 microsecond'
    FROM (SELECT unnest($3::uuid[]) AS id, unnest($4::text[]) AS error, unnest($5::bigint[]) AS rest) AS n
    WHERE o.id = ANY (ARRAY [n.id])";

/// A server is known by when it began, which whoever may connect may ask, through a pooler, too. A host that asks the same
/// on a connection of its own hears the same of the same table.
const PLACE: &str = "
    SELECT concat_ws('/', (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, d.oid,
                     to_regclass('tasker_outbox')::oid)
    FROM pg_database AS d WHERE d.datname = current_database()";

pub(super) async fn take(tx: &mut PostgresTx<'_>, only: Option<&[TaskId]>, limit: usize) -> Result<Vec<OutboxRow>> {
    let limit = bounded(limit);
    let statement = match only {
        Some(ids) => sqlx::query(TAKE_THESE).bind(id_array(ids)).bind(limit),
        None => {
            let (now, offset) = tx.time()?;
            sqlx::query(TAKE_DUE).bind(now).bind(offset).bind(limit)
        }
    };
    let rows = tx.rows(statement).await?;
    rows.iter().map(|row| Ok(OutboxRow { id: task_id(row, 0)?, task: get(row, 1)?, attempts: get(row, 2)? })).collect()
}

pub(super) async fn drop(tx: &mut PostgresTx<'_>, ids: &[TaskId]) -> Result<()> {
    if ids.is_empty() { Ok(()) } else { tx.run(sqlx::query(DROP).bind(id_array(ids))).await }
}

pub(super) async fn refuse(tx: &mut PostgresTx<'_>, rows: &[OutboxRefusal]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let (now, offset) = tx.time()?;
    let rest = |row: &OutboxRefusal| i64::try_from(row.rest.as_micros()).unwrap_or(i64::MAX);
    let statement = sqlx::query(REFUSE)
        .bind(now)
        .bind(offset)
        .bind(rows.iter().map(|row| row.id.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.error.replace('\0', "")).collect::<Vec<_>>())
        .bind(rows.iter().map(rest).collect::<Vec<_>>());
    tx.run(statement).await
}

pub(super) async fn place(tx: &mut PostgresTx<'_>) -> Result<Option<String>> {
    tx.row(sqlx::query(PLACE)).await?.map(|row| get(&row, 0)).transpose()
}

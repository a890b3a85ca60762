//! Queues of which nothing is claimed.

use super::PostgresTx;
use crate::storage::Result;
use crate::storage::postgres::values::{get, timestamp};
use crate::storage::rows::QueuePause;

/// A probe of the primary key.
const PAUSE: &str = "
    INSERT INTO tasker_paused_queues (queue, namespace, paused_at, by, reason) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT DO NOTHING
    RETURNING 1";

/// A probe of the primary key.
const RESUME: &str = "DELETE FROM tasker_paused_queues WHERE queue = $1 AND namespace = $2 RETURNING 1";

/// Few rows, read whole.
const PAUSED: &str = "
    SELECT queue, nullif(namespace, ''), paused_at, by, reason FROM tasker_paused_queues ORDER BY queue, namespace";

pub(super) async fn pause(tx: &mut PostgresTx<'_>, pause: &QueuePause) -> Result<bool> {
    let now = tx.now_stored().await?;
    let QueuePause { queue, namespace, by, reason, .. } = pause.clone();
    let statement = sqlx::query(PAUSE).bind(queue).bind(namespace.unwrap_or_default()).bind(now).bind(by).bind(reason);
    Ok(tx.row(statement).await?.is_some())
}

pub(super) async fn resume(tx: &mut PostgresTx<'_>, queue: &str, namespace: Option<&str>) -> Result<bool> {
    let statement = sqlx::query(RESUME).bind(queue.to_owned()).bind(namespace.unwrap_or_default().to_owned());
    Ok(tx.row(statement).await?.is_some())
}

pub(super) async fn all(tx: &mut PostgresTx<'_>) -> Result<Vec<QueuePause>> {
    let mut pauses = Vec::new();
    for row in tx.rows(sqlx::query(PAUSED)).await? {
        let at = timestamp(&row, 2)?;
        let (queue, namespace) = (get(&row, 0)?, get(&row, 1)?);
        pauses.push(QueuePause { queue, namespace, at, by: get(&row, 3)?, reason: get(&row, 4)? });
    }
    // Whatever the database's collation.
    pauses.sort_by(|a: &QueuePause, b| (&a.queue, &a.namespace).cmp(&(&b.queue, &b.namespace)));
    Ok(pauses)
}

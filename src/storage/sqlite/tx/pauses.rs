//! Queues of which nothing is claimed.

use rusqlite::Connection;

use super::all;
use crate::domain::time::Timestamp;
use crate::storage::Result;
use crate::storage::rows::QueuePause;

const PAUSE: &str = "
    INSERT INTO tasker_paused_queues (queue, namespace, paused_at, by, reason) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO NOTHING";

const RESUME: &str = "DELETE FROM tasker_paused_queues WHERE queue = ?1 AND namespace = ?2";

/// Few rows, read whole.
const PAUSED: &str = "
    SELECT queue, nullif(namespace, ''), paused_at, by, reason FROM tasker_paused_queues ORDER BY queue, namespace";

pub(super) fn pause(connection: &Connection, pause: &QueuePause, now: Timestamp) -> Result<bool> {
    let QueuePause { queue, namespace, by, reason, .. } = pause;
    let namespace = namespace.as_deref().unwrap_or_default();
    Ok(connection.prepare_cached(PAUSE)?.execute((queue, namespace, now, by, reason))? == 1)
}

pub(super) fn resume(connection: &Connection, queue: &str, namespace: Option<&str>) -> Result<bool> {
    Ok(connection.prepare_cached(RESUME)?.execute((queue, namespace.unwrap_or_default()))? == 1)
}

pub(super) fn all_paused(connection: &Connection) -> Result<Vec<QueuePause>> {
    all(connection, PAUSED, (), |row| {
        let (queue, namespace, at) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(QueuePause { queue, namespace, at, by: row.get(3)?, reason: row.get(4)? })
    })
}

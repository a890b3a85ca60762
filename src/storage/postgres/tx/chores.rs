//! What any process does now and then, for all.

use std::time::Duration;

use super::PostgresTx;
use crate::storage::Result;
use crate::storage::postgres::values::instant;

/// A probe of the primary key. Of several at once the others wait, and then find it begun.
const BEGIN: &str = "
    INSERT INTO tasker_chores AS c (name, begun_at) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET begun_at = $2 WHERE c.begun_at <= $3
    RETURNING 1";

pub(super) async fn begin(tx: &mut PostgresTx<'_>, name: &str, every: Duration) -> Result<bool> {
    let now = tx.now_stored().await?;
    let due = instant(crate::domain::time::Timestamp(now.timestamp_micros()).before(every))?;
    Ok(tx.row(sqlx::query(BEGIN).bind(name.to_owned()).bind(now).bind(due)).await?.is_some())
}

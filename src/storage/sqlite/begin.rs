//! Waiting for one's turn to write.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::failure::is_busy;
use crate::storage::{Result, StoreError};

const BEGIN_IMMEDIATE: &str = "BEGIN IMMEDIATE";

/// Begins a transaction that may write, once no other process is writing.
///
/// SQLite's own waiting doubles its naps up to 100 ms, so that whoever came first waits longest.
/// Looking again after about a commit's time is fairer, and costs little.
pub(super) fn begin_immediate(connection: &Connection, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    connection.busy_timeout(Duration::ZERO)?;
    let begun = loop {
        match connection.prepare_cached(BEGIN_IMMEDIATE).and_then(|mut begin| begin.execute(())) {
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_micros(fastrand::u64(300..1_500)));
            }
            Err(error) if is_busy(&error) => {
                break Err(StoreError::Conflict(format!(
                    "another process kept the database file locked for {:.1} s (the option busy_timeout of its URL)",
                    patience.as_secs_f64()
                ).into()));
            }
            other => break other.map(drop).map_err(Into::into),
        }
    };
    // For what else may find the file locked, such as recovery after a crash.
    connection.busy_timeout(patience)?;
    begun
}

//! What any process does now and then, for all.

use std::time::Duration;

use rusqlite::Connection;

use super::all;
use crate::domain::time::Timestamp;
use crate::storage::Result;

const BEGIN: &str = "
    INSERT INTO tasker_chores (name, begun_at) VALUES (?1, ?2)
    ON CONFLICT (name) DO UPDATE SET begun_at = ?2 WHERE begun_at <= ?3";

const FREE_PAGES: &str = "PRAGMA freelist_count";

/// Nonzero where free pages can be given back without writing the whole file anew.
const GIVES_BACK: &str = "PRAGMA auto_vacuum";

pub(super) fn begin(connection: &Connection, name: &str, now: Timestamp, every: Duration) -> Result<bool> {
    Ok(connection.prepare_cached(BEGIN)?.execute((name, now, now.before(every)))? == 1)
}

/// Each page costs the move of another into its place. The file gets shorter with the next checkpoint.
pub(super) fn give_back_space(connection: &Connection, pages: usize) -> Result<bool> {
    let number = |sql: &str| connection.prepare_cached(sql)?.query_row((), |row| row.get::<_, i64>(0));
    if number(GIVES_BACK)? == 0 || number(FREE_PAGES)? == 0 {
        return Ok(false);
    }
    // Every step of this statement gives back a page.
    all(connection, &format!("PRAGMA incremental_vacuum({pages})"), (), |_| Ok(()))?;
    Ok(number(FREE_PAGES)? > 0)
}

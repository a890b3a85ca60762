//! Moving the log's pages into the file, after a commit has been answered.
//!
//! SQLite would do it by itself inside of a commit, which would then take that long, and would
//! not tell of a failed fsync but try it again later. See [`super::failure::is_fatal_at_commit`].

use rusqlite::Connection;

/// How many pages the log may hold that are not in the file yet: 16 MB.
const PAGES: i64 = 4_000;

/// How many more there must be before another try when a reader was in the way.
const PAGES_MORE: i64 = 1_000;

/// Costs a look at shared memory. Gives: was somebody in the way, pages in the log, pages moved.
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";

/// Moves what no reader is using, and waits for nobody.
const MOVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// When the next checkpoint is due.
#[derive(Debug)]
pub(super) struct Checkpoint {
    due_at: i64,
}

impl Default for Checkpoint {
    fn default() -> Self {
        Self { due_at: PAGES }
    }
}

impl Checkpoint {
    /// Checkpoints when it is due.
    pub(super) fn after_commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if waiting_pages(connection, LOOK)? >= self.due_at {
            let left = waiting_pages(connection, MOVE)?;
            self.due_at = PAGES.max(left + PAGES_MORE);
        }
        Ok(())
    }
}

fn waiting_pages(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(sql)?.query_row((), |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
}

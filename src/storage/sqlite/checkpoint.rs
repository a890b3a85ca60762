//! Moving the log's pages into the file: after a commit has been answered, and rather while nobody asks for one, since
//! the next has to wait for it.
//!
//! SQLite would do it by itself inside of a commit, which would then take that long, and would
//! not tell of a failed fsync but try it again later. See [`super::failure::is_fatal_at_commit`].

use std::time::Duration;

use rusqlite::Connection;

/// How many pages the log may hold that are not in the file yet, however busy the writer is: 16 MB.
const PAGES: i64 = 4_000;

/// How many are moved when the writer has nothing to do; how many more there must be before another try when a reader was
/// in the way.
const PAGES_MORE: i64 = 1_000;

/// For how long nobody has asked for a commit when it has nothing to do.
pub(super) const REST: Duration = Duration::from_millis(5);

/// Costs a look at shared memory. Gives: was somebody in the way, pages in the log, pages moved.
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";

/// Moves what no reader is using, and waits for nobody.
const MOVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// When the next checkpoint is due.
#[derive(Debug, Default)]
pub(super) struct Checkpoint {
    /// Pages in the log that are not in the file, as of the last commit.
    waiting: i64,
    /// Those of them that stayed there the last time.
    left: i64,
}

impl Checkpoint {
    /// Checkpoints when it can't wait for a rest.
    pub(super) fn after_commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.waiting = waiting_pages(connection, LOOK)?;
        if self.waiting >= PAGES.max(self.left + PAGES_MORE) {
            self.perform(connection)?;
        }
        Ok(())
    }

    /// Whether a rest is to be used for a checkpoint.
    pub(super) fn wants_rest(&self) -> bool {
        self.waiting >= self.left + PAGES_MORE
    }

    /// Checkpoints. What could not be moved, for whatever reason, is not tried again before there is more.
    pub(super) fn perform(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.left = self.waiting;
        self.left = waiting_pages(connection, MOVE)?;
        self.waiting = self.left;
        Ok(())
    }
}

fn waiting_pages(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(sql)?.query_row((), |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
}

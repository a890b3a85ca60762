//! Where a store's database is, and how its connections are opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::failure::is_busy;
use super::guard::{self, Registration};
use crate::storage::url::SqliteUrl;
use crate::storage::{Result, StoreError};

/// More than the statements of this store, so that each is compiled once per connection.
const STATEMENTS: usize = 256;

/// For every connection. Negative: KiB.
const SETTINGS: &str = "
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -16000;
";

/// For connections to a file. FULL: in WAL mode NORMAL may lose the last commits at a power cut.
/// fullfsync: macOS's plain fsync leaves data in the drive's cache; elsewhere it does nothing.
/// No automatic checkpoints: see [`super::checkpoint`].
const FILE_SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA wal_autocheckpoint = 0;
";

/// Before anything is written to a file: free pages can be given back later. A file that has tables keeps
/// what it has; `VACUUM` would have to write it anew, and the setting would wait for whoever writes.
const FIRST_SETTINGS: &str = "PRAGMA auto_vacuum = INCREMENTAL;";

/// SQLite counts milliseconds in 31 bits.
const LONGEST_BUSY_TIMEOUT: Duration = Duration::from_secs(86_400);

/// Where the database is.
#[derive(Debug)]
pub(super) enum Place {
    /// In memory, of the one connection that made it.
    Memory,
    /// In a file.
    File {
        path: PathBuf,
        busy_timeout: Duration,
        /// Until the store is closed.
        registration: Mutex<Option<Arc<Registration>>>,
    },
}

impl Place {
    /// Opens the database that `url` names, and the first connection to it.
    pub(super) fn open(url: &SqliteUrl) -> Result<(Self, Connection)> {
        let Some(path) = &url.path else {
            let connection = Connection::open_in_memory()?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            connection.execute_batch(FIRST_SETTINGS)?;
            connection.execute_batch(SETTINGS)?;
            return Ok((Self::Memory, connection));
        };
        let path = usable(path)?;
        let busy_timeout = url.busy_timeout.min(LONGEST_BUSY_TIMEOUT);
        let opening = OpenFlags::SQLITE_OPEN_CREATE;
        let (connection, registration) = guard::open_alone(&path, || connect(&path, busy_timeout, opening))?;
        let registration = Mutex::new(Some(Arc::new(registration)));
        Ok((Self::File { path, busy_timeout, registration }, connection))
    }

    /// Has `look` look at the file that `url` names, where there is one, through a connection that writes nothing.
    pub(super) fn inspect(url: &SqliteUrl, look: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
        let Some(path) = &url.path else { return Ok(()) };
        let path = usable(path)?;
        if !path.exists() {
            return Ok(());
        }
        // The connection is closed before the file may be anybody else's in this process.
        let _registered = guard::open_alone(&path, || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&path, flags).map_err(|error| explain(&path, error))?;
            connection.busy_timeout(url.busy_timeout.min(LONGEST_BUSY_TIMEOUT))?;
            connection.execute_batch("PRAGMA query_only = ON")?;
            look(&connection).map_err(|error| match error {
                StoreError::Database(_) => connection
                    .query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()))
                    .map_or_else(|error| explain(&path, error), |()| error),
                other => other,
            })
        })?;
        Ok(())
    }

    /// Another connection that may write, or the one that takes over after a fork.
    pub(super) fn writer(&self) -> Result<Connection> {
        match self {
            Self::Memory => Err(StoreError::Database("a database in memory has one connection".into())),
            // Not created anew: a file that vanished is an error, not an empty database.
            Self::File { path, busy_timeout, .. } => connect(path, *busy_timeout, OpenFlags::empty()),
        }
    }

    /// Another connection that only reads.
    pub(super) fn reader(&self) -> Result<Connection> {
        let connection = self.writer()?;
        connection.execute_batch("PRAGMA query_only = ON")?;
        Ok(connection)
    }

    /// What keeps the file ours in this process, for a connection to hold as long as it is open.
    pub(super) fn registration(&self) -> Option<Arc<Registration>> {
        match self {
            Self::Memory => None,
            Self::File { registration, .. } => registration.lock().clone(),
        }
    }

    /// The store is closed: the file is ours only as long as a connection is still in use.
    pub(super) fn release(&self) {
        if let Self::File { registration, .. } = self {
            *registration.lock() = None;
        }
    }

    /// How long to wait for another process's commit.
    pub(super) fn busy_timeout(&self) -> Duration {
        match self {
            Self::Memory => Duration::ZERO,
            Self::File { busy_timeout, .. } => *busy_timeout,
        }
    }
}

/// Its URL.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("sqlite::memory:"),
            Self::File { path, .. } => write!(f, "sqlite:{}", path.display()),
        }
    }
}

/// The absolute path of a file that exists or can be made.
fn usable(path: &Path) -> Result<PathBuf> {
    let refused = |why: String| Err(StoreError::Configuration(format!("the database file {}: {why}", path.display())));
    let path = match std::path::absolute(path) {
        Ok(path) => path,
        Err(error) => return refused(error.to_string()),
    };
    match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => return refused("it is a folder; name a file in it".into()),
        Ok(found) if !found.is_file() => return refused("it is not a regular file".into()),
        Ok(_) => {}
        Err(_) => {
            let folder = path.parent().unwrap_or(Path::new("/"));
            if !folder.is_dir() {
                return refused(format!("its folder {} does not exist; create it first", folder.display()));
            }
        }
    }
    Ok(path)
}

fn connect(path: &Path, busy_timeout: Duration, extra: OpenFlags) -> Result<Connection> {
    // One thread at a time uses a connection: Rust sees to that, SQLite needs no mutex of its own.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | extra;
    let explained = |error| explain(path, error);
    let connection = Connection::open_with_flags(path, flags).map_err(explained)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(busy_timeout)?;
    // SQLite falls back to reading when it may not write.
    if connection.is_readonly("main")? {
        return Err(StoreError::Configuration(format!(
            "the database file {} is read-only; tasker_core needs to write to it",
            path.display()
        )));
    }
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).map_err(explained)?;
    if pages == 0 {
        connection.execute_batch(FIRST_SETTINGS).map_err(explained)?;
    }
    use_wal(path, &connection, busy_timeout)?;
    connection.execute_batch(SETTINGS).map_err(explained)?;
    connection.execute_batch(FILE_SETTINGS).map_err(explained)?;
    Ok(connection)
}

/// Sees to it that the file is in WAL mode, which it then stays in.
fn use_wal(path: &Path, connection: &Connection, busy_timeout: Duration) -> Result<()> {
    let deadline = Instant::now() + busy_timeout.max(Duration::from_secs(1));
    let mode: String = loop {
        // Asking first: changing the mode needs the file for itself, and SQLite does not wait for
        // that when several processes start at once.
        let mode =
            connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)).and_then(|mode| {
                match mode.as_str() {
                    "wal" => Ok(mode),
                    _ => connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)),
                }
            });
        match mode {
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_micros(fastrand::u64(500..3_000)));
            }
            other => break other.map_err(|error| explain(path, error))?,
        }
    };
    if mode == "wal" {
        return Ok(());
    }
    Err(StoreError::Configuration(format!(
        "the database file {} cannot be put into WAL mode (it stays in {mode}): its file system does not support it. \
         Network file systems don't; use a local disk, or PostgreSQL",
        path.display()
    )))
}

/// What a failure to open means.
fn explain(path: &Path, error: rusqlite::Error) -> StoreError {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Configuration(format!(
            "the file {path} is not an SQLite database; name another file, or move this one away"
        )),
        Some(ErrorCode::CannotOpen) => StoreError::Configuration(format!(
            "the database file {path} cannot be opened or created ({error}): check the permissions of the file and \
             its folder, in which SQLite also keeps the files …-wal and …-shm"
        )),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::Configuration(format!(
            "the database file {path} or its folder is read-only ({error}); tasker_core needs to write to both"
        )),
        _ if is_busy(&error) => {
            StoreError::Conflict(format!("another process keeps the database file {path} locked").into())
        }
        _ => error.into(),
    }
}

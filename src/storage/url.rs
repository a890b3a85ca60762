//! Database URLs and their options.
//!
//! | URL | database |
//! |---|---|
//! | `sqlite:relative/path`, `sqlite:///absolute/path` | an embedded file, created where missing |
//! | `sqlite::memory:` | a private database in memory |
//! | `postgres://user:password@host:port/name`, `postgresql://…` | a server |
//!
//! | option | for | default | meaning |
//! |---|---|---|---|
//! | `pool` | both | 5 | the most connections (SQLite: readers, beside the one writer) |
//! | `acquire_timeout` | both | 5 | seconds to wait for a free connection |
//! | `busy_timeout` | SQLite | 5 | seconds to wait for another process's commit |
//! | `connect_timeout` | PostgreSQL | 5 | seconds to wait for the server |
//! | `answer_timeout` | PostgreSQL | 120 | seconds that one transaction may take before its connection counts as dead |
//! | `prepared` | PostgreSQL | `true` | `false` behind a pooler in transaction mode |
//! | `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `application_name`, `options`, `host`, `port`, `user`, `password`, `dbname` | PostgreSQL | | as in libpq |

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use url::Url;

use super::{Result, StoreError};
use crate::domain::fault::hint;
use crate::domain::time::seconds;

/// What a store needs to know beside where its database is.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The most connections; a URL's `pool` wins.
    pub pool: u32,
    /// How long to wait for a free connection; a URL's `acquire_timeout` wins.
    pub acquire_timeout: Duration,
    /// Microseconds to add to the database's clock: tests travel with it, nothing else does.
    pub clock_offset: Arc<AtomicI64>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { pool: 5, acquire_timeout: Duration::from_secs(5), clock_offset: Arc::default() }
    }
}

/// A parsed database URL.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// SQLite.
    Sqlite(SqliteUrl),
    /// PostgreSQL.
    Postgres(PostgresUrl),
}

/// Where an SQLite database is.
#[derive(Clone, Debug)]
pub struct SqliteUrl {
    /// The file; `None` is a private database in memory.
    pub path: Option<PathBuf>,
    /// `pool` of the URL.
    pub pool: Option<u32>,
    /// `acquire_timeout` of the URL.
    pub acquire_timeout: Option<Duration>,
    /// How long to wait for another process's commit.
    pub busy_timeout: Duration,
}

/// Where a PostgreSQL database is.
#[derive(Clone)]
pub struct PostgresUrl {
    /// The URL without this library's own options; it may hold a password.
    pub url: Url,
    /// `pool` of the URL.
    pub pool: Option<u32>,
    /// `acquire_timeout` of the URL.
    pub acquire_timeout: Option<Duration>,
    /// How long to wait for the server.
    pub connect_timeout: Duration,
    /// How long one transaction may take before its connection counts as dead.
    pub answer_timeout: Duration,
    /// Whether statements are prepared by name on the server.
    pub prepared: bool,
}

const COMMON: &[&str] = &["pool", "acquire_timeout"];
const SQLITE: &[&str] = &["pool", "acquire_timeout", "busy_timeout"];
const POSTGRES: &[&str] = &["pool", "acquire_timeout", "connect_timeout", "answer_timeout", "prepared"];
const LIBPQ: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
    "options",
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
];

impl DatabaseUrl {
    /// Parses `text`.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] when it is malformed, of an unknown kind, or has an unknown
    /// or malformed option. The message never shows a password.
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("sqlite", rest)) => Self::sqlite(rest),
            Some(("postgres" | "postgresql", _)) => Self::postgres(text),
            // What follows may hold a password, wherever it stands.
            _ => Err(refused(format!(
                "{:?} is not a database URL: it starts with sqlite: (sqlite:tasker.sqlite3, sqlite:///var/lib/app/tasker.sqlite3, sqlite::memory:) or postgres:// (postgres://user@host/database)",
                text.split([':', '?', '@']).next().unwrap_or_default(),
            ))),
        }
    }

    fn sqlite(rest: &str) -> Result<Self> {
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let place = place.strip_prefix("//").unwrap_or(place);
        if place.is_empty() {
            return Err(refused(
                "the database URL names no file: sqlite:tasker.sqlite3, or sqlite::memory: for one in memory".into(),
            ));
        }
        if place.starts_with(':') && place != ":memory:" {
            return Err(refused(format!("{place:?} is no place for a database: sqlite::memory: is one in memory")));
        }
        let mut url = SqliteUrl {
            path: (place != ":memory:").then(|| PathBuf::from(decode(place))),
            pool: None,
            acquire_timeout: None,
            busy_timeout: Duration::from_secs(5),
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "pool" => url.pool = Some(count(&name, &value)?),
                "acquire_timeout" => url.acquire_timeout = Some(span(&name, &value)?),
                "busy_timeout" => url.busy_timeout = span(&name, &value)?,
                _ => return Err(unknown(&name, SQLITE, POSTGRES.iter().chain(LIBPQ), "PostgreSQL")),
            }
        }
        Ok(Self::Sqlite(url))
    }

    fn postgres(text: &str) -> Result<Self> {
        let mut url = Url::parse(text).map_err(|error| {
            refused(format!("the database URL is malformed ({error}): postgres://user:password@host:5432/database, with special characters in user and password percent-encoded"))
        })?;
        if url.cannot_be_a_base() {
            return Err(refused(
                "the database URL is malformed: postgres: is followed by //, as in postgres://user@host/database"
                    .into(),
            ));
        }
        let mut found = PostgresUrl {
            url: url.clone(),
            pool: None,
            acquire_timeout: None,
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(120),
            prepared: true,
        };
        let mut passed_on = Vec::new();
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "pool" => found.pool = Some(count(&name, &value)?),
                "acquire_timeout" => found.acquire_timeout = Some(span(&name, &value)?),
                "connect_timeout" => found.connect_timeout = span(&name, &value)?,
                "answer_timeout" => found.answer_timeout = span(&name, &value)?,
                "prepared" => found.prepared = truth(&name, &value)?,
                known if LIBPQ.contains(&known) => passed_on.push((name.into_owned(), value.into_owned())),
                _ => return Err(unknown(&name, &[POSTGRES, LIBPQ].concat(), SQLITE.iter(), "SQLite")),
            }
        }
        url.set_query(None);
        if !passed_on.is_empty() {
            url.query_pairs_mut().extend_pairs(passed_on);
        }
        found.url = url;
        Ok(Self::Postgres(found))
    }

    /// The URL for people: no password in it.
    pub fn redacted(&self) -> String {
        match self {
            Self::Sqlite(url) => {
                url.path.as_ref().map_or_else(|| "sqlite::memory:".into(), |path| format!("sqlite:{}", path.display()))
            }
            Self::Postgres(url) => url.redacted(),
        }
    }
}

/// Without a password.
impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({})", self.redacted())
    }
}

impl PostgresUrl {
    /// The URL for people: no password and no options in it.
    pub fn redacted(&self) -> String {
        let mut url = self.url.clone();
        // Both fail only for a URL that has no host, which then has no password either.
        let _ = url.set_password(None);
        url.set_query(None);
        url.to_string()
    }

    /// The database's name as the driver takes it: an option before the path. Empty when the URL names none.
    pub fn database(&self) -> String {
        let option = self.url.query_pairs().find(|(name, _)| name == "dbname").map(|(_, value)| value.into_owned());
        option.unwrap_or_else(|| decode(self.url.path().trim_start_matches('/')))
    }

    /// `host:port`, for messages.
    pub fn place(&self) -> String {
        let option =
            |wanted: &str| self.url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        let host =
            option("host").or_else(|| self.url.host_str().map(str::to_owned)).unwrap_or_else(|| "localhost".into());
        let port =
            option("port").or_else(|| self.url.port().map(|port| port.to_string())).unwrap_or_else(|| "5432".into());
        format!("{host}:{port}")
    }
}

fn refused(message: String) -> StoreError {
    StoreError::Configuration(message)
}

fn unknown<'a>(name: &str, valid: &[&str], elsewhere: impl Iterator<Item = &'a &'a str>, other: &str) -> StoreError {
    if elsewhere.into_iter().any(|known| *known == name && !COMMON.contains(&name)) {
        return refused(format!("the option {name:?} of the database URL is for {other}"));
    }
    refused(format!("the database URL has an unknown option {name:?}{}", hint(name, valid.iter().copied())))
}

fn count(name: &str, value: &str) -> Result<u32> {
    value.parse().ok().filter(|n| (1..=1_000).contains(n)).ok_or_else(|| {
        refused(format!("the option {name} of the database URL is a number from 1 to 1000, not {value:?}"))
    })
}

fn span(name: &str, value: &str) -> Result<Duration> {
    value
        .parse()
        .ok()
        .and_then(seconds)
        .ok_or_else(|| refused(format!("the option {name} of the database URL is a number of seconds, not {value:?}")))
}

fn truth(name: &str, value: &str) -> Result<bool> {
    value.parse().map_err(|_| refused(format!("the option {name} of the database URL is true or false, not {value:?}")))
}

/// Percent-decodes a path or a name in one.
fn decode(path: &str) -> String {
    let escaped = path.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(escaped.as_bytes()).map(|(name, _)| name.into_owned()).next().unwrap_or_default()
}

//! Database URLs.

use std::path::PathBuf;
use std::time::Duration;

use tasker_core::storage::url::{DatabaseUrl, PostgresUrl, SqliteUrl};

fn sqlite(text: &str) -> SqliteUrl {
    match DatabaseUrl::parse(text).unwrap() {
        DatabaseUrl::Sqlite(url) => url,
        DatabaseUrl::Postgres(_) => panic!("{text}"),
    }
}

fn postgres(text: &str) -> PostgresUrl {
    match DatabaseUrl::parse(text).unwrap() {
        DatabaseUrl::Postgres(url) => url,
        DatabaseUrl::Sqlite(_) => panic!("{text}"),
    }
}

fn refusal(text: &str) -> String {
    let said = DatabaseUrl::parse(text).unwrap_err().to_string();
    assert!(!said.contains("s3cret"), "{said}");
    said
}

#[test]
fn files_are_relative_or_absolute_or_none() {
    assert_eq!(sqlite("sqlite:a/b.sqlite3").path, Some(PathBuf::from("a/b.sqlite3")));
    assert_eq!(sqlite("sqlite:///var/t.sqlite3").path, Some(PathBuf::from("/var/t.sqlite3")));
    assert_eq!(sqlite("sqlite:with%20space+plus&=.db").path, Some(PathBuf::from("with space+plus&=.db")));
    assert_eq!(sqlite("sqlite::memory:").path, None);
    assert!(refusal("sqlite:").contains("names no file"));
}

#[test]
fn options_have_defaults_and_are_read() {
    let plain = sqlite("sqlite:a");
    assert_eq!((plain.pool, plain.acquire_timeout, plain.busy_timeout), (None, None, Duration::from_secs(5)));
    let full = sqlite("sqlite:a?pool=9&acquire_timeout=0.5&busy_timeout=20");
    assert_eq!((full.pool, full.acquire_timeout), (Some(9), Some(Duration::from_millis(500))));
    assert_eq!(full.busy_timeout, Duration::from_secs(20));
    let full = postgres("postgresql://u@h/d?pool=3&acquire_timeout=2&connect_timeout=1&prepared=false&sslmode=require");
    assert_eq!((full.pool, full.prepared), (Some(3), false));
    assert_eq!((full.acquire_timeout, full.connect_timeout), (Some(Duration::from_secs(2)), Duration::from_secs(1)));
    assert_eq!(full.url.query(), Some("sslmode=require"), "only libpq's options are passed on");
    assert!(postgres("postgres://h/d").prepared);
}

#[test]
fn what_cannot_be_used_is_named() {
    for (text, said) in [
        ("sqlite:a?pol=1", "unknown option \"pol\" (did you mean \"pool\"?)"),
        ("sqlite:a?prepared=true", "is for PostgreSQL"),
        ("postgres://h/d?busy_timeout=1", "is for SQLite"),
        ("postgres://u:s3cret@h/d?sslmod=require", "did you mean \"sslmode\"?"),
        ("postgres://u:s3cret@h/d?pool=0", "from 1 to 1000"),
        ("sqlite:a?pool=many", "from 1 to 1000, not \"many\""),
        ("sqlite:a?busy_timeout=-1", "number of seconds"),
        ("postgres://h/d?prepared=yes", "true or false, not \"yes\""),
        ("postgres://u:s3cret@h:port/d", "malformed"),
        ("mysql://u:s3cret@h/d", "\"mysql\" is not a database URL"),
        ("tasker.sqlite3", "\"tasker.sqlite3\" is not a database URL"),
        ("postgers://h/d?password=s3cret", "\"postgers\" is not a database URL"),
        ("postgres:u:s3cret", "followed by //"),
        ("sqlite", "\"sqlite\" is not a database URL: it starts with sqlite:"),
        ("postgres", "\"postgres\" is not a database URL"),
        ("postgresql", "\"postgresql\" is not a database URL"),
        ("sqlite?pool=1", "\"sqlite\" is not a database URL"),
        ("sqlité", "\"sqlité\" is not a database URL"),
        (":", "\"\" is not a database URL"),
        ("", "\"\" is not a database URL"),
    ] {
        let found = refusal(text);
        assert!(found.contains(said), "{text}: {found}");
        assert!(!found.contains("s3cret"), "{text}: {found}");
    }
}

#[test]
fn a_misspelt_memory_is_no_file() {
    for text in ["sqlite::memory:x", "sqlite::memory", "sqlite://:mem:"] {
        let refused = DatabaseUrl::parse(text).unwrap_err().to_string();
        assert!(refused.contains("sqlite::memory: is one in memory"), "{text}: {refused}");
    }
}

#[test]
fn a_password_is_never_shown() {
    let url = DatabaseUrl::parse("postgres://me:s3cret@host:6543/d?password=s3cret&sslmode=disable").unwrap();
    assert_eq!(url.redacted(), "postgres://me@host:6543/d");
    assert_eq!(postgres("postgres://me:s3cret@host:6543/d").place(), "host:6543");
    assert_eq!(postgres("postgres:///d?host=/run/pg&port=1").place(), "/run/pg:1");
    assert_eq!(sqlite("sqlite::memory:").path, None);
    assert_eq!(DatabaseUrl::parse("sqlite:a?pool=1").unwrap().redacted(), "sqlite:a");
}

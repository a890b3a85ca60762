//! What the suites share.
#![allow(dead_code)]

pub mod behind;
pub mod direct;
pub mod growth;
pub mod host;
pub mod lab;
pub mod postgres;
pub mod relay;

/// Declares each function as two tests: on a fresh SQLite file, and on a fresh PostgreSQL database.
#[macro_export]
macro_rules! on_each_database {
    ($(fn $name:ident($url:ident: &str) $body:block)+) => {
        mod cases {
            use super::*;
            $(pub(super) fn $name($url: &str) $body)+
        }
        mod sqlite {
            $(#[test] fn $name() {
                let folder = tempfile::tempdir().expect("a folder");
                super::cases::$name(&format!("sqlite:{}/test.sqlite3", folder.path().display()));
            })+
        }
        mod postgres {
            $(#[test] fn $name() {
                let database = $crate::support::fresh_postgres();
                super::cases::$name(&database.url);
            })+
        }
    };
}

/// Declares each function as a test on a fresh PostgreSQL database.
#[macro_export]
macro_rules! on_postgres {
    ($(fn $name:ident($url:ident: &str) $body:block)+) => {
        $(#[test] fn $name() {
            let database = $crate::support::fresh_postgres();
            let $url = database.url.as_str();
            $body
        })+
    };
}

/// A fresh PostgreSQL database, for a test that has no runtime of its own.
pub fn fresh_postgres() -> postgres::TestDatabase {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(postgres::fresh_database())
}

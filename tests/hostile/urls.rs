//! Database URLs: used or refused, and no password in what is said of them.

use proptest::prelude::*;
use tasker_core::storage::url::DatabaseUrl;

use crate::bounds::try_many;
use crate::json::text;

/// In no other part of a URL.
const PASSWORD: &str = "Pa55w0rd-of-mine";

/// Pieces of URLs in any order, with a password where one may be and where none may.
fn url() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "postgres:", "postgresql://", "sqlite:", "sqlite://", "mysql://", "//", "/", ":", "@", "?", "&", "=", "#", "%",
            "%00", "%zz", "user", "host", "localhost", "[::1]", "[", ":5432", ":99999", "name", "password=", "pool=", "5",
            "prepared=", "true", "sslmode=", "require", "host=/run", "memory", ":memory:", "options=-c", "dbname=", "a.b",
        ])
        .prop_map(str::to_owned),
        1 => text(),
        2 => Just(PASSWORD.to_owned()),
    ];
    let any_order = prop::collection::vec(piece.clone(), 0..9).prop_map(|pieces| pieces.concat());
    let usual = (prop::collection::vec(piece, 0..5), any::<bool>()).prop_map(|(pieces, early)| {
        let rest = pieces.concat();
        if early {
            format!("postgres://me:{PASSWORD}@{rest}")
        } else {
            format!("postgres://h/d?{rest}&password={PASSWORD}")
        }
    });
    prop_oneof![any_order, usual]
}

#[test]
fn a_url_is_used_or_refused() {
    try_many("URLs", &url(), String::len, |url| match DatabaseUrl::parse(&url) {
        Ok(parsed) => drop((parsed.redacted(), format!("{parsed:?}"))),
        Err(error) => assert!(!error.to_string().is_empty()),
    });
}

#[test]
fn a_password_where_one_stands_is_never_said() {
    let places = prop::sample::select(vec![
        format!("postgres://me:{PASSWORD}@host/db?"),
        format!("postgres://me:{PASSWORD}@"),
        format!("postgresql://:{PASSWORD}@host:5432/db?"),
        format!("postgres://host/db?password={PASSWORD}&"),
        format!("postgers://host/db?password={PASSWORD}&"),
        format!("postgres:me:{PASSWORD}@host/"),
        format!("mysql://me:{PASSWORD}@host/"),
    ]);
    let rest = prop::collection::vec(prop_oneof![text(), Just("pool=x".to_owned()), Just(":port/".to_owned())], 0..3);
    try_many(
        "passwords",
        &(places, rest),
        |(place, _)| place.len(),
        |(place, rest)| {
            let said = match DatabaseUrl::parse(&format!("{place}{}", rest.concat())) {
                Ok(url) => format!("{} {url:?}", url.redacted()),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!said.contains(PASSWORD), "{said}");
        },
    );
}

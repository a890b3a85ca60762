//! Which databases factories may touch.

use tasker_core::engine::error::EngineError;
use tasker_core::ffi::testing::database_name::check;
use tasker_core::storage::url::DatabaseUrl;

fn accepts(url: &str) -> bool {
    match check(&DatabaseUrl::parse(url).unwrap()) {
        Ok(()) => true,
        Err(EngineError::Configuration(message)) => {
            assert!(message.contains("postgres://host/app_test"), "{message}");
            false
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn the_word_test_lets_them_in() {
    for url in [
        "sqlite::memory:",
        "sqlite:test.sqlite3",
        "sqlite:///srv/app/storage/app_test.sqlite3?pool=2",
        "sqlite:AppTest.db",
        "sqlite:my-tests-2.sqlite3",
        "sqlite:shop.testing",
        "postgres://localhost/app_test",
        "postgres://u:p@localhost:5432/app_test2?sslmode=disable",
        "postgresql://localhost/TEST",
        "postgres://localhost/app%5Ftest",
        "postgres://localhost/production?dbname=app_test",
    ] {
        assert!(accepts(url), "{url}");
    }
}

#[test]
fn no_other_word_does() {
    for url in [
        "sqlite:tasker.sqlite3",
        "sqlite:latest.sqlite3",
        "sqlite:contest.db",
        "sqlite:testimonials.sqlite3",
        "sqlite:/srv/test/production.sqlite3",
        "postgres://localhost/app_production",
        "postgres://test@test.example.com/app",
        "postgres://localhost",
        "postgres://localhost/app_test?dbname=app",
        "postgres://localhost/greatest",
    ] {
        assert!(!accepts(url), "{url}");
    }
}

#[test]
fn the_refusal_shows_no_password() {
    let url = DatabaseUrl::parse("postgres://u:secret@localhost/app").unwrap();
    let message = check(&url).unwrap_err().to_string();
    assert!(message.contains("\"app\"") && !message.contains("secret"), "{message}");
}

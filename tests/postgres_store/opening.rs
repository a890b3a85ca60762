//! Opening: migrations, and what is said when a server is absent or refuses.

use std::time::{Duration, Instant};

use tasker_core::storage::{Store, StoreError};

use crate::support::postgres::{execute, free_port, fresh_database};

use crate::helpers::*;

#[tokio::test]
async fn ten_processes_that_start_at_once_migrate_once() {
    let database = fresh_database().await;
    let openers = (0..10).map(|_| try_open(&database.url));
    for store in futures_util::future::join_all(openers).await {
        store.expect("the store opens").close().await;
    }
    let mut connection = database.connect().await;
    let applied = "SELECT count(*) FROM tasker_schema_migrations WHERE version IN (1, 2)";
    assert_eq!(number(&mut connection, applied).await, 2);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let database = fresh_database().await;
    open(&database).await.close().await;
    let mut connection = database.connect().await;
    execute(&mut connection, "INSERT INTO tasker_schema_migrations (version) VALUES (99)".into()).await;
    let error = try_open(&database.url).await.err().expect("it is refused");
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the database was written by a newer tasker_core (schema 99, this one knows 5); upgrade the gem"
    );
}

#[tokio::test]
async fn a_user_without_rights_is_told_what_to_grant() {
    let database = fresh_database().await;
    let mut connection = database.connect().await;
    let role = format!("tasker_test_{}", uuid::Uuid::now_v7().as_simple());
    execute(&mut connection, format!("CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM public")).await;
    let mut url = url::Url::parse(&database.url).expect("a URL");
    url.set_username(&role).expect("a user");
    let outcome = try_open(url.as_str()).await;
    execute(&mut connection, format!("DROP ROLE {role}")).await;
    let error = outcome.err().expect("it is refused");
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    assert!(error.to_string().contains("GRANT CREATE"), "{error}");
}

#[tokio::test]
async fn an_absent_server_is_reported_at_once_and_without_the_password() {
    let url = format!("postgres://app:sesame@127.0.0.1:{}/app?connect_timeout=2", free_port());
    let started = Instant::now();
    let error = try_open(&url).await.err().expect("there is no server");
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:"), "{error}");
    assert!(!format!("{error:?}").contains("sesame"));
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_after_connect_timeout() {
    // Accepts at the level of the kernel, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let started = Instant::now();
    let url = format!("postgres://app:sesame@127.0.0.1:{port}/app?connect_timeout=0.5");
    let error = try_open(&url).await.err().expect("there is no server");
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(!format!("{error:?}").contains("sesame"));
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let database = fresh_database().await;
    let mut url = url::Url::parse(&database.url).expect("a URL");
    url.set_path("no_such_place");
    let error = try_open(url.as_str()).await.err().expect("there is no such database");
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    assert!(error.to_string().contains("\"no_such_place\""), "{error}");
}

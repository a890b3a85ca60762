//! SQL behind the store's back.

use tasker_core::storage::url::DatabaseUrl;

/// Runs SQL that every database understands.
pub async fn behind_the_back(url: &str, sql: &str) {
    match DatabaseUrl::parse(url).unwrap() {
        DatabaseUrl::Sqlite(place) => {
            let connection = rusqlite::Connection::open(place.path.unwrap()).unwrap();
            connection.execute_batch(sql).unwrap();
        }
        DatabaseUrl::Postgres(place) => {
            use sqlx::Connection;
            let mut connection = sqlx::PgConnection::connect(place.url.as_str()).await.unwrap();
            super::postgres::execute(&mut connection, sql.to_owned()).await;
        }
    }
}

/// The texts that a query gives.
pub async fn rows_behind_the_back(url: &str, sql: &'static str) -> Vec<String> {
    match DatabaseUrl::parse(url).unwrap() {
        DatabaseUrl::Sqlite(place) => {
            let connection = rusqlite::Connection::open(place.path.unwrap()).unwrap();
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map((), |row| row.get(0)).unwrap();
            rows.collect::<rusqlite::Result<_>>().unwrap()
        }
        DatabaseUrl::Postgres(place) => {
            use sqlx::Connection;
            let mut connection = sqlx::PgConnection::connect(place.url.as_str()).await.unwrap();
            sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
        }
    }
}

//! Opening, forking and closing a store.

use std::time::Duration;

use tasker_core::storage::url::DatabaseUrl;
use tasker_core::storage::{AnyStore, Store, StoreError};

use crate::bench::*;
use crate::calls::*;

on_each_store! {
    async fn ten_stores_share_a_database(db: &Database) {
        let stores = futures_util::future::join_all((0..10).map(|_| db.beside())).await;
        for store in &stores {
            store.as_ref().unwrap().write(OpenSession { id: session(), ttl: MINUTE }).await.unwrap();
        }
        assert_eq!(db.read(LiveSessions {}).await, 10);
        for store in stores.into_iter().flatten() {
            store.close().await;
        }
    }

    async fn a_newer_schema_is_refused(db: &Database) {
        let newer = "INSERT INTO tasker_schema_migrations (version, applied_at)
            SELECT 99, applied_at FROM tasker_schema_migrations WHERE version = 1";
        db.store.close().await;
        behind_the_back(&db.url, newer).await;
        match db.beside().await.err() {
            Some(StoreError::Configuration(said)) => {
                assert!(said.contains("newer tasker_core (schema 99, this one knows 5); upgrade the gem"), "{said}");
            }
            other => panic!("{other:?}"),
        }
    }

    async fn an_examination_changes_nothing(db: &Database) {
        let url = DatabaseUrl::parse(&db.url).unwrap();
        let found = AnyStore::examine(&url, 3).await.unwrap();
        assert_eq!((found.schema, found.is_outdated()), (Some(found.newest_schema), false));
        assert!(found.version.chars().next().unwrap().is_ascii_digit(), "{found:?}");
        assert_eq!(found.commits.len(), if found.product == "PostgreSQL" { 3 } else { 0 }, "{found:?}");
        let last = "DELETE FROM tasker_schema_migrations WHERE version = (SELECT max(version) FROM tasker_schema_migrations)";
        behind_the_back(&db.url, last).await;
        let outdated = AnyStore::examine(&url, 0).await.unwrap();
        assert_eq!((outdated.schema, outdated.is_outdated()), (Some(found.newest_schema - 1), true));
        behind_the_back(&db.url, "DROP TABLE tasker_schema_migrations").await;
        for _ in 0..2 {
            assert_eq!(AnyStore::examine(&url, 0).await.unwrap().schema, None);
        }
    }

    async fn what_was_committed_is_there_for_the_next_opener(db: &Database) {
        let diamond = Diamond::store(db).await;
        let id = diamond.create(db).await;
        db.store.close().await;
        let again = db.beside().await.unwrap();
        assert_eq!(again.read(Tasks { ids: vec![id] }).await.unwrap()[0].id, id);
        again.close().await;
    }

    async fn suspension_holds_up_what_arrives_and_loses_nothing(db: &Database) {
        for round in 0..10 {
            let early = tokio::spawn({
                let store = db.store.clone();
                async move { store.write(OpenSession { id: session(), ttl: MINUTE }).await }
            });
            db.store.suspend().await;
            let late = tokio::spawn({
                let store = db.store.clone();
                async move {
                    store.read(LiveSessions {}).await?;
                    store.write(OpenSession { id: session(), ttl: MINUTE }).await
                }
            });
            tokio::time::sleep(Duration::from_millis(2)).await;
            db.store.resume();
            soon("the write under way", early).await.unwrap().unwrap();
            soon("the write that waited", late).await.unwrap().unwrap();
            assert_eq!(db.read(LiveSessions {}).await, 2 * (round + 1));
        }
        db.store.resume();
        assert_eq!(db.read(LiveSessions {}).await, 20, "resuming what is not suspended changes nothing");
    }

    async fn a_suspended_store_can_be_closed(db: &Database) {
        db.store.suspend().await;
        soon("the close", db.store.close()).await;
    }

    async fn a_closed_store_says_so(db: &Database) {
        db.write(OpenSession { id: session(), ttl: MINUTE }).await;
        tokio::join!(db.store.close(), db.store.close());
        assert!(matches!(db.store.write(LiveSessions {}).await, Err(StoreError::Closed)));
        assert!(matches!(db.store.read(LiveSessions {}).await, Err(StoreError::Closed)));
        soon("another close", db.store.close()).await;
    }

    async fn its_facts_are_those_of_its_pool(db: &Database) {
        let facts = db.store.facts();
        assert!(["sqlite", "postgres"].contains(&facts.backend), "{facts:?}");
        assert_eq!(facts.max, 5);
        let reads = (0..20).map(|_| db.read(LiveSessions {}));
        futures_util::future::join_all(reads).await;
        let facts = db.store.facts();
        assert!((1..=facts.max).contains(&facts.size) && facts.idle <= facts.size, "{facts:?}");
    }

    async fn another_store_wakes_this_one(db: &Database) {
        let other = db.beside().await.unwrap();
        let mut wakeups = db.store.wakeups();
        wakeups.mark_unchanged();
        // The ear of a store may still be on its way to the server: called until it hears.
        let calling = async {
            loop {
                other.write(OpenSession { id: session(), ttl: MINUTE }).await.unwrap();
                other.announce();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = calling => {}
            woken = soon("the wake-up", wakeups.changed()) => woken.unwrap(),
        }
        other.close().await;
    }
}

/// Of many processes that start at once on an empty database.
mod at_once {
    use super::*;
    use tasker_core::storage::url::StoreOptions;

    crate::on_each_database! {
        fn ten_openers_of_an_empty_database_migrate_it(url: &str) {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let opening = (0..10).map(|_| {
                    let url = DatabaseUrl::parse(url).unwrap();
                    tokio::spawn(async move { AnyStore::open(&url, &StoreOptions::default()).await })
                });
                for (count, store) in (1..).zip(futures_util::future::join_all(opening).await) {
                    let store = store.unwrap().unwrap();
                    store.write(OpenSession { id: session(), ttl: MINUTE }).await.unwrap();
                    assert_eq!(store.read(LiveSessions {}).await.unwrap(), count);
                    store.close().await;
                }
            });
        }
    }
}

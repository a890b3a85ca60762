//! Template versions, their settings and their lanes.

use std::sync::Arc;

use tasker_core::domain::id::NamedTaskId;
use tasker_core::domain::json::Json;
use tasker_core::domain::template::{Template, TemplateInput};
use tasker_core::engine::transactions::register::{Register, Registered};
use tasker_core::storage::rows::NewNamedTask;
use tasker_core::storage::{Store, StoreError};

use crate::bench::*;
use crate::calls::*;

const LOCK: LockNamedTask = LockNamedTask { namespace: "shop", name: "diamond", version: "1.0.0" };

fn registration(queue: &str) -> Register {
    let input = serde_json::json!({
        "name": "raced", "steps": [{ "name": "a", "queue": queue }, { "name": "b", "depends_on": "a" }],
    });
    let input: TemplateInput = serde_json::from_value(input).unwrap();
    let template = Arc::new(Template::build(input).unwrap());
    let normal = Json::of(template.normal()).unwrap();
    let fixed = Json::of(&template.fixed()).unwrap();
    Register { template, normal, fixed }
}

on_each_store! {
    async fn a_version_is_stored_once(db: &Database) {
        assert!(db.write(LOCK).await.is_none());
        let fixed = json(r#"{"b": 1.0, "a": [ ]}"#);
        let id = db.write(InsertNamedTask { new: NewNamedTask { fixed: fixed.clone(), ..diamond("1.0.0") } }).await;
        let found = db.write(LOCK).await.unwrap();
        assert_eq!((found.id, found.fixed), (id, fixed));
        assert!(found.latest.is_none());
        match db.try_write(InsertNamedTask { new: diamond("1.0.0") }).await {
            Err(StoreError::Conflict(_)) => {}
            other => panic!("{other:?}"),
        }
        assert_ne!(db.write(InsertNamedTask { new: diamond("1.0.1") }).await, id);
        let elsewhere = NewNamedTask { namespace: "store".into(), ..diamond("1.0.0") };
        assert_ne!(db.write(InsertNamedTask { new: elsewhere }).await, id);
    }

    async fn the_latest_settings_are_the_last_stored(db: &Database) {
        let id = db.write(InsertNamedTask { new: diamond("1.0.0") }).await;
        let settings = [json(r#"{"n": 1}"#), json(r#"{ "n":2, "ü": "\u0000" }"#), json(r#"{"n": 1}"#)];
        let mut ids = Vec::new();
        for template in &settings {
            ids.push(db.write(InsertRevision { id, template: template.clone() }).await);
            let (latest, stored) = db.write(LOCK).await.unwrap().latest.unwrap();
            assert_eq!((Some(&latest), &stored), (ids.last(), template));
        }
        assert!(ids.is_sorted());
        let mut found = db.read(Revisions { ids: vec![ids[1], ids[0]] }).await;
        found.sort_by_key(|row| row.id);
        assert_eq!(found.iter().map(|row| (row.id, row.named_task)).collect::<Vec<_>>(), [(ids[0], id), (ids[1], id)]);
        assert_eq!(found[1].template, settings[1]);
        assert_eq!(db.read(Versions { namespace: "shop", name: "diamond" }).await[0].revision, ids[2]);
    }

    async fn versions_and_names_are_listed(db: &Database) {
        assert!(db.read(TemplateNames {}).await.is_empty());
        for version in ["1.0.0", "2.0.0-rc.1", "10.0.0"] {
            db.write(StoreTemplate { new: diamond(version) }).await;
        }
        db.write(StoreTemplate { new: NewNamedTask { name: "ägg".into(), ..diamond("1.0.0") } }).await;
        let mut found: Vec<String> =
            db.read(Versions { namespace: "shop", name: "diamond" }).await.into_iter().map(|row| row.version).collect();
        found.sort_unstable();
        assert_eq!(found, ["1.0.0", "10.0.0", "2.0.0-rc.1"]);
        assert!(db.read(Versions { namespace: "shop", name: "Diamond" }).await.is_empty());
        assert!(db.read(Versions { namespace: "other", name: "diamond" }).await.is_empty());
        let mut names = db.read(TemplateNames {}).await;
        names.sort_unstable();
        assert_eq!(names, [("shop".to_owned(), "diamond".to_owned()), ("shop".to_owned(), "ägg".to_owned())]);
    }

    async fn a_version_is_used_from_its_first_task_on(db: &Database) {
        let diamond = Diamond::store(db).await;
        assert!(!db.write(IsUsed { id: diamond.id }).await);
        diamond.create(db).await;
        assert!(db.write(IsUsed { id: diamond.id }).await);
        let other = db.write(StoreTemplate { new: crate::bench::diamond("2.0.0") }).await;
        assert!(!db.write(IsUsed { id: other.id }).await);
    }

    async fn a_deleted_version_is_gone_and_its_ids_never_return(db: &Database) {
        let old = Diamond::store(db).await;
        db.write(DeleteNamedTask { id: old.id }).await;
        assert!(db.write(LOCK).await.is_none());
        assert!(db.read(Revisions { ids: vec![old.revision] }).await.is_empty());
        assert!(db.read(LanesOf { ids: vec![old.id] }).await.is_empty());
        let late = db.try_write(InsertTasks { tasks: vec![old.task()], ready: vec![] }).await;
        assert!(matches!(late, Err(StoreError::TemplateGone)), "{late:?}");
        let late = db.try_write(InsertRevision { id: old.id, template: Json::null() }).await;
        assert!(matches!(late, Err(StoreError::TemplateGone)), "{late:?}");
        let late = db.try_write(EnsureLanes { wanted: vec![(old.id, "new".into())] }).await;
        assert!(matches!(late, Err(StoreError::TemplateGone)), "{late:?}");
        let new = Diamond::store(db).await;
        assert!(new.id > old.id && new.revision > old.revision && new.lane > old.lane);
        let some_late = InsertTasks { tasks: vec![new.task(), old.task()], ready: vec![] };
        assert!(matches!(db.try_write(some_late).await, Err(StoreError::TemplateGone)));
        new.create(db).await;
        assert_eq!(db.read(CountTasks { filter: Default::default() }).await, 1);
    }

    async fn lanes_are_made_once_and_given_in_order(db: &Database) {
        let one = Diamond::store(db).await.id;
        let two = db.write(StoreTemplate { new: diamond("2.0.0") }).await.id;
        let pair = |id: NamedTaskId, queue: &str| (id, queue.to_owned());
        let wanted = vec![pair(two, "z"), pair(one, "default"), pair(one, "z"), pair(one, "Default")];
        let lanes = db.write(EnsureLanes { wanted: wanted.clone() }).await;
        assert_eq!(db.write(EnsureLanes { wanted: wanted.iter().rev().cloned().collect() }).await, {
            lanes.iter().rev().copied().collect::<Vec<_>>()
        });
        let mut found = db.read(LanesOf { ids: vec![one] }).await;
        found.sort_by_key(|row| row.id);
        let mut expected: Vec<_> = lanes.iter().zip(&wanted).filter(|(_, key)| key.0 == one).collect();
        expected.sort();
        let found: Vec<_> = found.into_iter().map(|row| (row.id, (row.named_task, row.queue))).collect();
        assert_eq!(found.iter().map(|(id, key)| (id, key)).collect::<Vec<_>>(), expected);
        assert_eq!(db.read(LanesOf { ids: vec![one, two] }).await.len(), 5);
    }

    async fn eight_that_make_one_lane_get_the_same(db: &Database) {
        let id = Diamond::store(db).await.id;
        for round in 0..10 {
            let wanted = vec![(id, format!("queue {round}")), (id, "shared".into())];
            let made = (0..8).map(|_| db.write(EnsureLanes { wanted: wanted.clone() }));
            let made = futures_util::future::join_all(made).await;
            assert!(made.windows(2).all(|pair| pair[0] == pair[1]), "{made:?}");
        }
    }

    async fn eight_that_register_one_template_end_in_one_row(db: &Database) {
        let others = futures_util::future::join_all((0..8).map(|_| db.beside())).await;
        let registering = others.iter().map(|store| {
            let store = store.as_ref().unwrap().clone();
            tokio::spawn(async move {
                loop {
                    // A conflict asks for the whole transaction again.
                    match store.write(registration("default")).await {
                        Ok(Registered::Done { named_task, revision, lanes }) => return (named_task, revision, lanes),
                        Ok(Registered::InUse { .. }) => panic!("it is not in use"),
                        Err(error) => assert!(matches!(error, StoreError::Conflict(_)), "{error}"),
                    }
                }
            })
        });
        let done = futures_util::future::join_all(registering).await;
        let done: Vec<_> = done.into_iter().map(Result::unwrap).collect();
        assert!(done.windows(2).all(|pair| pair[0] == pair[1]), "{done:?}");
        assert_eq!(db.read(Versions { namespace: "default", name: "raced" }).await.len(), 1);
        for store in others {
            store.unwrap().close().await;
        }
    }

    async fn registering_again_changes_nothing_but_what_changed(db: &Database) {
        let register = async |queue: &str| match db.write(registration(queue)).await {
            Registered::Done { named_task, revision, lanes } => (named_task, revision, lanes.len()),
            Registered::InUse { .. } => panic!("it is not in use"),
        };
        let (id, first, lanes) = register("default").await;
        assert_eq!(lanes, 1);
        assert_eq!(register("default").await, (id, first, 1));
        let (same, second, lanes) = register("other").await;
        assert_eq!((same, lanes), (id, 2));
        assert!(second > first);
        assert_eq!(db.read(LanesOf { ids: vec![id] }).await.len(), 2);
    }
}

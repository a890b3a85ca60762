//! What is stored comes back as it was, and is found.

use sqlx::Row;
use tasker_core::domain::id::*;
use tasker_core::domain::json::Json;
use tasker_core::domain::search::Term;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::storage::rows::*;
use tasker_core::storage::{Result, Store, StoreError, Transaction, Tx};

use crate::support::postgres::fresh_database;

use crate::helpers::*;

#[tokio::test]
async fn keys_go_to_whoever_was_first() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let ids: Vec<TaskId> = (0..4).map(|_| TaskId::generate()).collect();
    let row = |key: &str, task| KeyRow { namespace: "n".into(), name: "t".into(), key: key.into(), task };
    let take = |rows: Vec<KeyRow>| {
        let store = &store;
        async move {
            transact!(store.write(rows: Vec<KeyRow>) |tx| -> Vec<Option<TaskId>> { tx.take_keys(rows).await })
                .expect("keys are taken")
        }
    };
    let first = take(vec![row("b", ids[0]), row("a", ids[1]), row("b", ids[2])]).await;
    assert_eq!(first, [None, None, Some(ids[0])]);
    let second = take(vec![row("c", ids[3]), row("a", ids[3]), row("c", ids[0])]).await;
    assert_eq!(second, [None, Some(ids[1]), Some(ids[3])]);
}

#[tokio::test]
async fn a_template_version_is_stored_once() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let found =
        transact!(store.write() |tx| -> Option<NamedTaskRow> { tx.lock_named_task("test", "fork", "1.0.0").await });
    let found = found.expect("an answer").expect("it is there");
    assert_eq!((found.id, found.latest.map(|(id, _)| id)), (named.0, Some(named.1)));
    let task = create(&store, named, 1).await[0];
    let id = named.0;
    assert!(transact!(store.read(id: NamedTaskId) |tx| -> bool { tx.is_used(*id).await }).expect("an answer"));
    let mut connection = database.connect().await;
    let edges = sqlx::query("SELECT from_step, to_step FROM tasker_workflow_step_edges WHERE task_id = $1 ORDER BY 2");
    let edges = edges.bind(task.0).fetch_all(&mut connection).await.expect("edges");
    let edges: Vec<(String, String)> = edges.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(edges, [("first".into(), "left".into()), ("first".into(), "right".into())]);
    transact!(store.write(id: NamedTaskId) |tx| -> () { tx.delete_named_task(*id).await }).expect("deleted");
    let lanes = transact!(store.write(id: NamedTaskId) |tx| -> Vec<LaneId> {
        tx.ensure_lanes(&[(*id, "default".into())]).await
    });
    assert!(matches!(lanes, Err(StoreError::TemplateGone)), "{lanes:?}");
}

#[tokio::test]
async fn tasks_are_found_by_every_part_of_a_filter() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let plain = create(&store, named, 3).await;
    let special = NewTask {
        key: Some("k".into()),
        tags: vec!["a \"b\" \\ c, {d}".into(), String::new(), "NULL".into()],
        state: TaskState::Paused,
        priority: Some(-3),
        ..new_task(named.0, named.1)
    };
    transact!(store.write(special: NewTask) |tx| -> () {
        let terms = special.tags.iter().map(|tag| TermRow { task: special.id, term: Term::tag(tag) });
        tx.put_terms(&terms.collect::<Vec<_>>()).await?;
        tx.insert_tasks(std::slice::from_ref(special), &[]).await
    })
    .expect("stored");
    let list = |filter: TaskFilter, before: Option<TaskId>, limit: usize| {
        let store = &store;
        async move {
            transact!(store.read(filter: TaskFilter, before: Option<TaskId>, limit: usize) |tx| -> (Vec<TaskRow>, u64) {
                Ok((tx.list_tasks(filter, *before, *limit).await?, tx.count_tasks(filter).await?))
            })
            .expect("tasks are listed")
        }
    };
    let ids = |rows: &[TaskRow]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    let (page, count) = list(TaskFilter::default(), None, 2).await;
    assert_eq!((ids(&page), count), (vec![special.id, plain[2]], 4));
    assert_eq!(page[0].tags, special.tags);
    assert_eq!((page[0].priority, page[0].namespace.as_str(), page[0].name.as_str()), (Some(-3), "test", "fork"));
    let (page, _) = list(TaskFilter::default(), Some(plain[2]), 9).await;
    assert_eq!(ids(&page), [plain[1], plain[0]]);
    let everything = TaskFilter {
        states: vec![TaskState::Paused, TaskState::Error],
        namespace: Some("test".into()),
        name: Some("fork".into()),
        version: Some("1.0.0".into()),
        key: Some("k".into()),
        tag: Some(special.tags[0].clone()),
        ..TaskFilter::default()
    };
    assert_eq!(list(everything.clone(), None, 9).await.1, 1);
    let elsewhere = TaskFilter { version: Some("2.0.0".into()), ..everything };
    assert_eq!(list(elsewhere, None, 9).await.1, 0);
}

#[tokio::test]
async fn json_comes_back_byte_for_byte() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let text =
        r#"{ "z":1e20,"a": -0.0, "nul":"\u0000","lone":"\ud800", "z":2, "big":18446744073709551615, "deep":[[ ]] }"#;
    let task = NewTask { context: Json::from_trusted(text), ..new_task(named.0, named.1) };
    transact!(store.write(task: NewTask) |tx| -> () {
        tx.insert_tasks(std::slice::from_ref(task), &[]).await
    })
    .expect("stored");
    settle(&store, vec![complete(key(task.id, 0), Token(0), text)]).await;
    let read = transact!(store.read(task: NewTask) |tx| -> Vec<Json> {
        let head = tx.heads(&[task.id]).await?.remove(0).context;
        let row = tx.tasks(&[task.id]).await?.remove(0).context;
        let results = tx.results(&[key(task.id, 0), key(task.id, 1)]).await?;
        assert_eq!(results.len(), 1);
        let step = tx.steps(task.id).await?.remove(0).result.unwrap_or_else(Json::null);
        Ok(vec![head, row, results[0].1.clone(), step])
    })
    .expect("read");
    read.iter().for_each(|json| assert_eq!(json.as_str(), text));
    let bad = complete(key(task.id, 1), Token(0), "{");
    let refused = transact!(store.write(bad: StepMove) |tx| -> Vec<StepKey> {
        Ok(tx.settle_steps(std::slice::from_ref(bad)).await?.into_iter().map(|step| step.key).collect())
    });
    assert!(matches!(refused, Err(StoreError::Data(_))), "{refused:?}");
}

#[tokio::test]
async fn history_is_recorded_once() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let task = TaskId::generate();
    let by = Some(SessionId(uuid::Uuid::now_v7()));
    let step = StepTransition {
        revision: RevisionId(0),
        key: key(task, 1),
        seq: 1,
        from: Some(StepState::Pending),
        to: StepState::InProgress,
        attempt: 1,
        by,
        hold: None,
        detail: Some(Json::from_trusted("{\"a\":1}")),
    };
    let born = TaskTransition::created(task, RevisionId(0));
    let record = || async {
        transact!(store.write(step: StepTransition, born: TaskTransition) |tx| -> () {
            tx.record_steps(std::slice::from_ref(step)).await?;
            tx.record_tasks(std::slice::from_ref(born)).await
        })
    };
    record().await.expect("recorded");
    assert!(record().await.is_err());
    let (steps, tasks) = transact!(store.read(task: TaskId) |tx| -> (Vec<StoredTransition>, Vec<HistoryRow>) {
        Ok((tx.step_history(*task).await?, tx.task_history(*task).await?))
    })
    .expect("history");
    assert_eq!(
        (steps[0].row.index, steps[0].row.from.as_deref(), steps[0].row.to.as_str()),
        (Some(1), Some("pending"), "in_progress")
    );
    assert_eq!((steps[0].row.by, steps[0].row.attempt), (by, 1));
    assert_eq!(
        (tasks.len(), tasks[0].index, tasks[0].from.as_deref(), tasks[0].to.as_str()),
        (1, None, None, "pending")
    );
}

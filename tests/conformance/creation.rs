//! New tasks: their keys, and every field of them back as it was.

use std::collections::HashSet;

use tasker_core::domain::id::TaskId;
use tasker_core::domain::json::Json;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::Store;
use tasker_core::storage::rows::{KeyRow, NewTask};

use crate::bench::*;
use crate::calls::*;

/// JSON that a store which parses it would change or refuse.
const DELICATE: &[&str] = &[
    "null",
    r#"{"n": 1e20}"#,
    "[-0.0, 0.0, 1E400, 123456789012345678901234567890, 1.10]",
    r#"{"nul": "\u0000", "escaped": "\u00e9\/\ud83d\ude00", "raw": "é😀"}"#,
    "{\"b\":1,\"a\":2,\"b\":3}",
    " \t\n{ \"spaces\" :\r [ 1 ,2 ] } ",
    r#""'; DROP TABLE tasker_tasks; -- \\ \" $1 ? {} %s""#,
    r#"{"": {}, "a.b": [[], {}]}"#,
];

fn key_row(name: &str, key: &str, task: TaskId) -> KeyRow {
    KeyRow { namespace: "n".into(), name: name.into(), key: key.into(), task }
}

fn fields(row: &NewTask) -> impl PartialEq + std::fmt::Debug {
    let NewTask { id, revision, state, key, priority, queue, tags, initiator, reason, run_at, context, .. } =
        row.clone();
    (id, revision, state, key, priority, (queue, tags, initiator, reason, run_at, context))
}

on_each_store! {
    async fn a_key_is_taken_once(db: &Database) {
        let ids = task_ids(5);
        let first = vec![key_row("a", "k", ids[0]), key_row("a", "k", ids[1]), key_row("b", "k", ids[1])];
        assert_eq!(db.write(TakeKeys { rows: first }).await, [None, Some(ids[0]), None]);
        let rows = vec![
            key_row("a", "l", ids[3]),
            key_row("a", "k", ids[2]),
            key_row("a", "l", ids[2]),
            key_row("b", "k", ids[4]),
            key_row("a", "K", ids[4]),
            key_row("a", "k ", ids[4]),
        ];
        let expected = [None, Some(ids[0]), Some(ids[3]), Some(ids[1]), None, None];
        assert_eq!(db.write(TakeKeys { rows }).await, expected);
        let elsewhere = KeyRow { namespace: "m".into(), ..key_row("a", "k", ids[4]) };
        assert_eq!(db.write(TakeKeys { rows: vec![elsewhere] }).await, [None]);
        assert_eq!(db.write(TakeKeys { rows: vec![key_row("a", "k", ids[0])] }).await, [Some(ids[0])], "its own");
    }

    async fn of_many_that_take_a_key_at_once_one_gets_it(db: &Database) {
        for round in 0..20 {
            let ids = task_ids(8);
            let taking = ids.iter().map(|&id| {
                // Each in another order: no two may wait for one another in a circle.
                let mut keys = ["x", "y", "z"].map(|key| key_row("a", &format!("{key}{round}"), id)).to_vec();
                keys.rotate_left(id.0.as_u128() as usize % 3);
                let store = db.store.clone();
                tokio::spawn(async move { (id, keys.clone(), store.write(TakeKeys { rows: keys }).await.unwrap()) })
            });
            let mut owners: HashSet<(String, TaskId)> = HashSet::new();
            for taken in futures_util::future::join_all(taking).await {
                let (id, keys, outcome) = taken.unwrap();
                owners.extend(keys.into_iter().zip(outcome).map(|(row, owner)| (row.key, owner.unwrap_or(id))));
            }
            assert_eq!(owners.len(), 3, "{owners:?}");
        }
    }

    async fn every_field_comes_back(db: &Database) {
        let diamond = Diamond::store(db).await;
        let bare = diamond.task();
        let full = NewTask {
            key: Some("key ' \" \\ é 😀".into()),
            priority: Some(-32_767),
            queue: Some("slow lane".into()),
            tags: ["", "a,b", "\"", "\\", "{}", "NULL", "null", "é😀", " x ", "a", "a"].map(String::from).to_vec(),
            initiator: Some("".into()),
            reason: Some("line\nline\ttab".into()),
            run_at: Some(Timestamp(4_102_444_800_123_456)),
            context: json(r#"{"order": 7}"#),
            headers: Some(json(r#"{"locale": "de"}"#)),
            state: TaskState::Paused,
            live: 3,
            ..diamond.task()
        };
        let early = NewTask { run_at: Some(Timestamp(-1)), priority: Some(i16::MAX), ..diamond.task() };
        let rows = vec![bare, full, early];
        let now = diamond.insert(db, rows.clone()).await;
        for row in rows {
            let found = db.task(row.id).await;
            assert_eq!((found.namespace.as_str(), found.name.as_str(), found.version.as_str()), ("shop", "diamond", "1.0.0"));
            assert_eq!((found.created_at, found.started_at, found.finished_at), (now, None, None));
            assert_eq!(found.error, None);
            let head = db.read(Heads { ids: vec![row.id] }).await.remove(0);
            assert_eq!((head.id, head.named_task, head.revision), (row.id, diamond.id, diamond.revision));
            assert_eq!((head.priority, &head.queue), (row.priority, &row.queue));
            assert_eq!((&head.context, &head.headers), (&row.context, &row.headers));
            let stored = NewTask {
                state: found.state, key: found.key, priority: found.priority, queue: found.queue, tags: found.tags,
                initiator: found.initiator, reason: found.reason, run_at: found.run_at, context: found.context,
                id: found.id, revision: found.revision, ..row.clone()
            };
            assert_eq!(fields(&stored), fields(&row));
        }
    }

    async fn steps_begin_pending_with_their_parents(db: &Database) {
        let diamond = Diamond::store(db).await;
        let id = diamond.create(db).await;
        let steps = db.read(Steps { task: id }).await;
        assert_eq!(steps.len(), 4);
        for (index, step) in steps.iter().enumerate() {
            assert_eq!((step.index as usize, step.state, step.waiting), (index, StepState::Pending, DIAMOND[index]));
            assert_eq!((step.token.0, step.attempts, step.crashes), (0, 0, 0));
            assert_eq!((&step.result, &step.error), (&None, &None));
            assert_eq!((step.started_at, step.finished_at, step.next_retry_at), (None, None, None));
        }
    }

    async fn tasks_of_many_shapes_come_with_their_own_steps_and_what_is_ready_of_them(db: &Database) {
        let diamond = Diamond::store(db).await;
        let shapes: [&[i32]; 5] = [&[0], &DIAMOND, &[0, 0, 2], &[0], &[]];
        let new = |waiting: &[i32]| NewTask { waiting: waiting.into(), ..diamond.task() };
        let tasks = shapes.map(new).to_vec();
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        let rows = vec![ready(diamond.lane, 2, ids[2], 1), ready(diamond.lane, 5, ids[0], 0)];
        db.write(InsertTasks { tasks, ready: rows }).await;
        for (&id, shape) in ids.iter().zip(shapes) {
            let steps = db.read(Steps { task: id }).await;
            assert_eq!(steps.iter().map(|step| step.waiting).collect::<Vec<_>>(), shape);
        }
        let taken = db.write(TakeReady { lanes: from_the_start(&[diamond.lane]), limit: 9 }).await;
        let taken: Vec<_> = taken.iter().map(|row| (row.priority, row.key.task, row.key.index)).collect();
        assert_eq!(taken, [(5, ids[0], 0), (2, ids[2], 1)]);
    }

    async fn json_comes_back_byte_for_byte(db: &Database) {
        let diamond = Diamond::store(db).await;
        let large = Json::of(&"é\u{1}".repeat(262_144)).unwrap();
        assert!(large.as_str().len() > 1 << 20);
        for text in DELICATE.iter().map(|text| json(text)).chain([large]) {
            let task = NewTask { context: text.clone(), ..diamond.task() };
            let (id, key) = (task.id, tasker_core::domain::id::StepKey { task: task.id, index: 0 });
            diamond.insert(db, vec![task]).await;
            let mut done = step_move(key, 0, StepState::Complete);
            (done.result, done.error) = (Some(text.clone()), Some(text.clone()));
            db.write(SettleSteps { moves: vec![done] }).await;
            assert_eq!(db.task(id).await.context, text);
            assert_eq!(db.read(Heads { ids: vec![id] }).await[0].context, text);
            let step = db.step(key).await;
            assert_eq!((step.result, step.error), (Some(text.clone()), Some(text.clone())));
            assert_eq!(db.read(Results { keys: vec![key] }).await, [(key, text)]);
        }
    }

    async fn thousands_of_tasks_are_inserted_at_once(db: &Database) {
        let diamond = Diamond::store(db).await;
        let tasks: Vec<NewTask> = (0..2_000).map(|_| diamond.task()).collect();
        let last = tasks.last().unwrap().id;
        diamond.insert(db, tasks).await;
        assert_eq!(db.read(CountTasks { filter: Default::default() }).await, 2_000);
        assert_eq!(db.read(Steps { task: last }).await.len(), 4);
    }

    async fn a_task_is_not_inserted_twice(db: &Database) {
        let diamond = Diamond::store(db).await;
        let task = diamond.task();
        diamond.insert(db, vec![task.clone()]).await;
        let again = InsertTasks { tasks: vec![diamond.task(), task], ready: vec![] };
        db.store.write(again).await.unwrap_err();
        assert_eq!(db.read(CountTasks { filter: Default::default() }).await, 1);
    }
}

//! What many ask to have created at once: it is gathered, and each is answered for itself.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{join_all, maybe_done, select};
use parking_lot::Mutex;
use serde_json::json;
use tasker_core::domain::id::TaskId;
use tasker_core::domain::state::TaskState;
use tasker_core::domain::time::Timestamp;
use tasker_core::engine::catalog::StoredTemplate;
use tasker_core::engine::creation::NewTasks;
use tasker_core::engine::error::{EngineError, Result};
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::transactions::create::TaskPlan;
use tasker_core::engine::transactions::look::ListTasks;
use tasker_core::engine::worker::Worker;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::storage::Store;
use tasker_core::storage::rows::TaskFilter;
use tokio::sync::Notify;

use crate::helpers::single;
use crate::on_each_database;
use crate::support::host::*;
use crate::support::lab::{done, eventually};

#[derive(Default)]
pub struct Gate {
    held: Notify,
    shut: Mutex<()>,
}

// Keeps the template, and SQLite's writer, until the gate is open.
transaction!(Pass { gate: Arc<Gate> } -> (), |self, tx| {
    let template = tx.lock_named_task("default", "single", "1.0.0").await?;
    assert!(template.is_some());
    self.gate.held.notify_one();
    tokio::task::block_in_place(|| drop(self.gate.shut.lock()));
    Ok(())
});

struct Scene {
    host: Host,
    stored: Arc<StoredTemplate>,
}

impl Scene {
    fn start(url: &str) -> Self {
        let host = Host::start(url, 0, Duration::from_secs(60), &[single(json!({}))]);
        let stored = block(host.engine.template(&host.registry, "default", "single", None)).expect("a template");
        Self { host, stored }
    }

    fn plan(&self, intent: TaskIntent) -> TaskPlan {
        intent.plan(&self.stored, "context", Limits::default().of_context()).expect("a plan")
    }

    fn plain(&self) -> TaskPlan {
        self.plan(TaskIntent::default())
    }

    fn keyed(&self, key: &str) -> TaskPlan {
        self.plan(TaskIntent { key: Some(key.into()), ..TaskIntent::default() })
    }

    fn keyed_or_existing(&self, key: &str) -> TaskPlan {
        TaskPlan { return_existing: true, ..self.keyed(key) }
    }

    fn create(&self, plan: TaskPlan) -> TaskId {
        made(&self.at_once(vec![vec![plan]])[0]).ids[0]
    }

    /// Has all created: the first begins before anybody else asks, and the others gather in this order while that one
    /// waits for the template, or for SQLite's writer.
    fn at_once(&self, parts: Vec<Vec<TaskPlan>>) -> Vec<Result<NewTasks>> {
        let gate = Arc::new(Gate::default());
        let shut = gate.shut.lock();
        block(async {
            let engine = self.host.engine.clone();
            let pass = Pass { gate: gate.clone() };
            let holder = tokio::spawn(async move { engine.store().write(pass).await });
            // What a test has go wrong may meet that one, too.
            let mut holder = pin!(holder);
            select(pin!(gate.held.notified()), &mut holder).await;
            let all = join_all(parts.into_iter().map(|part| self.host.engine.create(part)));
            let mut all = Box::pin(maybe_done(all));
            // A fault may end them here already.
            is_under_way(&mut all).await;
            drop(shut);
            all.as_mut().await;
            all.as_mut().take_output().expect("they have ended")
        })
    }

    /// The keys of the tasks that there are, oldest first.
    fn keys(&self) -> Vec<Option<String>> {
        let catalog = self.host.engine.catalog().clone();
        let look = ListTasks { filter: TaskFilter::default(), before: None, limit: 1_000, catalog };
        let found = block(self.host.engine.store().read(look)).expect("tasks");
        found.into_iter().rev().map(|(row, _)| row.key).collect()
    }
}

fn made(answer: &Result<NewTasks>) -> &NewTasks {
    answer.as_ref().expect("created")
}

fn owner(answer: &Result<NewTasks>) -> TaskId {
    match answer {
        Err(EngineError::Duplicate { existing, .. }) => *existing,
        other => panic!("not a duplicate: {other:?}"),
    }
}

/// Polls once; true where that did not end it.
async fn is_under_way<F: Future>(work: &mut Pin<Box<F>>) -> bool {
    poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await
}

on_each_database! {
    fn what_has_its_id_already_is_created_once_whoever_asks(url: &str) {
        let (scene, other) = (Scene::start(url), Scene::start(url));
        let promised = |plan: TaskPlan| TaskPlan { promised: true, ..plan };
        for round in 0..20 {
            let plans = [promised(scene.plain()), promised(scene.keyed(&round.to_string()))];
            let ids: Vec<TaskId> = plans.iter().map(|plan| plan.row.id).collect();
            let ask = |scene: &Scene| {
                let parts: Vec<_> = plans.iter().chain(&plans).map(|plan| vec![plan.clone()]).collect();
                let engine = scene.host.engine.clone();
                async move { join_all(parts.into_iter().map(|part| engine.create(part))).await }
            };
            let answers = block(async { join_all([ask(&scene), ask(&other)]).await }).into_iter().flatten().collect::<Vec<_>>();
            for (answer, id) in answers.iter().zip(ids.iter().cycle()) {
                assert_eq!(made(answer).ids, [*id]);
            }
            assert_eq!(scene.keys().len(), 2 * (round + 1));
        }
    }

    fn each_that_asks_is_answered_for_itself(url: &str) {
        let scene = Scene::start(url);
        let taken = scene.create(scene.keyed("taken"));
        let plans = vec![
            vec![scene.plain()],
            vec![scene.keyed("a")],
            vec![scene.plain(), scene.plain()],
            vec![scene.keyed("a")],
            vec![scene.keyed_or_existing("a"), scene.plain()],
            vec![scene.keyed("taken")],
            vec![scene.keyed_or_existing("taken")],
        ];
        let ids_of = |part: &Vec<TaskPlan>| part.iter().map(|plan| plan.row.id).collect();
        let planned: Vec<Vec<TaskId>> = plans.iter().map(ids_of).collect();
        let answers = scene.at_once(plans);
        for own in [0, 1, 2] {
            assert_eq!(made(&answers[own]).ids, planned[own]);
        }
        assert_eq!(owner(&answers[3]), planned[1][0]);
        assert_eq!(made(&answers[4]).ids, [planned[1][0], planned[4][1]]);
        assert_eq!(owner(&answers[5]), taken);
        assert_eq!(made(&answers[6]).ids, [taken]);
        assert_eq!(scene.keys().len(), 1 + 1 + 1 + 2 + 1);
        assert_eq!(scene.host.task(planned[2][1]).created_at, made(&answers[2]).at);
        scene.host.end();
    }

    fn a_part_that_is_refused_leaves_nothing_and_the_others_are_created(url: &str) {
        let scene = Scene::start(url);
        let taken = scene.create(scene.keyed("taken"));
        let mut faulty = scene.plain();
        faulty.row.id = taken;
        let answers = scene.at_once(vec![
            vec![scene.plain()],
            vec![scene.keyed("b"), scene.keyed("taken"), scene.plain()],
            vec![scene.plain()],
            vec![scene.keyed("d"), faulty],
            vec![scene.keyed("b")],
            vec![scene.keyed("c"), scene.keyed("c")],
            vec![scene.keyed("e")],
        ]);
        assert_eq!(owner(&answers[1]), taken);
        assert!(matches!(&answers[3], Err(EngineError::Database { retryable: false, .. })), "{:?}", answers[3]);
        assert!(matches!(&answers[5], Err(EngineError::Repeated(repeated)) if repeated.key == "c"), "{:?}", answers[5]);
        let created: Vec<TaskId> = [0, 2, 4, 6].iter().map(|&part| made(&answers[part]).ids[0]).collect();
        assert_eq!(scene.host.task(created[2]).key.as_deref(), Some("b"));
        let mut keys = scene.keys();
        keys.sort();
        assert_eq!(keys, [None, None, Some("b".into()), Some("e".into()), Some("taken".into())]);
        let fresh = ["c", "d"].map(|key| scene.keyed(key));
        let ids = [fresh[0].row.id, fresh[1].row.id];
        assert_eq!(fresh.map(|plan| scene.create(plan)), ids, "no key of a refused part was kept");
        scene.host.end();
    }

    fn who_is_cancelled_keeps_nobody_waiting(url: &str) {
        let scene = Scene::start(url);
        let engine = scene.host.engine.clone();
        let gate = Arc::new(Gate::default());
        let shut = gate.shut.lock();
        block(async {
            let (pass, store) = (Pass { gate: gate.clone() }, engine.clone());
            let holder = tokio::spawn(async move { store.store().write(pass).await });
            gate.held.notified().await;
            let mut first = Box::pin(engine.create(vec![scene.plain()]));
            let mut second = Box::pin(engine.create(vec![scene.keyed("second")]));
            let mut third = Box::pin(engine.create(vec![scene.keyed("third")]));
            for create in [&mut first, &mut second, &mut third] {
                assert!(is_under_way(create).await);
            }
            drop(second);
            drop(first);
            drop(shut);
            assert_eq!(third.await.expect("created").ids.len(), 1);
            holder.await.expect("no panic").expect("passed");
        });
        let keys: Vec<String> = scene.keys().into_iter().flatten().collect();
        assert_eq!(keys, ["third"], "what nobody waits for any more is not begun");
        scene.create(scene.plain());
        scene.host.end();
    }
}

/// What gathers is created in one transaction; SQLite commits together what it is asked for at once anyway.
mod gathered {
    use super::*;
    use crate::on_postgres;

    on_postgres! {
        fn the_first_waits_for_nobody_and_the_others_are_created_together(url: &str) {
            let scene = Scene::start(url);
            let parts = (0..4).map(|_| vec![scene.plain()]).collect();
            let at: Vec<Timestamp> = scene.at_once(parts).iter().map(|answer| made(answer).at).collect();
            assert!(at[0] < at[1], "{at:?}");
            assert_eq!(at[1..], [at[1]; 3]);
            scene.host.end();
        }

        fn one_transaction_takes_no_more_than_so_much(url: &str) {
            let scene = Scene::start(url);
            let part = || (0..190).map(|_| scene.plain()).collect();
            let mut parts = vec![vec![scene.plain()]];
            parts.extend(std::iter::repeat_with(part).take(12));
            let at: Vec<Timestamp> = scene.at_once(parts).iter().map(|answer| made(answer).at).collect();
            assert_eq!(at[1..11], [at[1]; 10]);
            assert!(at[0] < at[1] && at[1] < at[11] && at[11] == at[12], "{at:?}");
            scene.host.end();
        }

        fn an_idle_worker_takes_steps_of_what_gathered(url: &str) {
            let scene = Scene::start(url);
            let worker = scene.host.worker(1);
            let mut ids = vec![scene.create(scene.keyed("there"))];
            let hands = loop {
                run_all(&scene, &worker, &ids);
                assert!(block(worker.until_idle(None)).expect("idle"));
                // The first creates nothing, which leaves the worker as idle as it was.
                let mut parts = vec![vec![scene.keyed_or_existing("there")]];
                parts.extend((0..12).map(|_| vec![scene.plain()]));
                let answers = scene.at_once(parts);
                ids.extend(answers[1..].iter().map(|answer| made(answer).ids[0]));
                let started: Vec<bool> = answers[1..].iter().map(|answer| !made(answer).started.is_empty()).collect();
                let hands = started.iter().filter(|started| **started).count();
                assert_eq!(started, (0..12).map(|n| n < hands).collect::<Vec<_>>(), "from the first on");
                // It may have been about to look for work.
                if hands > 0 || ids.len() > 1_000 {
                    break hands;
                }
            };
            assert!(hands > 0, "it was never idle, or took nothing");
            run_all(&scene, &worker, &ids);
            assert_eq!(worker.stats().ran as usize, ids.len(), "each once");
            block(worker.stop(Duration::ZERO));
            scene.host.end();
        }
    }
}

/// What one statement creates, on PostgreSQL, is committed with it.
mod single {
    use super::*;
    use crate::on_postgres;
    use crate::support::behind::rows_behind_the_back;
    use crate::support::relay::Relay;

    transaction!(Now {} -> Timestamp, |self, tx| tx.now().await);

    const STORED: &str = "SELECT id::text FROM tasker_tasks";

    fn keyed() -> TaskIntent {
        TaskIntent { key: Some(TaskId::generate().to_string()), ..TaskIntent::default() }
    }

    /// How many messages it takes to create a task.
    fn exchanges(relay: &Relay, scene: &Scene, intent: TaskIntent) -> usize {
        relay.written(|| {
            scene.host.create("single", intent);
        })
    }

    /// Until one is enough: where the statement is prepared and the server has answered lately.
    fn warm_up(relay: &Relay, scene: &Scene) {
        eventually("a task is created with one message", || exchanges(relay, scene, TaskIntent::default()) == 1);
    }

    on_postgres! {
        fn a_task_takes_one_message_to_a_server_that_answered_lately(url: &str) {
            let relay = Relay::before(url);
            let scene = Scene::start(&relay.url);
            warm_up(&relay, &scene);
            eventually("one with a key takes a transaction", || exchanges(&relay, &scene, keyed()) == 4);
            scene.host.end();
        }

        fn a_transaction_that_was_given_up_while_it_began_takes_nothing_with_it(url: &str) {
            let relay = Relay::before(url);
            let scene = Scene::start(&relay.url);
            let store = scene.host.engine.store();
            let mut created = Vec::new();
            let mut create = |intent| created.push(scene.host.create("single", intent));
            for round in 0..20 {
                create(TaskIntent::default());
                let silence = relay.silence();
                let soon = Duration::from_millis(20);
                let ended = match round % 2 {
                    0 => block(async { tokio::time::timeout(soon, store.read(Now {})).await.is_ok() }),
                    _ => block(async { tokio::time::timeout(soon, store.write(Now {})).await.is_ok() }),
                };
                assert!(!ended, "it had no answer");
                drop(silence);
                (0..round % 3).for_each(|_| create(keyed()));
                create(TaskIntent::default());
            }
            scene.host.end();
            let stored = block(rows_behind_the_back(url, STORED));
            let lost = created.iter().filter(|id| !stored.contains(&id.to_string())).count();
            assert_eq!((lost, stored.len()), (0, created.len()));
        }
    }

    #[cfg(feature = "fault_points")]
    on_postgres! {
        fn a_task_is_there_once_though_the_answer_was_lost(url: &str) {
            use tasker_core::fault_points::{Action, Point, arm, left};

            let relay = Relay::before(url);
            let scene = Scene::start(&relay.url);
            warm_up(&relay, &scene);
            let before = block(rows_behind_the_back(url, STORED)).len();
            arm(Point::PostgresAfterCommit, Action::Error, 1);
            let id = scene.host.create("single", TaskIntent::default());
            assert_eq!(left(), 0);
            assert_eq!(block(rows_behind_the_back(url, STORED)).len(), before + 1);
            assert_eq!(scene.host.steps(id).len(), 1);
            scene.host.end();
        }
    }
}

/// Does what the worker has until the tasks are complete.
fn run_all(scene: &Scene, worker: &Worker, tasks: &[TaskId]) {
    eventually("all are complete", || {
        while let Some(ticket) = worker.take() {
            worker.report(ticket.number, done(json!(null)));
        }
        tasks.iter().rev().all(|&task| scene.host.state(task) == TaskState::Complete)
    });
}

/// What goes wrong while a group is being created.
#[cfg(feature = "fault_points")]
mod faults {
    use tasker_core::fault_points::{Action, Point, arm, arm_later, disarm, left};

    use super::*;

    on_each_database! {
        fn a_fault_in_the_middle_is_told_to_all_and_keeps_nobody_waiting(url: &str) {
            let scene = Scene::start(url);
            arm(Point::Transaction, Action::Panic, 100);
            let answers = scene.at_once((0..4).map(|_| vec![scene.plain()]).collect());
            disarm();
            for answer in &answers {
                assert!(matches!(answer, Err(EngineError::Internal { .. })), "{answer:?}");
            }
            assert_eq!(scene.keys(), []);
            scene.create(scene.plain());
            scene.host.end();
        }

        fn what_was_created_though_the_answer_was_lost_is_not_created_again(url: &str) {
            let scene = Scene::start(url);
            let worker = scene.host.worker(2);
            let taken = scene.create(scene.keyed("taken"));
            // The first one's, and that of the group.
            if url.starts_with("postgres") {
                arm(Point::PostgresAfterCommit, Action::Error, 2);
            }
            let answers = scene.at_once(vec![
                vec![scene.plain()],
                vec![scene.keyed("a"), scene.plain()],
                vec![scene.keyed("taken")],
                vec![scene.plain()],
                vec![scene.keyed("a")],
            ]);
            assert_eq!(left(), 0);
            let ids = [0, 1, 3].map(|part| made(&answers[part]).ids.clone());
            assert_eq!((owner(&answers[2]), owner(&answers[4])), (taken, ids[1][0]));
            assert_eq!(scene.keys().len(), 1 + 1 + 2 + 1);
            for id in ids.concat() {
                assert_eq!(scene.host.steps(id).len(), 1);
            }
            block(worker.stop(Duration::ZERO));
            scene.host.end();
        }
    }

    #[test]
    fn who_found_a_key_taken_in_a_commit_that_failed_is_told_of_that() {
        let folder = tempfile::tempdir().expect("a folder");
        let scene = Scene::start(&format!("sqlite:{}/test.sqlite3", folder.path().display()));
        // The first one is that of the transaction behind which the group gathers.
        arm_later(Point::SqliteBeforeCommit, Action::Error, 1);
        let answers = scene.at_once(vec![
            vec![scene.keyed("a")],
            vec![scene.keyed("a")],
            vec![scene.keyed("b"), scene.keyed("a")],
            vec![scene.keyed_or_existing("a")],
            vec![scene.plain()],
        ]);
        assert_eq!((left(), scene.keys()), (0, vec![]));
        for answer in &answers {
            assert!(matches!(answer, Err(EngineError::Database { .. })), "{answer:?}");
        }
        let owner_then = scene.create(scene.keyed("a"));
        assert_eq!(owner(&scene.at_once(vec![vec![scene.keyed("a")]])[0]), owner_then);
        scene.host.end();
    }
}

//! Counts, and what ended in a window: against the same read task by task.

use std::time::Duration;

use tasker_core::domain::id::{StepKey, TaskId};
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::{Census, EndedTask, NewNamedTask, NewTask, StepProgress, TimerKind, TimerRow, Window};

use crate::bench::*;
use crate::calls::*;

/// Everything that ended from `since` on.
fn since(since: Timestamp) -> Window {
    Window { since, namespace: None, name: None }
}

/// Tasks of two templates that end one after the other, a second apart, the odd ones in error.
async fn history(db: &Database, count: usize) -> Vec<TaskId> {
    let other = NewNamedTask { namespace: "other".into(), name: "x".into(), ..diamond("1.0.0") };
    let templates = [Diamond::store(db).await, db.write(StoreTemplate { new: other }).await];
    let mut ids = Vec::new();
    for n in 0..count {
        let task = templates[n / 2 % 2].task();
        ids.push(task.id);
        let created = templates[n / 2 % 2].insert(db, vec![task]).await;
        db.travel(Duration::from_secs(1));
        let mut moves: Vec<_> =
            (0..4).map(|index| step_move(StepKey { task: ids[n], index }, 0, StepState::Complete)).collect();
        moves.iter_mut().for_each(|step| step.started_at = Some(created.after(Duration::from_millis(10 + n as u64))));
        moves[3].to = if n % 2 == 1 { StepState::Error } else { StepState::Complete };
        db.write(SettleSteps { moves }).await;
        let failed = i32::from(n % 2 == 1);
        db.write(TouchTasks { touches: vec![touch(ids[n], true, -1, failed)] }).await;
    }
    ids
}

on_each_store! {
    async fn what_ended_in_a_window_is_what_its_tasks_say(db: &Database) {
        let ids = history(db, 12).await;
        let open = Diamond::store_again(db).await.create(db).await;
        let mut rows = db.read(Tasks { ids: ids.clone() }).await;
        rows.sort_unstable_by_key(|row| row.finished_at);
        assert!(rows.iter().all(|row| row.finished_at.is_some()));
        for (from, namespace, name) in [
            (0, None, None), (5, None, None), (11, None, None), (3, Some("shop"), None), (0, None, Some("x")),
            (0, Some("other"), Some("x")), (0, Some("shop"), Some("x")), (0, Some("nobody's"), None),
        ] {
            let begin = rows[from].finished_at.unwrap();
            let window = Window { since: begin, namespace: namespace.map(str::to_owned), name: name.map(str::to_owned) };
            let wanted = |row: &&tasker_core::storage::rows::TaskRow| {
                row.finished_at >= Some(begin) && namespace.is_none_or(|n| row.namespace == n) && name.is_none_or(|n| row.name == n)
            };
            let expected: Vec<EndedTask> = rows.iter().filter(wanted).map(|row| EndedTask {
                id: row.id, revision: row.revision, state: row.state, created_at: row.created_at, run_at: row.run_at,
                started_at: row.started_at, finished_at: row.finished_at.unwrap(),
            }).collect();
            let mut found = db.read(EndedTasks { window: window.clone() }).await;
            found.sort_unstable_by_key(|task| task.finished_at);
            assert_eq!(found, expected, "{window:?}");

            let mut steps: Vec<(TaskId, StepProgress)> = Vec::new();
            for task in &expected {
                steps.extend(db.read(Progress { task: task.id }).await.into_iter().map(|step| (task.id, step)));
            }
            let mut found = db.read(EndedSteps { window }).await;
            steps.sort_unstable_by_key(|step| (step.0, step.1.index));
            found.sort_unstable_by_key(|step| (step.0, step.1.index));
            assert_eq!(found, steps);
        }
        assert!(!ids.contains(&open));
        assert!(db.read(EndedTasks { window: since(rows[11].finished_at.unwrap().after(Duration::from_micros(1))) }).await.is_empty());
    }

    async fn everything_is_counted_where_it_is(db: &Database) {
        assert_eq!(db.read(CountAll {}).await, Census::default());
        history(db, 5).await;
        let stored = Diamond::store_again(db).await;
        let id = stored.create(db).await;
        let claimed = NewTask { state: TaskState::InProgress, ..stored.task() };
        stored.insert(db, vec![claimed, NewTask { state: TaskState::Paused, ..stored.task() }]).await;
        db.write(PutReady { rows: vec![ready(stored.lane, 0, id, 0)] }).await;
        let since = db.read(Now {}).await;
        db.travel(Duration::from_secs(7));
        db.write(PutReady { rows: vec![ready(stored.lane, 1, id, 1)] }).await;
        let timer = |index, kind| TimerRow { due: since, kind, ready: ready(stored.lane, 0, id, index) };
        db.write(PutTimers { rows: vec![timer(2, TimerKind::Retry), timer(3, TimerKind::Start)] }).await;

        let (live, dead, done) = (session(), session(), stored.create(db).await);
        db.write(OpenSession { id: dead, ttl: MINUTE }).await;
        db.travel(2 * MINUTE);
        db.write(OpenSession { id: live, ttl: MINUTE }).await;
        let held = |session, index| receipt(session, vec![ready(stored.lane, 0, id, index), ready(stored.lane, 0, done, index)]);
        db.write(PutReceipt { receipt: held(live, 0) }).await;
        db.write(PutReceipt { receipt: held(dead, 1) }).await;
        db.write(SettleSteps { moves: vec![step_move(StepKey { task: done, index: 0 }, 0, StepState::Complete)] }).await;

        let found = db.read(CountAll {}).await;
        let of = |state: TaskState| found.tasks[state as usize];
        assert_eq!(TaskState::ALL.iter().map(|&state| of(state)).collect::<Vec<_>>(), [2, 1, 1, 3, 2, 0, 0]);
        assert_eq!((found.ready, found.retrying, found.scheduled), (2, 1, 1));
        assert_eq!((found.held, found.expired, found.sessions), (1, 2, 1));
        let known = found.ready_since.expect("a ready step");
        assert!(known <= since && since.since(known) < Duration::from_secs(5), "{known:?} {since:?}");
    }

    async fn what_waits_is_counted_by_queue_and_knows_since_when(db: &Database) {
        assert!(db.read(CountReady {}).await.is_empty());
        let (one, two) = (Diamond::store(db).await, Diamond::store_again(db).await);
        let mail = |diamond: &Diamond| (diamond.id, "mail".to_owned());
        let mails = db.write(EnsureLanes { wanted: vec![mail(&one), mail(&two)] }).await;
        let ids = task_ids(3);
        let began = db.read(Now {}).await;
        db.write(PutReady { rows: vec![ready(mails[0], 0, ids[0], 0), ready(one.lane, 0, ids[0], 1)] }).await;
        db.travel(Duration::from_secs(7));
        db.write(PutReady { rows: vec![ready(mails[1], 1, ids[1], 0), ready(mails[1], 5, ids[2], 0)] }).await;

        let found = db.read(CountReady {}).await;
        let counts: Vec<_> = found.iter().map(|backlog| (backlog.queue.as_str(), backlog.steps)).collect();
        assert_eq!(counts, [("default", 1), ("mail", 3)]);
        let waited = |since: Option<Timestamp>| since.expect("a time").since(began);
        assert!(found.iter().all(|backlog| waited(backlog.since) < Duration::from_secs(5)), "{found:?}");

        for lanes in [vec![mails[1]], vec![mails[1], mails[0]]] {
            let taken = db.write(TakeWithTimes { lanes: from_the_start(&lanes), limit: 1 }).await;
            assert!(waited(taken[0].ready_at) >= Duration::from_secs(7), "{taken:?}");
        }
        let taken = db.write(TakeWithTimes { lanes: from_the_start(&[mails[0], one.lane]), limit: 9 }).await;
        assert!(taken.iter().all(|taken| waited(taken.ready_at) < Duration::from_secs(5)), "{taken:?}");
        assert!(taken.len() == 2 && db.read(CountReady {}).await.is_empty());
    }
}

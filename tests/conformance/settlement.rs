//! How steps and tasks move, and the record of it.

use tasker_core::domain::id::{RevisionId, StepKey, TaskId, Token};
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::StoreError;
use tasker_core::storage::rows::{Checkpoint, Hold, StepMove, StepTransition, TaskMoved, TaskTouch, TaskTransition};

use crate::bench::*;
use crate::calls::*;
use TaskState::{Cancelled, Complete, Error, InProgress, Paused, Pending, ResolvedManually};

async fn in_state(db: &Database, diamond: &Diamond, state: TaskState, live: i32) -> TaskId {
    let mut task = diamond.task();
    (task.state, task.live) = (state, live);
    let id = task.id;
    diamond.insert(db, vec![task]).await;
    id
}

async fn touched(db: &Database, one: TaskTouch) -> Vec<(TaskState, TaskState, i32)> {
    let moved = db.write(TouchTasks { touches: vec![one] }).await;
    moved.into_iter().map(|TaskMoved { from, to, seq, .. }| (from, to, seq)).collect()
}

on_each_store! {
    async fn only_the_present_token_settles(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let key = StepKey { task: id, index: 0 };
        let retry = StepMove {
            error: Some(json(r#"{"message": "busy"}"#)),
            started_at: Some(Timestamp(10)),
            next_retry_at: Some(Timestamp(20)),
            crashed: 1,
            ..step_move(key, 0, StepState::WaitingForRetry)
        };
        for wrong in [-1, 1, 7] {
            assert!(db.write(SettleSteps { moves: vec![step_move(key, wrong, StepState::Complete)] }).await.is_empty());
        }
        assert_eq!(db.write(SettleSteps { moves: vec![retry.clone()] }).await, [key]);
        assert!(db.write(SettleSteps { moves: vec![retry] }).await.is_empty(), "late");
        let step = db.step(key).await;
        assert_eq!((step.state, step.token, step.attempts, step.crashes), (StepState::WaitingForRetry, Token(1), 1, 1));
        assert_eq!((step.next_retry_at, step.finished_at), (Some(Timestamp(20)), None));

        let done = StepMove { result: Some(json("null")), attempts: 2, ..step_move(key, 1, StepState::Complete) };
        let missing = step_move(StepKey { task: id, index: 9 }, 0, StepState::Complete);
        assert_eq!(db.write(SettleSteps { moves: vec![missing, done] }).await, [key]);
        let step = db.step(key).await;
        assert_eq!((step.state, step.token, step.attempts, step.crashes), (StepState::Complete, Token(2), 2, 1));
        assert_eq!((step.next_retry_at, step.started_at), (None, Some(Timestamp(10))));
        assert_eq!((step.result, step.error), (Some(json("null")), Some(json(r#"{"message": "busy"}"#))));
        assert!(step.finished_at.is_some());
    }

    async fn a_checkpoint_is_kept_under_the_present_token_of_an_unfinished_step(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let key = |index| StepKey { task: id, index };
        let checkpoint = |index, token, text: &str| Checkpoint { key: key(index), token: Token(token), value: json(text) };
        let keys: Vec<StepKey> = (0..9).map(key).collect();
        assert!(db.read(Checkpoints { keys: keys.clone() }).await.is_empty());
        let exact = r#"{"b": 1e20, "a": [null, "\u0000"]}"#;
        let rows = vec![checkpoint(3, 1, "1"), checkpoint(1, 0, "null"), checkpoint(9, 0, "1"), checkpoint(0, 0, exact)];
        let mut saved = db.write(SaveCheckpoints { rows }).await;
        saved.sort_unstable();
        assert_eq!(saved, [key(0), key(1)]);
        let mut found = db.read(Checkpoints { keys: keys.clone() }).await;
        found.sort_unstable_by_key(|(key, _)| *key);
        assert_eq!(found, [(key(0), json(exact)), (key(1), json("null"))]);

        db.write(SettleSteps { moves: vec![step_move(key(0), 0, StepState::WaitingForRetry)] }).await;
        assert!(db.write(SaveCheckpoints { rows: vec![checkpoint(0, 0, "2")] }).await.is_empty(), "late");
        assert_eq!(db.step(key(0)).await.checkpoint, Some(json(exact)), "a move leaves it");
        assert_eq!(db.write(SaveCheckpoints { rows: vec![checkpoint(0, 1, "3")] }).await, [key(0)]);
        db.write(SettleSteps { moves: vec![step_move(key(0), 1, StepState::Complete)] }).await;
        assert!(db.write(SaveCheckpoints { rows: vec![checkpoint(0, 2, "4")] }).await.is_empty(), "finished");
        assert_eq!(db.step(key(0)).await.checkpoint, Some(json("3")));
        assert!(db.write(SaveCheckpoints { rows: vec![] }).await.is_empty());
    }

    async fn what_is_finished_stays(db: &Database) {
        use StepState::*;
        let diamond = Diamond::store(db).await;
        for ended in [Complete, Error, Skipped, Cancelled, ResolvedManually] {
            let key = StepKey { task: diamond.create(db).await, index: 0 };
            db.write(SettleSteps { moves: vec![step_move(key, 0, ended)] }).await;
            assert!(db.write(SettleSteps { moves: vec![step_move(key, 1, Pending)] }).await.is_empty(), "{ended}");
            let step = db.step(key).await;
            assert_eq!((step.state, step.token), (ended, Token(1)));
            assert!(step.finished_at.is_some());
        }
    }

    async fn steps_are_locked_as_they_are_where_their_tokens_hold(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let key = |index| StepKey { task: id, index };
        let again = StepMove { attempts: 4, crashed: 2, ..step_move(key(2), 0, StepState::Pending) };
        db.write(SettleSteps { moves: vec![again, step_move(key(0), 0, StepState::Skipped)] }).await;
        let keys = [key(2), key(0), key(7), StepKey { task: TaskId::generate(), index: 0 }];
        let mut held: Vec<_> = keys.into_iter().map(|key| (key, Token(1))).collect();
        held.extend([(key(1), Token(1)), (key(3), Token(0))]);
        let mut held = db.write(LockSteps { held }).await;
        held.sort_by_key(|step| step.key);
        let held: Vec<_> = held.iter().map(|s| (s.key.index, s.state, s.token.0, s.attempts, s.crashes)).collect();
        let expected = [(0, StepState::Skipped, 1, 1, 0), (2, StepState::Pending, 1, 4, 2), (3, StepState::Pending, 0, 0, 0)];
        assert_eq!(held, expected);
    }

    async fn the_last_parent_releases_the_child(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let key = |index| StepKey { task: id, index };
        let release = async |parents: &[(StepKey, i32)]| {
            let released = db.write(ReleaseSteps { parents: parents.to_vec() }).await;
            released.into_iter().map(|step| (step.key, step.token)).collect::<Vec<_>>()
        };
        assert_eq!(release(&[(key(1), 1), (key(3), 1), (key(9), 1)]).await, [(key(1), Token(0))]);
        assert_eq!(db.step(key(3)).await.waiting, 1);
        assert_eq!(release(&[(key(3), 1)]).await, [(key(3), Token(0))]);
    }

    async fn two_parents_in_one_batch_count_twice(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let child = StepKey { task: id, index: 3 };
        let released = db.write(ReleaseSteps { parents: vec![(child, 2)] }).await;
        assert_eq!(released.len(), 1);
        assert_eq!(db.step(child).await.waiting, 0);
    }

    async fn a_child_that_is_not_pending_is_not_released(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let child = StepKey { task: id, index: 1 };
        db.write(SettleSteps { moves: vec![step_move(child, 0, StepState::Cancelled)] }).await;
        assert!(db.write(ReleaseSteps { parents: vec![(child, 1)] }).await.is_empty());
    }

    async fn more_parents_than_there_are_is_an_error(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let child = StepKey { task: id, index: 1 };
        let released = db.try_write(ReleaseSteps { parents: vec![(child, 2)] }).await;
        assert!(matches!(released, Err(StoreError::Data(_))), "{released:?}");
        assert_eq!(db.step(child).await.waiting, 1);
    }

    async fn a_task_starts_once(db: &Database) {
        let diamond = Diamond::store(db).await;
        let id = diamond.create(db).await;
        assert_eq!(touched(db, touch(id, true, 0, 0)).await, [(Pending, InProgress, 1)]);
        let started = db.task(id).await.started_at;
        assert!(started.is_some());
        assert!(touched(db, touch(id, true, 1, 0)).await.is_empty());
        let task = db.task(id).await;
        assert_eq!((task.state, task.started_at, task.finished_at), (InProgress, started, None));
    }

    async fn a_task_rests_when_nothing_of_it_is_live(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (done, failed) = (in_state(db, &diamond, InProgress, 3).await, in_state(db, &diamond, InProgress, 2).await);
        assert!(touched(db, touch(done, false, -2, 0)).await.is_empty());
        assert_eq!(touched(db, touch(done, false, -1, 0)).await, [(InProgress, Complete, 1)]);
        assert!(db.task(done).await.finished_at.is_some());
        let first = TaskTouch { error: Some(json("{ \"first\":1}")), ..touch(failed, false, -1, 1) };
        assert!(touched(db, first).await.is_empty());
        let last = TaskTouch { error: Some(json("{}")), ..touch(failed, false, -1, 1) };
        assert_eq!(touched(db, last).await, [(InProgress, Error, 1)]);
        let task = db.task(failed).await;
        assert_eq!((task.state, task.error), (Error, Some(json("{ \"first\":1}"))));
        assert!(task.finished_at.is_some());
    }

    async fn a_task_that_starts_and_rests_at_once_moves_twice(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (done, failed) = (diamond.create(db).await, diamond.create(db).await);
        assert_eq!(
            touched(db, touch(done, true, -1, 0)).await,
            [(Pending, InProgress, 1), (InProgress, Complete, 2)],
            "the table of states has no shorter way"
        );
        assert_eq!(
            touched(db, touch(failed, true, -1, 1)).await,
            [(Pending, InProgress, 1), (InProgress, Error, 2)]
        );
        let task = db.task(done).await;
        assert_eq!((task.started_at, task.state), (task.finished_at, Complete));
    }

    async fn only_what_is_in_progress_rests(db: &Database) {
        let diamond = Diamond::store(db).await;
        for state in [Pending, Paused, Complete, Error, Cancelled, ResolvedManually] {
            let id = in_state(db, &diamond, state, 1).await;
            assert!(touched(db, touch(id, false, -1, 1)).await.is_empty(), "{state}");
            if state != Pending {
                assert!(touched(db, touch(id, true, 1, 0)).await.is_empty(), "{state}");
            }
            let task = db.task(id).await;
            assert_eq!((task.state, task.started_at, task.finished_at), (state, None, None));
        }
    }

    async fn touches_are_summed_and_answered_in_the_order_of_ids(db: &Database) {
        let diamond = Diamond::store(db).await;
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(diamond.create(db).await);
        }
        let mut touches: Vec<_> = ids.iter().map(|&id| touch(id, true, 0, 0)).collect();
        touches.reverse();
        touches.insert(1, touch(TaskId::generate(), true, 0, 0));
        let moved = db.write(TouchTasks { touches }).await;
        assert_eq!(moved.iter().map(|moved| moved.id).collect::<Vec<_>>(), ids);
    }

    async fn history_comes_back_as_it_was_recorded(db: &Database) {
        let task = TaskId::generate();
        let by = session();
        let hold = Hold { since: Timestamp(7), by: session() };
        let step = |index, seq, from, to| StepTransition {
            key: StepKey { task, index },
            revision: RevisionId(1),
            seq, from, to,
            attempt: 2,
            by: Some(by),
            hold: (from == Some(StepState::InProgress)).then_some(hold),
            detail: Some(json(r#"{ "error":{"x": 1e20}}"#)),
        };
        let created = StepTransition::created(StepKey { task, index: 1 }, RevisionId(1));
        let steps = vec![
            step(1, 2, Some(StepState::InProgress), StepState::Complete),
            created,
            step(0, 5, Some(StepState::Pending), StepState::InProgress),
            step(1, 1, Some(StepState::Pending), StepState::InProgress),
        ];
        let born = TaskTransition::created(task, RevisionId(1));
        let tasks = vec![
            TaskTransition { seq: 1, from: Some(Pending), to: InProgress, detail: Some(json("{}")), ..born.clone() },
            born,
        ];
        let now = db.write(Record { steps, tasks }).await;
        let stored = db.read(StepHistory { task }).await;
        assert_eq!(stored.iter().map(|stored| stored.hold).collect::<Vec<_>>(), [None, None, None, Some(hold)]);
        let found: Vec<_> = stored.into_iter().map(|stored| stored.row).collect();
        assert_eq!(found.iter().map(|row| (row.index, row.seq)).collect::<Vec<_>>(),
            [(Some(0), 5), (Some(1), 0), (Some(1), 1), (Some(1), 2)]);
        assert!(found.iter().all(|row| row.at == now));
        let (first, last) = (&found[1], &found[3]);
        assert_eq!((first.from.as_deref(), first.to.as_str(), first.attempt, first.by), (None, "pending", 0, None));
        assert_eq!(first.detail, None);
        assert_eq!((last.from.as_deref(), last.to.as_str()), (Some("in_progress"), "complete"));
        assert_eq!((last.attempt, last.by, last.detail.clone()), (2, Some(by), Some(json(r#"{ "error":{"x": 1e20}}"#))));
        let found = db.read(TaskHistory { task }).await;
        let found: Vec<_> = found.into_iter().map(|row| (row.index, row.seq, row.from, row.to, row.detail)).collect();
        assert_eq!(found[0], (None, 0, None, "pending".to_owned(), None));
        assert_eq!(found[1], (None, 1, Some("pending".to_owned()), "in_progress".to_owned(), Some(json("{}"))));
    }

    async fn nothing_is_recorded_twice(db: &Database) {
        let id = TaskId::generate();
        let record = |seq| Record { steps: vec![], tasks: vec![TaskTransition { seq, ..TaskTransition::created(id, RevisionId(1)) }] };
        db.write(record(0)).await;
        db.try_write(record(0)).await.unwrap_err();
        db.write(record(1)).await;
        assert_eq!(db.read(TaskHistory { task: id }).await.len(), 2);
    }
}

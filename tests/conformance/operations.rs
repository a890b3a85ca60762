//! What operations by hand read and write.

use std::time::Duration;

use tasker_core::domain::id::{LaneId, StepIndex, StepKey, TaskId, Token};
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::{
    Checkpoint, SettledStep, StepMove, StepPlacement, StepWait, TaskPlacement, TimerKind, TimerRow,
};

use crate::bench::*;
use crate::calls::*;

fn place(key: StepKey, state: StepState) -> StepPlacement {
    StepPlacement {
        key,
        state,
        token: Token(5),
        attempts: 2,
        crashes: 1,
        waiting: 3,
        result: None,
        fresh: false,
        bypassed: false,
    }
}

fn placed(id: TaskId, state: TaskState) -> TaskPlacement {
    TaskPlacement {
        id,
        state,
        live: 0,
        failed: 0,
        seq: 1,
        run: 1,
        priority: None,
        queue: None,
        error: None,
        started: false,
    }
}

async fn failed(db: &Database, key: StepKey) {
    let error = Some(json(r#"{"message": "busy"}"#));
    db.write(SaveCheckpoints { rows: vec![Checkpoint { key, token: Token(0), value: json("7") }] }).await;
    let failed = StepMove { error, started_at: Some(Timestamp(10)), ..step_move(key, 0, StepState::Error) };
    assert_eq!(db.write(SettleSteps { moves: vec![failed] }).await, [key]);
}

on_each_store! {
    async fn a_task_is_taken_out_of_the_queue_and_others_stay(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (one, other) = (diamond.create(db).await, diamond.create(db).await);
        let lane = LaneId(1);
        let rows = |id| (0..2).map(|index| ready(lane, index as i16, id, index)).collect::<Vec<_>>();
        let timer = |id| TimerRow { due: Timestamp(1), kind: TimerKind::Retry, ready: ready(lane, 0, id, 3) };
        db.write(PutReady { rows: [rows(one), rows(other)].concat() }).await;
        db.write(PutTimers { rows: vec![timer(one), timer(other)] }).await;
        // Names a row that is not there, too.
        let named = [rows(one), vec![ready(lane, 9, one, 2)]].concat();
        db.write(TakeTaskOut { task: one, rows: named }).await;
        let left = db.write(TakeReady { lanes: from_the_start(&[lane]), limit: 10 }).await;
        assert_eq!(left.iter().map(|row| row.key.task).collect::<Vec<_>>(), [other, other]);
        let left = db.write(TakeDue { limit: 10 }).await;
        assert_eq!(left.iter().map(|row| row.key.task).collect::<Vec<_>>(), [other]);
    }

    async fn a_placed_step_is_what_it_was_placed_as(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let key = |index: StepIndex| StepKey { task: id, index };
        for index in 0..3 {
            failed(db, key(index)).await;
        }
        let resolved = StepPlacement { result: Some(json("[1]")), ..place(key(0), StepState::ResolvedManually) };
        let fresh = StepPlacement { fresh: true, ..place(key(2), StepState::Pending) };
        db.write(PlaceSteps { rows: vec![resolved, place(key(1), StepState::Pending), fresh] }).await;

        let step = db.step(key(0)).await;
        assert_eq!((step.state, step.token, step.attempts, step.crashes), (StepState::ResolvedManually, Token(5), 2, 1));
        assert_eq!((step.waiting, step.result), (3, Some(json("[1]"))));
        assert!(step.finished_at.is_some() && step.error.is_some() && step.checkpoint.is_some());
        let step = db.step(key(1)).await;
        assert_eq!((step.state, step.finished_at, step.next_retry_at), (StepState::Pending, None, None));
        assert_eq!((step.started_at, step.error, step.checkpoint), (Some(Timestamp(10)), Some(json(r#"{"message": "busy"}"#)), Some(json("7"))));
        let step = db.step(key(2)).await;
        assert_eq!((step.state, step.started_at, step.error, step.checkpoint), (StepState::Pending, None, None, None));
        assert_eq!(db.step(key(3)).await.token, Token(0), "another step");
    }

    async fn who_settles_a_step_learns_of_a_pause_and_of_an_update(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let key = |index: StepIndex| StepKey { task: id, index };
        let wait = |index, waiting, stale| StepWait { key: key(index), waiting, stale };
        db.write(SetWaiting { rows: vec![wait(0, 1, false), wait(1, 0, true), wait(2, 0, false)] }).await;
        db.write(SetWaiting { rows: vec![wait(1, 0, false)] }).await;
        let moves = (0..3).map(|index| step_move(key(index), 0, StepState::WaitingForRetry)).collect();
        let mut settled = db.write(Settled { moves }).await;
        settled.sort_unstable_by_key(|step| step.key);
        let told = |index, parked, stale| SettledStep { key: key(index), parked, stale };
        assert_eq!(settled, [told(0, true, false), told(1, false, true), told(2, false, false)]);
        assert_eq!(db.step(key(0)).await.waiting, 1);
    }

    async fn a_placed_task_ends_and_begins_again(db: &Database) {
        let diamond = Diamond::store(db).await;
        let id = diamond.create(db).await;
        assert!(db.write(LockTask { task: task_ids(1)[0] }).await.is_none());
        let error = Some(json(r#"{"step": "a"}"#));
        let row = TaskPlacement { seq: 3, started: true, error: error.clone(), ..placed(id, TaskState::Error) };
        db.write(PlaceTask { row }).await;
        let (held, first) = (db.write(LockTask { task: id }).await.unwrap(), db.task(id).await);
        assert_eq!((held.state, held.seq, held.error, held.run_at), (TaskState::Error, 3, error, None));
        assert!(held.started_at.is_some() && first.finished_at.is_some());

        db.travel(Duration::from_secs(100));
        db.write(PlaceTask { row: TaskPlacement { started: true, ..placed(id, TaskState::Error) } }).await;
        assert_eq!(db.task(id).await.finished_at, first.finished_at, "it had ended");
        db.write(PlaceTask { row: placed(id, TaskState::Cancelled) }).await;
        let task = db.task(id).await;
        assert!(task.finished_at > first.finished_at && task.started_at == first.started_at);
        let row = TaskPlacement {
            run: 2,
            priority: Some(-3),
            queue: Some("slow".into()),
            live: 1,
            ..placed(id, TaskState::InProgress)
        };
        db.write(PlaceTask { row }).await;
        let task = db.task(id).await;
        assert_eq!((task.state, task.finished_at, task.error), (TaskState::InProgress, None, None));
        assert_eq!((task.priority, task.queue.as_deref()), (Some(-3), Some("slow")));
        assert_eq!(db.write(Heads { ids: vec![id] }).await[0].run, 2);
    }
}

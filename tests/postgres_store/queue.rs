//! Ready rows and timers.

use tasker_core::domain::id::*;
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::*;
use tasker_core::storage::{Result, Store, Transaction, Tx};

use crate::support::postgres::{execute, fresh_database};

use crate::helpers::*;

#[tokio::test]
async fn the_best_of_all_lanes_are_taken_in_order() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let tasks: Vec<TaskId> = (0..8).map(|_| TaskId::generate()).collect();
    let (a, b, c) = (LaneId(1), LaneId(2), LaneId(3));
    let rows = vec![
        ready(a, 0, key(tasks[0], 0)),
        ready(a, i16::MIN, key(tasks[1], 0)),
        ready(b, i16::MAX, key(tasks[7], 0)),
        ready(b, 0, key(tasks[2], 1)),
        ready(b, 0, key(tasks[2], 0)),
        ready(c, 5, key(tasks[3], 0)),
    ];
    transact!(store.write(rows: Vec<ReadyRow>) |tx| -> () { tx.put_ready(rows).await }).expect("stored");
    let at = |lane| LaneCursor { lane, from: None };
    let first = take(&store, vec![at(a), at(b)], 3).await;
    assert_eq!(first, [rows[2].clone(), rows[0].clone(), rows[4].clone()]);
    let second = take(&store, vec![at(a), at(b)], 3).await;
    assert_eq!(second, [rows[3].clone(), rows[1].clone()]);
    assert_eq!(take(&store, vec![at(a), at(b)], 3).await, []);
    assert_eq!(take(&store, vec![at(c)], 3).await, [rows[5].clone()]);
}

#[tokio::test]
async fn a_cursor_is_inclusive_and_hides_what_stands_before_it() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let tasks: Vec<TaskId> = (0..4).map(|_| TaskId::generate()).collect();
    let lanes = [LaneId(1), LaneId(2)];
    let rows: Vec<ReadyRow> =
        lanes.iter().flat_map(|lane| tasks.iter().map(|task| ready(*lane, 0, key(*task, 0)))).collect();
    transact!(store.write(rows: Vec<ReadyRow>) |tx| -> () { tx.put_ready(rows).await }).expect("stored");
    let from = |lane| LaneCursor { lane, from: Some((0, StepKey { task: tasks[2], index: 0 })) };
    assert_eq!(take(&store, vec![from(lanes[0])], 9).await, rows[2..4]);
    assert_eq!(take(&store, vec![from(lanes[1]), from(lanes[0])], 9).await, rows[6..8]);
    let passed = LaneCursor { lane: lanes[0], from: Some((-1, StepKey { task: tasks[0], index: 0 })) };
    assert_eq!(take(&store, vec![passed], 9).await, []);
}

#[tokio::test]
async fn locked_rows_are_skipped_in_one_lane_and_in_many() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let tasks: Vec<TaskId> = (0..20).map(|_| TaskId::generate()).collect();
    let (a, b) = (LaneId(1), LaneId(2));
    let rows: Vec<ReadyRow> = (0..20).map(|i| ready(if i < 10 { a } else { b }, 0, key(tasks[i], 0))).collect();
    transact!(store.write(rows: Vec<ReadyRow>) |tx| -> () { tx.put_ready(rows).await }).expect("stored");
    let mut other = database.connect().await;
    execute(&mut other, "BEGIN; SELECT FROM tasker_ready WHERE lane = 1 ORDER BY task_id LIMIT 8 FOR UPDATE".into())
        .await;
    let at = |lane| LaneCursor { lane, from: None };
    assert_eq!(take(&store, vec![at(a)], 1).await, rows[8..9]);
    // The first five by order are locked: the next ones in either lane make up for them.
    assert_eq!(take(&store, vec![at(a), at(b)], 5).await, rows[9..14]);
    execute(&mut other, "ROLLBACK".into()).await;
    assert_eq!(take(&store, vec![at(a), at(b)], 99).await.len(), 14);
}

#[tokio::test]
async fn timers_that_are_due_are_taken_earliest_first() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let task = TaskId::generate();
    let now = transact!(store.read() |tx| -> Timestamp { tx.now().await }).expect("the time");
    let timer = |index, ms: i64, kind| TimerRow {
        due: Timestamp(now.0 + ms * 1_000),
        kind,
        ready: ready(LaneId(7), 3, key(task, index)),
    };
    let timers = vec![
        timer(0, -5, TimerKind::Start),
        timer(1, -50, TimerKind::Retry),
        timer(2, 3_600_000, TimerKind::Start),
        timer(3, -1, TimerKind::Start),
    ];
    transact!(store.write(timers: Vec<TimerRow>) |tx| -> () { tx.put_timers(timers).await }).expect("stored");
    let outlook = |lane: LaneId| {
        let store = &store;
        async move {
            transact!(store.read(lane: LaneId) |tx| -> Outlook { tx.outlook(&[*lane]).await }).expect("an outlook")
        }
    };
    assert_eq!(outlook(LaneId(7)).await, Outlook { retrying: true, next_due_us: Some(0), ..Outlook::default() });
    let due = |most: usize| {
        let store = &store;
        async move {
            let rows = transact!(store.write(most: usize) |tx| -> Vec<ReadyRow> { tx.take_due(*most).await });
            rows.expect("timers are taken").into_iter().map(|row| row.key.index).collect::<Vec<_>>()
        }
    };
    assert_eq!(due(2).await, [1, 0]);
    assert_eq!(due(9).await, [3]);
    assert_eq!(due(9).await, [0; 0]);
    let left = outlook(LaneId(7)).await;
    assert!(!left.retrying && left.next_due_us.is_some_and(|us| us > 3_000_000_000), "{left:?}");
}

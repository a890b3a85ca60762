//! Ready steps, timers, and what there is to wait for.

use std::time::Duration;

use tasker_core::domain::id::{LaneId, StepKey, Token};
use tasker_core::domain::state::StepState;
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::{LaneCursor, Outlook, ReadyRow, TimerKind, TimerRow};

use crate::bench::*;
use crate::calls::*;

const ONE: LaneId = LaneId(1);
const TWO: LaneId = LaneId(2);
const THREE: LaneId = LaneId(3);

on_each_store! {
    async fn claims_go_by_priority_then_age_then_index(db: &Database) {
        let ids = task_ids(4);
        let row = |lane, priority, task: usize, index| ready(lane, priority, ids[task], index);
        let rows = [row(ONE, 0, 2, 0), row(ONE, 5, 3, 0), row(TWO, 0, 0, 1), row(TWO, -32_767, 1, 0), row(TWO, 0, 0, 0)];
        db.write(PutReady { rows: [&rows[..], &[row(THREE, 9, 0, 0)]].concat() }).await;
        let took = db.write(TakeReady { lanes: from_the_start(&[ONE, TWO]), limit: 3 }).await;
        assert_eq!(took, [row(ONE, 5, 3, 0), row(TWO, 0, 0, 0), row(TWO, 0, 0, 1)]);
        let took = db.write(TakeReady { lanes: from_the_start(&[TWO, ONE]), limit: 10 }).await;
        assert_eq!(took, [row(ONE, 0, 2, 0), row(TWO, -32_767, 1, 0)]);
        assert!(db.write(TakeReady { lanes: from_the_start(&[ONE, TWO]), limit: 10 }).await.is_empty());
        assert!(db.write(TakeReady { lanes: from_the_start(&[THREE]), limit: 0 }).await.is_empty());
        assert_eq!(db.write(TakeReady { lanes: from_the_start(&[THREE]), limit: 1 }).await, [row(THREE, 9, 0, 0)]);
    }

    async fn one_lane_is_claimed_in_order(db: &Database) {
        let ids = task_ids(3);
        let mut rows: Vec<ReadyRow> = Vec::new();
        for (priority, task, index) in [(1, 0, 1), (0, 0, 0), (1, 2, 0), (1, 0, 0), (-1, 0, 2), (1, 1, 5)] {
            rows.push(ready(ONE, priority, ids[task], index));
        }
        db.write(PutReady { rows: rows.clone() }).await;
        rows.sort_by_key(|row| (-i32::from(row.priority), row.key));
        for expected in rows.chunks(2) {
            assert_eq!(db.write(TakeReady { lanes: from_the_start(&[ONE]), limit: 2 }).await, expected);
        }
    }

    async fn a_ready_row_comes_back_as_it_was_put(db: &Database) {
        let rows = vec![
            ReadyRow {
                token: Token(i32::MAX), attempts: 9_999, state: StepState::WaitingForRetry,
                ..ready(ONE, i16::MAX, task_ids(1)[0], 99_999)
            },
            ready(ONE, -32_767, task_ids(1)[0], 0),
        ];
        db.write(PutReady { rows: rows.clone() }).await;
        assert_eq!(db.write(TakeReady { lanes: from_the_start(&[ONE]), limit: 9 }).await, rows);
        let due = |row: &ReadyRow| TimerRow { due: Timestamp(1), kind: TimerKind::Retry, ready: row.clone() };
        db.write(PutTimers { rows: rows.iter().map(due).collect() }).await;
        assert_eq!(db.write(TakeDue { limit: 9 }).await, rows);
    }

    async fn a_cursor_is_where_a_claim_starts_to_look(db: &Database) {
        let ids = task_ids(3);
        let row = |lane, priority, task: usize, index| ready(lane, priority, ids[task], index);
        let one = [row(ONE, 7, 2, 0), row(ONE, 0, 0, 0), row(ONE, 0, 1, 0), row(ONE, 0, 1, 1), row(ONE, -1, 0, 0)];
        let two = [row(TWO, 3, 0, 0), row(TWO, 0, 0, 1)];
        db.write(PutReady { rows: [&one[..], &two[..]].concat() }).await;
        let cursor = LaneCursor { lane: ONE, from: Some((0, StepKey { task: ids[1], index: 0 })) };
        let both = vec![cursor, LaneCursor { lane: TWO, from: Some((3, StepKey { task: ids[1], index: 0 })) }];
        let took = db.write(TakeReady { lanes: both, limit: 2 }).await;
        assert_eq!(took, [row(TWO, 0, 0, 1), row(ONE, 0, 1, 0)]);
        let took = db.write(TakeReady { lanes: vec![cursor], limit: 9 }).await;
        assert_eq!(took, [row(ONE, 0, 1, 1), row(ONE, -1, 0, 0)]);
        let took = db.write(TakeReady { lanes: from_the_start(&[ONE, TWO]), limit: 9 }).await;
        assert_eq!(took, [row(ONE, 7, 2, 0), row(TWO, 3, 0, 0), row(ONE, 0, 0, 0)]);
    }

    async fn timers_come_when_the_clock_has_come_to_them(db: &Database) {
        let now = db.read(Now {}).await;
        let id = task_ids(1)[0];
        let timer = |minutes: u32, kind, index| {
            TimerRow { due: now.after(MINUTE * minutes), kind, ready: ready(ONE, 3, id, index) }
        };
        let rows = vec![
            timer(4, TimerKind::Start, 0), timer(2, TimerKind::Retry, 3), timer(1, TimerKind::Start, 4),
            timer(2, TimerKind::Start, 1), timer(0, TimerKind::Retry, 9),
        ];
        db.write(PutTimers { rows }).await;
        let take = async |limit| {
            db.write(TakeDue { limit }).await.into_iter().map(|row| row.key.index).collect::<Vec<_>>()
        };
        assert_eq!(take(10).await, [9]);
        db.travel(2 * MINUTE);
        assert_eq!(take(2).await, [4, 1], "the earliest first, then by key");
        assert_eq!(take(10).await, [3]);
        db.travel(2 * MINUTE - Duration::from_secs(30));
        assert!(take(10).await.is_empty());
        db.travel(Duration::from_secs(30));
        assert_eq!(take(10).await, [0]);
    }

    async fn an_outlook_tells_what_there_is_to_wait_for(db: &Database) {
        let id = task_ids(1)[0];
        let look = async |lanes: &[LaneId]| db.read(LookOut { lanes: lanes.to_vec() }).await;
        assert_eq!(look(&[ONE]).await, Outlook::default());

        db.write(PutReady { rows: vec![ready(TWO, 0, id, 0)] }).await;
        assert!(!look(&[ONE, THREE]).await.ready && look(&[ONE, TWO]).await.ready);
        assert!(!look(&[]).await.ready);

        let held = receipt(session(), vec![ready(TWO, 0, id, 1), ready(THREE, 0, id, 2)]);
        db.write(PutReceipt { receipt: held.clone() }).await;
        assert!(look(&[TWO]).await.held && look(&[ONE, THREE]).await.held && !look(&[ONE]).await.held);
        db.write(DropReceipts { ids: vec![held.id] }).await;
        assert!(!look(&[TWO]).await.held);

        let now = db.read(Now {}).await;
        let timer = |minutes: u32, kind, lane, index| {
            TimerRow { due: now.after(MINUTE * minutes), kind, ready: ready(lane, 0, id, index) }
        };
        db.write(PutTimers { rows: vec![timer(2, TimerKind::Start, ONE, 3), timer(9, TimerKind::Retry, TWO, 4)] }).await;
        assert!(!look(&[ONE, THREE]).await.retrying, "a later start is not waited for");
        assert!(look(&[ONE, TWO]).await.retrying);
        let next = look(&[THREE]).await.next_due_us.unwrap();
        assert!((60_000_000..=120_000_000).contains(&next), "of any lane and kind: {next}");
        db.travel(3 * MINUTE);
        assert_eq!(look(&[]).await.next_due_us, Some(0));
        db.write(TakeDue { limit: 1 }).await;
        assert!(look(&[ONE]).await.next_due_us.is_some_and(|us| us > 0));
    }

    async fn only_steps_with_a_result_have_results(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (id, other) = (diamond.create(db).await, diamond.create(db).await);
        let key = |task, index| StepKey { task, index };
        let mut null = step_move(key(id, 1), 0, StepState::Complete);
        null.result = Some(json("null"));
        let mut text = step_move(key(other, 0), 0, StepState::Complete);
        text.result = Some(json("[1]"));
        db.write(SettleSteps { moves: vec![null, text, step_move(key(id, 2), 0, StepState::Skipped)] }).await;
        let keys = vec![key(other, 0), key(id, 0), key(id, 1), key(id, 2), key(id, 9), key(task_ids(1)[0], 0)];
        let mut found = db.read(Results { keys }).await;
        found.sort_by_key(|(key, _)| *key);
        assert_eq!(found, [(key(id, 1), json("null")), (key(other, 0), json("[1]"))]);
        assert_eq!(db.read(Heads { ids: vec![id, task_ids(1)[0]] }).await.len(), 1);
    }
}

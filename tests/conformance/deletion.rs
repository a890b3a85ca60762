//! Tasks that go, and what stays.

use tasker_core::domain::id::{LaneId, SessionId, StepKey, TaskId, Token};
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::{KeyRow, NewTask, StepTransition, TaskTransition, TimerKind, TimerRow};

use crate::bench::*;
use crate::calls::*;

// Takes all that is ready of a lane, as a worker claims it.
transaction!(ClaimAll { lane: LaneId, session: SessionId } -> (), |self, tx| {
    let taken = tx.take_ready(&from_the_start(&[self.lane]), 7).await?;
    let steps: Vec<_> = taken.into_iter().map(|taken| taken.row).collect();
    if steps.is_empty() { Ok(()) } else { tx.put_receipt(&receipt(self.session, steps)).await.map(drop) }
});

/// A task that stands in every table: with a key, a ready step, a timer and a history.
async fn task_everywhere(db: &Database, diamond: &Diamond, key: &str) -> TaskId {
    let task = NewTask { key: Some(key.into()), ..diamond.task() };
    let id = task.id;
    let row = KeyRow { namespace: "shop".into(), name: "diamond".into(), key: key.into(), task: id };
    assert_eq!(db.write(TakeKeys { rows: vec![row] }).await, [None]);
    diamond.insert(db, vec![task]).await;
    db.write(PutReady { rows: vec![ready(diamond.lane, 3, id, 0)] }).await;
    let timer = TimerRow { due: Timestamp(5), kind: TimerKind::Retry, ready: ready(diamond.lane, 0, id, 1) };
    db.write(PutTimers { rows: vec![timer] }).await;
    let revision = diamond.revision;
    let steps = (0..4).map(|index| StepTransition {
        revision,
        key: StepKey { task: id, index },
        seq: Token(0).entered(),
        from: None,
        to: StepState::Pending,
        attempt: 0,
        by: None,
        hold: None,
        detail: None,
    });
    let task = TaskTransition { id, revision, seq: 0, from: None, to: TaskState::Pending, detail: None };
    db.write(Record { steps: steps.collect(), tasks: vec![task] }).await;
    id
}

/// How many rows there are of a task, its steps and their histories.
async fn remains(db: &Database, id: TaskId) -> usize {
    let history = db.read(TaskHistory { task: id }).await.len() + db.read(StepHistory { task: id }).await.len();
    db.read(Tasks { ids: vec![id] }).await.len() + db.read(Steps { task: id }).await.len() + history
}

on_each_store! {
    async fn a_deleted_task_leaves_nothing_and_others_stay(db: &Database) {
        let diamond = Diamond::store(db).await;
        let gone = task_everywhere(db, &diamond, "gone").await;
        let kept = task_everywhere(db, &diamond, "kept").await;
        db.write(DeleteTasks { ids: vec![gone, TaskId::generate()] }).await;

        assert_eq!(remains(db, gone).await, 0);
        assert_eq!(remains(db, kept).await, 1 + 4 + 5);
        let ready = db.write(TakeReady { lanes: from_the_start(&[diamond.lane]), limit: 9 }).await;
        assert_eq!(ready.iter().map(|row| row.key.task).collect::<Vec<_>>(), [kept]);
        let due = db.write(TakeDue { limit: 9 }).await;
        assert_eq!(due.iter().map(|row| row.key.task).collect::<Vec<_>>(), [kept]);
        let key = |key: &str| KeyRow { namespace: "shop".into(), name: "diamond".into(), key: key.into(), task: gone };
        assert_eq!(db.write(TakeKeys { rows: vec![key("gone"), key("kept")] }).await, [None, Some(kept)]);
    }

    async fn a_key_that_another_task_has_taken_since_stays(db: &Database) {
        let diamond = Diamond::store(db).await;
        // It says that it has the key, and another one has it.
        let task = NewTask { key: Some("k".into()), ..diamond.task() };
        let (gone, owner) = (task.id, TaskId::generate());
        let row = |task| KeyRow { namespace: "shop".into(), name: "diamond".into(), key: "k".into(), task };
        db.write(TakeKeys { rows: vec![row(owner)] }).await;
        diamond.insert(db, vec![task]).await;
        db.write(DeleteTasks { ids: vec![gone] }).await;
        assert_eq!(db.write(TakeKeys { rows: vec![row(gone)] }).await, [Some(owner)]);
    }

    async fn a_receipt_keeps_the_steps_of_others_as_they_were(db: &Database) {
        let diamond = Diamond::store(db).await;
        let other = db.write(StoreTemplate { new: crate::bench::diamond("2.0.0") }).await;
        let holder = session();
        db.write(OpenSession { id: holder, ttl: MINUTE }).await;
        let (gone, kept) = (diamond.create(db).await, other.create(db).await);
        let steps = vec![ready(other.lane, 7, kept, 2), ready(diamond.lane, 0, gone, 0), ready(other.lane, -3, kept, 1)];
        let shared = receipt(holder, steps.clone());
        let alone = receipt(holder, vec![ready(diamond.lane, 0, gone, 1)]);
        for receipt in [&shared, &alone] {
            db.write(PutReceipt { receipt: receipt.clone() }).await;
        }
        assert_eq!(db.step(StepKey { task: kept, index: 2 }).await.state, StepState::InProgress);

        db.write(DeleteTasks { ids: vec![gone] }).await;
        let found = db.read(FindReceipt { id: shared.id }).await.unwrap();
        assert_eq!(found.steps, [steps[0].clone(), steps[2].clone()]);
        for (lane, held) in [(diamond.lane, false), (other.lane, true)] {
            assert_eq!(db.read(LookOut { lanes: vec![lane] }).await.held, held);
        }
        assert!(db.read(FindReceipt { id: alone.id }).await.is_none());
        assert_eq!(db.step(StepKey { task: kept, index: 2 }).await.state, StepState::InProgress);
    }

    async fn what_is_reported_of_a_deleted_task_is_late(db: &Database) {
        let diamond = Diamond::store(db).await;
        let id = diamond.create(db).await;
        db.write(DeleteTasks { ids: vec![id] }).await;
        let late = step_move(StepKey { task: id, index: 0 }, 0, StepState::Complete);
        assert!(db.write(SettleSteps { moves: vec![late] }).await.is_empty());
        assert!(db.write(ReleaseSteps { parents: vec![(StepKey { task: id, index: 3 }, 2)] }).await.is_empty());
        assert!(db.write(TouchTasks { touches: vec![touch(id, true, -1, 0)] }).await.is_empty());
        assert_eq!(db.read(Ended { ids: vec![id] }).await, [id], "nobody waits for it in vain");
    }

    async fn a_version_is_unused_when_its_last_task_is_gone(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (one, two) = (diamond.create(db).await, diamond.create(db).await);
        db.write(DeleteTasks { ids: vec![one] }).await;
        assert!(db.write(IsUsed { id: diamond.id }).await);
        db.write(DeleteTasks { ids: vec![two] }).await;
        assert!(!db.write(IsUsed { id: diamond.id }).await);
    }

    async fn deletions_and_claims_at_once_leave_no_step_of_a_deleted_task(db: &Database) {
        let diamond = Diamond::store(db).await;
        let holder = session();
        db.write(OpenSession { id: holder, ttl: MINUTE }).await;
        for round in 0..20 {
            let tasks: Vec<_> = (0..20).map(|_| diamond.task()).collect();
            let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
            diamond.insert(db, tasks).await;
            db.write(PutReady { rows: ids.iter().map(|&id| ready(diamond.lane, 0, id, 0)).collect() }).await;
            let claims = (0..4).map(|_| db.write(ClaimAll { lane: diamond.lane, session: holder }));
            let deletions = ids.chunks(5).map(|ids| db.write(DeleteTasks { ids: ids.to_vec() }));
            let all = futures_util::future::join(
                futures_util::future::join_all(claims),
                futures_util::future::join_all(deletions),
            );
            soon("claims and deletions", all).await;
            assert!(db.write(ReceiptsOf { session: holder, limit: 99 }).await.is_empty(), "round {round}");
            assert!(db.write(TakeReady { lanes: from_the_start(&[diamond.lane]), limit: 99 }).await.is_empty());
        }
    }
}

//! How steps and tasks move.

use std::sync::Arc;

use tasker_core::domain::id::*;
use tasker_core::domain::json::Json;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::storage::rows::*;
use tasker_core::storage::{Result, Store, Transaction, Tx};

use crate::support::postgres::fresh_database;

use crate::helpers::*;

#[tokio::test]
async fn a_result_is_recorded_once() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let task = create(&store, named, 1).await[0];
    let first = complete(key(task, 0), Token(0), "1");
    assert_eq!(settle(&store, vec![first.clone()]).await, [first.key]);
    assert_eq!(settle(&store, vec![first.clone()]).await, [], "the token has grown");
    let ended = StepMove { token: Token(1), ..first };
    assert_eq!(settle(&store, vec![ended]).await, [], "the step has ended");
    let ahead = complete(key(task, 1), Token(1), "2");
    assert_eq!(settle(&store, vec![ahead]).await, [], "a token that is not there yet");
    let steps = transact!(store.read(task: TaskId) |tx| -> Vec<StepRow> { tx.steps(*task).await }).expect("steps");
    let seen: Vec<_> = steps.iter().map(|step| (step.index, step.state, step.token.0, step.waiting)).collect();
    let (complete, pending) = (StepState::Complete, StepState::Pending);
    assert_eq!(seen, [(0, complete, 1, 0), (1, pending, 0, 1), (2, pending, 0, 1)]);
    assert!(steps[0].finished_at.is_some() && steps[1].finished_at.is_none());
}

#[tokio::test]
async fn a_child_is_released_once_by_parents_that_finish_together() {
    let database = fresh_database().await;
    let store = Arc::new(open(&database).await);
    let named = template(&store).await;
    let waiting: Arc<[i32]> = [0, 0, 0, 0, 4].into();
    let new = || NewTask { waiting: waiting.clone(), ..new_task(named.0, named.1) };
    let tasks: Vec<NewTask> = (0..8).map(|_| new()).collect();
    transact!(store.write(tasks: Vec<NewTask>) |tx| -> () { tx.insert_tasks(tasks, &[]).await }).expect("stored");
    let children: Vec<(StepKey, i32)> = tasks.iter().map(|task| (key(task.id, 4), 1)).collect();
    let backwards: Vec<_> = children.iter().rev().copied().collect();
    let runs = [&children, &backwards, &children, &backwards];
    let released = futures_util::future::join_all(runs.map(|some| release(&store, some.clone()))).await;
    let mut released: Vec<StepKey> = released.into_iter().flatten().collect();
    released.sort_unstable();
    assert_eq!(released, children.iter().map(|(key, _)| *key).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_pending_children_are_released() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let task = create(&store, named, 1).await[0];
    let cancelled = StepMove { to: StepState::Cancelled, result: None, ..complete(key(task, 1), Token(0), "0") };
    settle(&store, vec![cancelled]).await;
    assert_eq!(release(&store, vec![(key(task, 2), 1), (key(task, 1), 1)]).await, [key(task, 2)]);
}

#[tokio::test]
async fn a_task_rests_when_nothing_of_it_is_live() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let task = create(&store, named, 1).await[0];
    let touch = |start, live, failed, error: Option<&str>| {
        let error = error.map(Json::from_trusted);
        let touch = TaskTouch { id: task, start, live, failed, error };
        let store = &store;
        async move {
            let moved = transact!(store.write(touch: TaskTouch) |tx| -> Vec<TaskMoved> {
                tx.touch_tasks(std::slice::from_ref(touch), MOVES).await
            });
            moved.expect("touched").first().map(|moved| (moved.from, moved.to, moved.seq))
        }
    };
    use TaskState::*;
    assert_eq!(touch(false, 1, 0, None).await, None);
    assert_eq!(touch(false, -2, 0, None).await, None, "a pending task does not come to rest");
    assert_eq!(touch(true, 2, 0, None).await, Some((Pending, InProgress, 1)));
    assert_eq!(touch(true, -1, 1, Some("\"first\"")).await, None);
    assert_eq!(touch(false, -1, 1, Some("\"second\"")).await, Some((InProgress, Error, 2)));
    let stored = transact!(store.read(task: TaskId) |tx| -> Vec<TaskRow> { tx.tasks(&[*task]).await }).expect("a task");
    assert_eq!(stored[0].error.as_ref().map(Json::as_str), Some("\"first\""));
    assert!(stored[0].started_at.is_some() && stored[0].finished_at.is_some());
    let unknown = TaskId::generate();
    let mut ended = transact!(store.read(task: TaskId, unknown: TaskId) |tx| -> Vec<TaskId> {
        tx.ended(&[*task, *unknown]).await
    })
    .expect("ended");
    ended.sort_unstable();
    assert_eq!(ended, [task, unknown]);
}

#[tokio::test]
async fn held_steps_are_in_progress_until_they_are_settled() {
    let database = fresh_database().await;
    let store = open(&database).await;
    let named = template(&store).await;
    let task = create(&store, named, 1).await[0];
    let taken = take(&store, vec![LaneCursor { lane: named.2, from: None }], 1).await;
    let held = NewReceipt { id: ReceiptId::generate(), session: SessionId(uuid::Uuid::now_v7()), steps: taken };
    transact!(store.write(held: NewReceipt) |tx| -> () { tx.put_receipt(held).await.map(drop) }).expect("stored");
    let first = || async {
        let steps = transact!(store.read(task: TaskId) |tx| -> Vec<StepRow> { tx.steps(*task).await }).expect("steps");
        (steps[0].state, steps[0].attempts, steps[1].state)
    };
    assert_eq!(first().await, (StepState::InProgress, 1, StepState::Pending));
    let lane = named.2;
    let outlook =
        transact!(store.read(lane: LaneId) |tx| -> Outlook { tx.outlook(&[*lane]).await }).expect("an outlook");
    assert_eq!(outlook, Outlook { held: true, ..Outlook::default() });
    settle(&store, vec![complete(key(task, 0), Token(0), "null")]).await;
    assert_eq!(first().await, (StepState::Complete, 1, StepState::Pending));
}

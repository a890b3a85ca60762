//! Steps that are made while a task runs, one for each item of a list.

use tasker_core::domain::id::{RevisionId, StepKey, TaskId, Token};
use tasker_core::domain::state::StepState;
use tasker_core::storage::rows::{ExpandedStep, LastTransition, NewItems, StepTransition};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::bench::*;
use crate::calls::*;
use crate::support::growth;

on_each_store! {
    async fn a_group_waits_for_the_steps_of_its_items(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let key = |index| StepKey { task: id, index };
        let exact = r#"{"b": 1e20, "a": [null, "\u0000"]}"#;
        let first = NewItems { group: key(0), first: 4, waiting: 0, items: vec![(json(exact), Token(0)), (json("null"), Token(3))] };
        let second = NewItems { group: key(2), first: 10_004, waiting: 1, items: vec![(json("1"), Token(0))] };
        db.write(InsertItems { rows: vec![first, second] }).await;
        db.write(InsertItems { rows: vec![] }).await;

        let steps = db.read(Steps { task: id }).await;
        let seen: Vec<_> = steps.iter().map(|step| (step.index, step.waiting, step.token.0, step.item.clone())).collect();
        assert_eq!(seen, [(0, 2, 0, None), (1, 1, 0, None), (2, 2, 0, None), (3, 2, 0, None),
            (4, 0, 0, Some(json(exact))), (5, 0, 3, Some(json("null"))), (10_004, 1, 0, Some(json("1")))]);
        assert!(steps.iter().all(|step| step.state == StepState::Pending && step.attempts == 0));

        let keys: Vec<StepKey> = [0, 1, 4, 5, 6, 10_004].map(key).to_vec();
        let mut items = db.read(Items { keys: keys.clone() }).await;
        items.sort_unstable_by_key(|(key, _)| *key);
        assert_eq!(items, [(key(4), json(exact)), (key(5), json("null")), (key(10_004), json("1"))]);
        assert_eq!(db.read(Expanded { keys }).await, [ExpandedStep { key: key(0), items: 2, attempts: 0 }]);
        assert!(db.read(Expanded { keys: vec![] }).await.is_empty() && db.read(Items { keys: vec![] }).await.is_empty());

        db.write(SettleSteps { moves: vec![step_move(key(4), 0, StepState::Complete), step_move(key(5), 3, StepState::Skipped)] }).await;
        assert!(db.write(ReleaseSteps { parents: vec![(key(0), 1)] }).await.is_empty());
        let released = db.write(ReleaseSteps { parents: vec![(key(0), 1)] }).await;
        assert_eq!(released.iter().map(|step| step.key).collect::<Vec<_>>(), [key(0)]);
    }

    async fn the_items_of_a_group_go_with_their_steps(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (id, other) = (diamond.create(db).await, diamond.create(db).await);
        let group = |task, index| StepKey { task, index };
        let rows = [(id, 1, 4), (id, 2, 10_004), (other, 1, 4)].map(|(task, index, first)| {
            NewItems { group: group(task, index), first, waiting: 0, items: vec![(json("1"), Token(0)), (json("2"), Token(0))] }
        });
        db.write(InsertItems { rows: rows.to_vec() }).await;
        db.write(RemoveItems { groups: vec![group(id, 1), group(id, 3)] }).await;
        db.write(RemoveItems { groups: vec![] }).await;
        let steps = db.read(Steps { task: id }).await;
        assert_eq!(steps.iter().map(|step| step.index).collect::<Vec<_>>(), [0, 1, 2, 3, 10_004, 10_005]);
        assert_eq!(steps.iter().map(|step| step.items).collect::<Vec<_>>(), [None, None, Some(2), None, None, None]);
        assert_eq!(db.read(Steps { task: other }).await.len(), 6, "another task's stay");
        assert!(db.read(Items { keys: vec![group(id, 4), group(id, 5)] }).await.is_empty());
    }

    async fn ten_thousand_items_are_made_at_once(db: &Database) {
        let id = wide(&Diamond::store(db).await, db, 10_000).await;
        let steps = db.read(Steps { task: id }).await;
        assert_eq!((steps.len(), steps[1].waiting), (10_004, 10_001));
        assert_eq!(steps[10_003].item, Some(json("9999")));
    }

    async fn a_look_at_items_takes_time_for_each_of_them(db: &Database) {
        let (diamond, sizes) = (Diamond::store(db).await, [500, 4_000]);
        let tasks = [wide(&diamond, db, sizes[0]).await, wide(&diamond, db, sizes[1]).await];
        let look = |size| Handle::current().block_on(db.read(Steps { task: tasks[usize::from(size == sizes[1])] }));
        block_in_place(|| growth::at_most(24.0, sizes, |size| assert_eq!(look(size).len(), size + 4)));
    }

    async fn the_view_of_edges_has_items(db: &Database) {
        let id = Diamond::store(db).await.create(db).await;
        let group = StepKey { task: id, index: 3 };
        let items = vec![(json("1"), Token(0)), (json("2"), Token(0))];
        db.write(InsertItems { rows: vec![NewItems { group, first: 4, waiting: 0, items }] }).await;
        let mut edges = edges(&db.url).await;
        edges.sort();
        let expected = ["a b 0 1", "a c 0 2", "b d 1 3", "b d[0] 1 4", "b d[1] 1 5", "c d 2 3", "c d[0] 2 4", "c d[1] 2 5",
            "d[0] d 4 3", "d[1] d 5 3"];
        assert_eq!(edges, expected);
    }

    async fn the_last_transition_is_found_of_steps_that_are_gone(db: &Database) {
        let task = TaskId::generate();
        let key = |index| StepKey { task, index };
        let line = |index, seq, to| StepTransition { seq, to, ..StepTransition::created(key(index), RevisionId(1)) };
        let steps = vec![line(1, 0, StepState::Pending), line(1, 3, StepState::InProgress), line(2, 4, StepState::Complete)];
        db.write(Record { steps, tasks: vec![] }).await;
        let mut last = db.read(LastTransitions { keys: vec![key(2), key(0), key(1)] }).await;
        last.sort_unstable_by_key(|last| last.key);
        let expected = [LastTransition { key: key(1), seq: 3, to: StepState::InProgress },
            LastTransition { key: key(2), seq: 4, to: StepState::Complete }];
        assert_eq!(last, expected);
        assert_eq!(expected.map(|last| last.next_token()), [Token(2), Token(3)]);
        assert!(db.read(LastTransitions { keys: vec![] }).await.is_empty());
    }
}

/// A task with this many items.
async fn wide(diamond: &Diamond, db: &Database, size: usize) -> TaskId {
    let id = diamond.create(db).await;
    let items = (0..size).map(|n| (json(&n.to_string()), Token(0))).collect();
    let group = StepKey { task: id, index: 1 };
    db.write(InsertItems { rows: vec![NewItems { group, first: 4, waiting: 0, items }] }).await;
    id
}

/// The edges as the view shows them.
async fn edges(url: &str) -> Vec<String> {
    const SQL: &str =
        "SELECT from_step || ' ' || to_step || ' ' || from_index || ' ' || to_index FROM tasker_workflow_step_edges";
    rows_behind_the_back(url, SQL).await
}

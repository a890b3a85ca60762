//! What people look at: listings, steps under way, what ended.

use tasker_core::domain::id::{StepKey, TaskId, Token};
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::storage::rows::{NewNamedTask, NewTask, ReadyRow, StepProgress, TaskFilter};

use crate::bench::*;
use crate::calls::*;

const LOOK: usize = 1_000;

/// Whether `task`, of the template `name version`, is what `filter` asks for: the plain meaning.
fn matches(filter: &TaskFilter, task: &NewTask, namespace: &str, name: &str, version: &str) -> bool {
    let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    (filter.states.is_empty() || filter.states.contains(&task.state))
        && is(&filter.namespace, namespace)
        && is(&filter.name, name)
        && is(&filter.version, version)
        && filter.key.as_ref().is_none_or(|key| task.key.as_ref() == Some(key))
        && filter.tag.as_ref().is_none_or(|tag| task.tags.contains(tag))
}

/// Every combination of conditions of which each holds for some tasks and not for others.
fn filters() -> Vec<TaskFilter> {
    let some = |bit: bool, word: &str| bit.then(|| word.to_owned());
    (0..128_u32)
        .map(|bits| TaskFilter {
            states: match bits & 3 {
                0 => vec![],
                1 => vec![TaskState::Error, TaskState::Paused],
                2 => vec![TaskState::Pending],
                _ => vec![TaskState::Complete, TaskState::Cancelled, TaskState::Error],
            },
            namespace: some(bits & 4 != 0, "shop"),
            name: some(bits & 8 != 0, "diamond"),
            version: some(bits & 16 != 0, "1.0.0"),
            key: some(bits & 32 != 0, "k"),
            tag: some(bits & 64 != 0, "red"),
            ..TaskFilter::default()
        })
        .collect()
}

on_each_store! {
    async fn each_combination_of_filters_lists_what_it_asks_for(db: &Database) {
        let named = |namespace: &str, name: &str, version: &str| NewNamedTask {
            namespace: namespace.into(), name: name.into(), ..diamond(version)
        };
        let mut tasks = Vec::new();
        let templates = [("shop", "diamond", "1.0.0"), ("shop", "diamond", "2.0.0"), ("shop", "x", "1.0.0"), ("y", "diamond", "1.0.0")];
        for (namespace, name, version) in templates {
            let stored = db.write(StoreTemplate { new: named(namespace, name, version) }).await;
            for (n, &state) in TaskState::ALL.iter().enumerate() {
                for tagged in [false, true] {
                    let mut task = stored.task();
                    task.state = state;
                    task.key = (n % 2 == 0).then(|| "k".into());
                    task.tags = if tagged { vec!["blue".into(), "red".into()] } else { vec!["redder".into()] };
                    tasks.push((task, namespace, name, version));
                }
            }
            let ours: Vec<_> = tasks.iter().filter(|t| (t.1, t.2, t.3) == (namespace, name, version)).map(|t| t.0.clone()).collect();
            stored.insert(db, ours).await;
        }
        for filter in filters() {
            let fits = tasks.iter().filter(|(task, namespace, name, version)| matches(&filter, task, namespace, name, version));
            let mut expected: Vec<TaskId> = fits.map(|(task, ..)| task.id).collect();
            expected.sort_unstable_by(|a, b| b.cmp(a));
            let found = db.read(ListTasks { filter: filter.clone(), before: None, limit: LOOK }).await;
            assert_eq!(found.iter().map(|task| task.id).collect::<Vec<_>>(), expected, "{filter:?}");
            assert_eq!(db.read(CountTasks { filter }).await, expected.len() as u64);
        }
    }

    async fn delicate_words_are_found_and_nothing_else(db: &Database) {
        let stored = Diamond::store(db).await;
        let words = ["'", "\"", "\\", "{a,b}", "%", "é😀", "NULL", "a b", "$1"];
        let mut ids = Vec::new();
        for word in words {
            let task = NewTask { tags: vec![word.into()], key: Some(word.into()), ..stored.task() };
            ids.push(task.id);
            stored.insert(db, vec![task]).await;
        }
        for (word, id) in words.iter().zip(ids) {
            for filter in [
                TaskFilter { tag: Some((*word).into()), ..TaskFilter::default() },
                TaskFilter { key: Some((*word).into()), ..TaskFilter::default() },
            ] {
                let found = db.read(ListTasks { filter, before: None, limit: LOOK }).await;
                assert_eq!(found.iter().map(|task| task.id).collect::<Vec<_>>(), [id], "{word}");
            }
        }
    }

    async fn pages_follow_one_another_without_gap_or_overlap(db: &Database) {
        let stored = Diamond::store(db).await;
        let tasks: Vec<NewTask> = (0..25)
            .map(|n| NewTask { tags: if n % 2 == 0 { vec!["even".into()] } else { vec![] }, ..stored.task() })
            .collect();
        let mut ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        stored.insert(db, tasks).await;
        ids.reverse();
        let evens: Vec<TaskId> = ids.iter().step_by(2).copied().collect();
        for (tag, expected) in [(None, ids), (Some("even".to_owned()), evens)] {
            let filter = TaskFilter { tag, ..TaskFilter::default() };
            let mut seen = Vec::new();
            loop {
                let page = ListTasks { filter: filter.clone(), before: seen.last().copied(), limit: 4 };
                let page = db.read(page).await;
                seen.extend(page.iter().map(|task| task.id));
                if page.len() < 4 {
                    break;
                }
            }
            assert_eq!(seen, expected);
        }
        assert!(db.read(ListTasks { filter: TaskFilter::default(), before: None, limit: 0 }).await.is_empty());
    }

    async fn tasks_are_found_by_id(db: &Database) {
        let stored = Diamond::store(db).await;
        let (one, two) = (stored.create(db).await, stored.create(db).await);
        let mut found: Vec<TaskId> =
            db.read(Tasks { ids: vec![two, TaskId::generate(), one] }).await.iter().map(|task| task.id).collect();
        found.sort_unstable();
        assert_eq!(found, [one, two]);
        assert!(db.read(Steps { task: TaskId::generate() }).await.is_empty());
        assert!(db.read(Progress { task: TaskId::generate() }).await.is_empty());
    }

    async fn a_step_is_in_progress_while_a_receipt_names_it(db: &Database) {
        let stored = Diamond::store(db).await;
        let (id, other) = (stored.create(db).await, stored.create(db).await);
        let tried = ReadyRow { attempts: 2, ..ready(stored.lane, -3, id, 0) };
        // As a claim finds them: the step has used two attempts.
        let mut again = step_move(tried.key, 0, StepState::WaitingForRetry);
        again.attempts = 2;
        db.write(SettleSteps { moves: vec![again] }).await;
        let tried = ReadyRow { token: tried.token.next(), state: StepState::WaitingForRetry, ..tried };
        let held = receipt(session(), vec![tried.clone(), ready(stored.lane, 0, other, 1)]);
        db.write(PutReceipt { receipt: held.clone() }).await;

        let seen = async |task| {
            let steps = db.read(Steps { task }).await;
            let narrow = steps.iter().map(|step| StepProgress {
                index: step.index, state: step.state, attempts: step.attempts, started_at: step.started_at,
                finished_at: step.finished_at, next_retry_at: step.next_retry_at, items: step.items,
            });
            assert_eq!(db.read(Progress { task }).await, narrow.collect::<Vec<_>>(), "the same, without what steps hold");
            steps.into_iter().map(|step| (step.state, step.attempts)).collect::<Vec<_>>()
        };
        let pending = (StepState::Pending, 0);
        assert_eq!(seen(id).await, [(StepState::InProgress, 3), pending, pending, pending]);
        assert_eq!(seen(other).await, [pending, (StepState::InProgress, 1), pending, pending]);

        // Moved meanwhile: the receipt's token is an old one.
        let mut back = step_move(tried.key, 1, StepState::Pending);
        back.attempts = 2;
        db.write(SettleSteps { moves: vec![back] }).await;
        assert_eq!(seen(id).await[0], (StepState::Pending, 2));
        db.write(SettleSteps { moves: vec![step_move(StepKey { task: other, index: 1 }, 0, StepState::Complete)] }).await;
        assert_eq!(seen(other).await[1], (StepState::Complete, 1));
        db.write(DropReceipts { ids: vec![held.id] }).await;
        assert_eq!(seen(other).await, [pending, (StepState::Complete, 1), pending, pending]);
    }

    async fn what_ended_or_never_was_has_ended(db: &Database) {
        let stored = Diamond::store(db).await;
        let unknown = TaskId::generate();
        let (mut all, mut expected) = (vec![unknown], vec![unknown]);
        for &state in TaskState::ALL {
            let task = NewTask { state, ..stored.task() };
            all.push(task.id);
            if state.is_ended() {
                expected.push(task.id);
            }
            stored.insert(db, vec![task]).await;
        }
        let mut ended = db.read(Ended { ids: all }).await;
        ended.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ended, expected);
    }

    async fn a_step_with_another_token_or_none_is_superseded(db: &Database) {
        let stored = Diamond::store(db).await;
        let id = stored.create(db).await;
        let held = |task, index, token| (StepKey { task, index }, Token(token));
        db.write(SettleSteps { moves: vec![step_move(StepKey { task: id, index: 2 }, 0, StepState::Cancelled)] }).await;
        let unknown = TaskId::generate();
        let all = vec![held(id, 0, 0), held(id, 1, 1), held(id, 2, 0), held(unknown, 0, 0), held(id, 9, 0)];
        let mut found = db.read(Superseded { held: all.clone() }).await;
        found.sort_by_key(|held| all.iter().position(|one| one == held));
        assert_eq!(found, all[1..]);
        let backwards = vec![held(id, 2, 1), held(id, 1, 5), held(id, 0, 0)];
        assert_eq!(db.read(Superseded { held: backwards }).await, [held(id, 1, 5)], "each token stays with its step");
        assert!(db.read(Superseded { held: vec![held(id, 2, 1)] }).await.is_empty());
        assert!(db.read(Superseded { held: vec![] }).await.is_empty());
    }

    async fn the_view_of_edges_can_be_selected_from(db: &Database) {
        let stored = Diamond::store(db).await;
        stored.create(db).await;
        behind_the_back(&db.url, "CREATE TABLE seen AS SELECT task_id, from_step, to_step FROM tasker_workflow_step_edges").await;
        behind_the_back(&db.url, "ALTER TABLE seen RENAME TO seen_again; DROP TABLE seen_again").await;
    }
}

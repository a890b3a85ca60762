//! What tasks are found by: terms, times, annotations.

use tasker_core::domain::id::TaskId;
use tasker_core::domain::search::Term;
use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::domain::time::Timestamp;
use tasker_core::storage::rows::{NewAnnotation, NewNamedTask, NewTask, Span, TaskFilter, TermRow};
use uuid::Uuid;

use crate::bench::*;
use crate::calls::*;

fn number(path: &str, value: u64) -> Term {
    Term::of_context(path, &value.into()).unwrap()
}

fn found_by(terms: Vec<Term>) -> TaskFilter {
    TaskFilter { terms, ..TaskFilter::default() }
}

fn annotation(task: TaskId, kind: &str, text: &str) -> NewAnnotation {
    NewAnnotation { id: Uuid::now_v7(), task, kind: kind.into(), value: json(text), by: Some("é '\"".into()) }
}

async fn listed(db: &Database, filter: TaskFilter) -> Vec<TaskId> {
    let found = db.read(ListTasks { filter: filter.clone(), before: None, limit: 1_000 }).await;
    let ids: Vec<TaskId> = found.iter().map(|task| task.id).collect();
    assert_eq!(db.read(CountTasks { filter }).await, ids.len() as u64);
    ids
}

/// Every page of `size`, one after the other.
async fn paged(db: &Database, filter: &TaskFilter, size: usize) -> Vec<TaskId> {
    let mut seen: Vec<TaskId> = Vec::new();
    loop {
        let page = ListTasks { filter: filter.clone(), before: seen.last().copied(), limit: size };
        let page = db.read(page).await;
        seen.extend(page.iter().map(|task| task.id));
        if page.len() < size {
            return seen;
        }
    }
}

on_each_store! {
    async fn each_combination_of_terms_finds_what_has_all_of_them(db: &Database) {
        let diamond = Diamond::store(db).await;
        let mut tasks = Vec::new();
        for n in 0..60_u64 {
            let tags = if n % 2 == 0 { vec!["even".to_owned(), "all".to_owned()] } else { vec!["all".to_owned()] };
            let state = if n % 5 == 0 { TaskState::Error } else { TaskState::Pending };
            let task = NewTask { tags, state, ..diamond.task() };
            let id = task.id;
            diamond.insert(db, vec![task]).await;
            let terms = [number("n", n % 3), number("deep.er", n % 4)];
            db.write(PutTerms { rows: terms.map(|term| TermRow { task: id, term }).to_vec() }).await;
            if n % 7 == 0 {
                db.write(Annotate { new: annotation(id, "odd one", "7") }).await.unwrap();
            }
            tasks.push((n, id));
        }
        for bits in 0..64_u32 {
            let has = |bit: u32| bits & bit != 0;
            let mut terms = Vec::new();
            terms.extend(has(1).then(|| number("n", 1)));
            terms.extend(has(2).then(|| number("deep.er", 2)));
            let filter = TaskFilter {
                states: if has(4) { vec![TaskState::Error] } else { vec![] },
                tag: has(8).then(|| "even".into()),
                annotation: has(16).then(|| "odd one".into()),
                name: has(32).then(|| "diamond".into()),
                terms,
                ..TaskFilter::default()
            };
            let fits = |n: u64| {
                (!has(1) || n % 3 == 1) && (!has(2) || n % 4 == 2) && (!has(4) || n.is_multiple_of(5))
                    && (!has(8) || n.is_multiple_of(2)) && (!has(16) || n.is_multiple_of(7))
            };
            let expected: Vec<TaskId> = tasks.iter().rev().filter(|(n, _)| fits(*n)).map(|(_, id)| *id).collect();
            assert_eq!(listed(db, filter.clone()).await, expected, "{filter:?}");
            assert_eq!(paged(db, &filter, 4).await, expected, "{filter:?}");
        }
        assert!(listed(db, found_by(vec![number("n", 9)])).await.is_empty());
        assert!(listed(db, found_by(vec![number("m", 1)])).await.is_empty());
    }

    async fn the_rarest_of_many_terms_is_found_among_thousands(db: &Database) {
        let diamond = Diamond::store(db).await;
        let tasks: Vec<NewTask> = (0..2_500).map(|_| diamond.task()).collect();
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        diamond.insert(db, tasks).await;
        let common = ids.iter().map(|&task| TermRow { task, term: number("a", 1) });
        let half = ids.iter().step_by(2).map(|&task| TermRow { task, term: number("b", 2) });
        let rare = [TermRow { task: ids[6], term: number("c", 3) }, TermRow { task: ids[7], term: number("c", 3) }];
        db.write(PutTerms { rows: common.chain(half).chain(rare).collect() }).await;
        let all = vec![number("a", 1), number("b", 2), number("c", 3)];
        assert_eq!(listed(db, found_by(all)).await, [ids[6]]);
        assert!(listed(db, found_by(vec![number("a", 1), number("d", 4)])).await.is_empty());
        let half = paged(db, &found_by(vec![number("a", 1), number("b", 2)]), 400).await;
        assert_eq!(half.len(), 1_250);
    }

    async fn terms_are_kept_once_and_go_with_their_task(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (gone, kept) = (diamond.create(db).await, diamond.create(db).await);
        let delicate = ["", "'", "\\", "\"", "%", "é😀", "NULL", "$1", "{a}"];
        for task in [gone, kept, gone] {
            let terms = delicate.map(|word| Term { name: format!("context.{word}"), value: word.into() });
            db.write(PutTerms { rows: terms.map(|term| TermRow { task, term }).to_vec() }).await;
            db.write(Annotate { new: annotation(task, "note", "null") }).await.unwrap();
        }
        for word in delicate {
            let term = || Term { name: format!("context.{word}"), value: word.into() };
            assert_eq!(listed(db, found_by(vec![term()])).await, [kept, gone], "{word}");
            assert_eq!(listed(db, found_by(vec![term(), term()])).await, [kept, gone], "{word}");
        }
        db.write(DeleteTasks { ids: vec![gone] }).await;
        assert_eq!(listed(db, TaskFilter { annotation: Some("note".into()), ..TaskFilter::default() }).await, [kept]);
        assert!(db.read(Annotations { task: gone, kind: None }).await.is_empty());
        assert_eq!(db.read(Annotations { task: kept, kind: None }).await.len(), 1);
        let rows = "SELECT 1 / (CASE WHEN count(*) = 0 THEN 1 ELSE 0 END) FROM";
        let of_gone = match db.url.starts_with("sqlite") {
            true => format!("hex(task_id) = upper('{}')", gone.0.simple()),
            false => format!("task_id = '{gone}'"),
        };
        for table in ["tasker_task_terms", "tasker_task_annotations"] {
            behind_the_back(&db.url, &format!("CREATE TABLE left_over AS {rows} {table} WHERE {of_gone}; DROP TABLE left_over")).await;
        }
    }

    async fn annotations_are_stored_once_in_their_order(db: &Database) {
        let diamond = Diamond::store(db).await;
        let (id, other) = (diamond.create(db).await, diamond.create(db).await);
        let texts = [r#"{"a": 1e20}"#, "null", "\"\\u0000 é\"", "[1.10, -0.0]"];
        let mut at: Vec<Timestamp> = Vec::new();
        for (n, text) in texts.into_iter().enumerate() {
            let new = annotation(id, if n % 2 == 0 { "even" } else { "odd" }, text);
            let made = db.write(Annotate { new: new.clone() }).await.unwrap();
            db.travel(MINUTE);
            assert_eq!(db.write(Annotate { new }).await, Some(made), "the same one again");
            at.push(made);
        }
        db.write(Annotate { new: annotation(other, "even", "2") }).await.unwrap();
        let found = db.read(Annotations { task: id, kind: None }).await;
        assert_eq!(found.iter().map(|row| row.value.as_str()).collect::<Vec<_>>(), texts);
        assert_eq!(found.iter().map(|row| row.at).collect::<Vec<_>>(), at);
        assert!(found.iter().all(|row| row.by.as_deref() == Some("é '\"")));
        let odd = db.read(Annotations { task: id, kind: Some("odd") }).await;
        assert_eq!(odd.iter().map(|row| row.value.as_str()).collect::<Vec<_>>(), [texts[1], texts[3]]);
        assert!(db.read(Annotations { task: id, kind: Some("other") }).await.is_empty());

        let nobody = NewAnnotation { by: None, ..annotation(TaskId::generate(), "even", "1") };
        assert_eq!(db.write(Annotate { new: nobody.clone() }).await, None);
        assert!(db.read(Annotations { task: nobody.task, kind: None }).await.is_empty());
    }

    async fn tasks_are_found_by_when_they_were_created_and_ended(db: &Database) {
        let diamond = Diamond::store(db).await;
        let mut tasks = Vec::new();
        for n in 0..12 {
            let id = diamond.create(db).await;
            let created = db.task(id).await.created_at;
            let mut finished = None;
            if n % 3 != 0 {
                let task = StepState::Complete;
                let done = (0..4).map(|index| step_move(tasker_core::domain::id::StepKey { task: id, index }, 0, task));
                db.write(SettleSteps { moves: done.collect() }).await;
                db.travel(MINUTE);
                db.write(TouchTasks { touches: vec![touch(id, true, -1, 0)] }).await;
                finished = db.task(id).await.finished_at;
                assert!(finished.is_some());
            }
            tasks.push((id, created, finished));
            db.travel(MINUTE);
        }
        let some = |n: usize| Some(tasks[n].1);
        let spans = [(None, None), (some(3), None), (None, some(8)), (some(3), some(8)), (some(8), some(3)), (some(5), some(5))];
        for (from, before) in spans {
            let span = Span { from, before };
            let within = |at: Timestamp| from.is_none_or(|from| at >= from) && before.is_none_or(|before| at < before);
            for ended in [false, true] {
                let mut filter = TaskFilter::default();
                if ended { filter.finished = span } else { filter.created = span }
                let moment = |task: &(TaskId, Timestamp, Option<Timestamp>)| if ended { task.2 } else { Some(task.1) };
                let unbounded = from.is_none() && before.is_none();
                let fits = |task: &&(TaskId, Timestamp, Option<Timestamp>)| unbounded || moment(task).is_some_and(within);
                let expected: Vec<TaskId> = tasks.iter().rev().filter(fits).map(|task| task.0).collect();
                assert_eq!(listed(db, filter.clone()).await, expected, "{filter:?}");
                assert_eq!(paged(db, &filter, 2).await, expected, "{filter:?}");
            }
        }
    }

    async fn paths_are_declared_by_versions_and_stay(db: &Database) {
        let one = Diamond::store(db).await;
        let two = db.write(StoreTemplate { new: diamond("2.0.0") }).await;
        let there = db.write(StoreTemplate { new: NewNamedTask { namespace: "y".into(), ..diamond("1.0.0") } }).await;
        let paths = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        for (id, names) in [(one.id, &["b", "a.x"][..]), (one.id, &["c", "b"]), (two.id, &["b", "d"]), (there.id, &["é"]), (one.id, &[])] {
            db.write(DeclarePaths { id, paths: paths(names) }).await;
        }
        let of = async |namespace: Option<&str>, name: Option<&str>, version: Option<&str>| {
            let [namespace, name, version] = [namespace, name, version].map(|word| word.map(String::from));
            db.read(DeclaredPaths { filter: TaskFilter { namespace, name, version, ..TaskFilter::default() } }).await
        };
        assert_eq!(of(None, None, None).await, paths(&["a.x", "b", "c", "d", "é"]));
        assert_eq!(of(Some("shop"), None, None).await, paths(&["a.x", "b", "c", "d"]));
        assert_eq!(of(None, Some("diamond"), Some("2.0.0")).await, paths(&["b", "d"]));
        assert!(of(None, Some("x"), None).await.is_empty());
        db.write(DeleteNamedTask { id: two.id }).await;
        assert_eq!(of(Some("shop"), None, None).await, paths(&["a.x", "b", "c"]));
    }
}

//! The plans that the statements count on: no table is read from end to end, nothing is sorted.

use rusqlite::{Connection, params_from_iter};

use super::{
    creation, decisions, deletion, items, listing, operations, queue, reading, sessions, settlement, templates,
};
use crate::domain::id::TaskId;
use crate::domain::search::Term;
use crate::domain::state::TaskState;
use crate::domain::time::Timestamp;
use crate::storage::rows::{Span, TaskFilter, Window};
use crate::storage::sqlite::migrate::migrate;
use crate::storage::sqlite::place::Place;

/// The steps of the plan, each a line.
fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
    let steps = statement.query_map(params_from_iter(nulls), |row| row.get::<_, String>(3)).unwrap();
    steps.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
}

fn migrated() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, &Place::Memory).unwrap();
    connection
}

#[test]
fn the_hot_statements_search_by_key_and_sort_nothing() {
    let connection = migrated();
    for sql in [
        queue::FIRST_READY,
        queue::NEXT_READY,
        queue::DELETE_READY,
        queue::DUE,
        queue::DELETE_TIMER,
        sessions::RECEIPTS_OF,
        settlement::SETTLE_STEP,
        settlement::SAVE_CHECKPOINT,
        settlement::TOUCH_TASK,
        decisions::BYPASS_STEP,
        decisions::KEEP_ROUTE,
        deletion::ENDED_BETWEEN,
        items::WAIT_FOR_ITEMS,
        items::LAST_TRANSITION,
        operations::DELETE_TIMERS,
        operations::PLACE_STEP,
        operations::SET_WAITING,
        operations::PLACE_TASK,
        reading::TASK,
        reading::STEPS,
        reading::PROGRESS,
        reading::PARKED,
        reading::TASK_HISTORY,
        reading::STEP_HISTORY,
        templates::LATEST_REVISION,
    ] {
        let plan = plan(&connection, sql);
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

/// A list of more than two, in a check or in what an index is of, made one for each row that was written; so would
/// RETURNING.
#[test]
fn the_hot_statements_make_no_temporary_tree() {
    let connection = migrated();
    for sql in [
        creation::INSERT_TASK,
        creation::INSERT_STEP,
        queue::PUT_READY,
        queue::NEXT_READY,
        queue::DELETE_READY,
        queue::PUT_TIMER,
        queue::DELETE_TIMER,
        queue::HEAD,
        queue::RESULT,
        sessions::HOLD,
        sessions::PUT_RECEIPT,
        sessions::DROP_RECEIPT,
        settlement::HOLD_STEP,
        settlement::SETTLE_STEP,
        settlement::FIND_CHILD,
        settlement::RELEASE_STEP,
        settlement::FIND_TASK,
        settlement::TOUCH_TASK,
        settlement::RECORD_STEP,
        settlement::RECORD_TASK,
    ] {
        let mut statement = connection.prepare(&format!("EXPLAIN {sql}")).unwrap();
        let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
        let codes = statement.query_map(params_from_iter(nulls), |row| row.get::<_, String>(1)).unwrap();
        let codes = codes.collect::<Result<Vec<_>, _>>().unwrap();
        assert!(!codes.iter().any(|code| code == "OpenEphemeral"), "{sql}\n{codes:?}");
    }
}

#[test]
fn sums_read_indexes_and_not_the_whole_of_what_is_stored() {
    use super::statistics::{ALL, ENDED, ENDED_STEPS, ENDED_TASKS, IN_PROGRESS, RARE, of_window};
    let connection = migrated();
    for (sql, index) in [
        (RARE, "COVERING INDEX tasker_tasks_rare"),
        (IN_PROGRESS, "COVERING INDEX tasker_tasks_in_progress"),
        (ENDED, "COVERING INDEX tasker_tasks_by_finish"),
        (ALL, "COVERING INDEX tasker_tasks_by_creation"),
    ] {
        let plan = plan(&connection, sql);
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
    for select in [ENDED_TASKS, ENDED_STEPS] {
        for name in [None, Some("n".to_owned())] {
            let window = Window { since: Timestamp(0), namespace: name.clone(), name };
            let plan = plan(&connection, &of_window(select, &window).0);
            assert!(plan.contains("tasker_tasks_by_finish (finished_at>?)"), "{plan}");
            assert!(!plan.contains("SCAN"), "{plan}");
        }
    }
}

#[test]
fn a_claim_begins_at_its_cursor() {
    let plan = plan(&migrated(), queue::NEXT_READY);
    assert!(plan.contains("(lane=? AND (rank,task_id,idx)>(?,?,?))"), "{plan}");
}

#[test]
fn an_outlook_stops_at_the_first_row_of_each_lane() {
    let connection = migrated();
    let plan = plan(&connection, queue::OUTLOOK);
    assert!(plan.contains("SEARCH r USING PRIMARY KEY (lane=?)"), "{plan}");
    assert!(plan.contains("INDEX tasker_timers_of_retries (lane=?)"), "{plan}");
}

#[test]
fn listings_go_backwards_or_by_an_index() {
    let connection = migrated();
    let plan = |filter: &TaskFilter| plan(&connection, &listing::page(filter, filter.all_terms(), None, 10).sql);
    let all = plan(&TaskFilter::default());
    assert!(all.contains("SCAN t") && !all.contains("TEMP B-TREE"), "{all}");
    let named = plan(&TaskFilter { name: Some("n".into()), ..TaskFilter::default() });
    assert!(!named.contains("TEMP B-TREE"), "{named}");
    let failed = plan(&TaskFilter { states: vec![TaskState::Error], ..TaskFilter::default() });
    assert!(failed.contains("tasker_tasks_rare (state=?)") && !failed.contains("TEMP B-TREE"), "{failed}");
    let new = Span { from: Some(Timestamp(5)), before: Some(Timestamp(7)) };
    let created = plan(&TaskFilter { created: new, ..TaskFilter::default() });
    assert!(created.contains("tasker_tasks_by_creation (created_at>? AND created_at<?)"), "{created}");
    let finished = plan(&TaskFilter { finished: new, ..TaskFilter::default() });
    assert!(finished.contains("tasker_tasks_by_finish (finished_at>? AND finished_at<?)"), "{finished}");
    let keyed = plan(&TaskFilter { key: Some("k".into()), ..TaskFilter::default() });
    assert!(keyed.contains("tasker_tasks_by_key (key=?)"), "{keyed}");
}

#[test]
fn a_page_that_goes_on_walks_the_tasks_from_there() {
    let created = Span { from: Some(Timestamp(5)), before: None };
    let page =
        listing::page(&TaskFilter { created, ..TaskFilter::default() }, Vec::new(), Some(TaskId::generate()), 10);
    let plan = plan(&migrated(), &page.sql);
    assert!(plan.contains("PRIMARY KEY (id<?)") && !plan.contains("TEMP B-TREE"), "{plan}");
}

#[test]
fn a_search_walks_its_first_term_and_probes_the_others() {
    let connection = migrated();
    let terms = vec![Term::tag("a"), Term::tag("b")];
    let span = Span { from: Some(Timestamp(5)), before: None };
    let filter = TaskFilter { terms, states: vec![TaskState::Error], created: span, ..TaskFilter::default() };
    let first = plan(&connection, &listing::page(&filter, filter.all_terms(), None, 10).sql);
    let next = plan(&connection, &listing::page(&filter, filter.all_terms(), Some(TaskId::generate()), 10).sql);
    let count = plan(&connection, &listing::counting(&filter, filter.all_terms()).sql);
    assert!(next.contains("SEARCH m USING PRIMARY KEY (name=? AND value=? AND task_id<?)"), "{next}");
    for plan in [first, next, count] {
        assert!(plan.contains("SEARCH m USING PRIMARY KEY (name=? AND value=?"), "{plan}");
        assert!(plan.contains("SEARCH t USING PRIMARY KEY (id=?)"), "{plan}");
        let probe = plan.lines().find(|line| line.starts_with("SEARCH x")).unwrap_or_default();
        assert!(["task_id=?", "name=?", "value=?"].iter().all(|column| probe.contains(column)), "{plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}

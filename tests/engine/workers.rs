//! Workers: queues, stopping, sharing the work.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_core::domain::state::TaskState;
use tasker_core::engine::worker::Phase;
use tasker_core::ffi::shared::types::ListTasksInput;

use crate::helpers::*;
use crate::on_each_database;
use crate::support::lab::*;

on_each_database! {
    fn a_worker_takes_its_queues_only(url: &str) {
        let handle = open(url);
        let steps_json = json!([{ "name": "a", "queue": "slow" }, { "name": "b" }]);
        register(&handle, json!({ "name": "two", "steps": steps_json }));
        let task = create(&handle, json!({ "name": "two", "queue": "mine" })).expect("a task");
        let slow = Crew::start(&handle, 1, Some(vec!["slow".into()]), Arc::new(|_| done(json!(null))));
        assert!(slow.until_idle(runtime()));
        assert_eq!(slow.order(), ["a"]);
        let mine = Crew::start(&handle, 1, Some(vec!["mine".into()]), Arc::new(|_| done(json!(null))));
        eventually("the task ends", || reload(&handle, &task).row.state == TaskState::Complete);
        assert_eq!(mine.order(), ["b"]);
        slow.stop(runtime());
        mine.stop(runtime());
        close(&handle);
    }

    fn a_running_worker_learns_of_new_templates_and_queues_at_once(url: &str) {
        let handle = open_unpolled(url);
        register(&handle, single(json!({})));
        let crew = Crew::start(&handle, 1, None, Arc::new(|_| done(json!(null))));
        assert!(crew.until_idle(runtime()));
        register(&handle, diamond());
        let one = create(&handle, json!({ "name": "diamond" })).expect("a task");
        let two = create(&handle, json!({ "name": "single", "queue": "never seen before" })).expect("a task");
        for task in [one, two] {
            wait(handle.wait(task.row.id, None)).expect("it ends");
        }
        crew.stop(runtime());
        close(&handle);
    }

    fn a_stopped_worker_gives_back_what_it_has_not_begun(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let contexts: Vec<_> = (0..10).map(|n| json!({ "n": n })).collect();
        create_many(&handle, json!({ "name": "single", "contexts": contexts })).expect("tasks");
        let gate = Arc::new(std::sync::Barrier::new(2));
        let inside = gate.clone();
        let first = Crew::start(&handle, 1, None, Arc::new(move |_| {
            inside.wait();
            inside.wait();
            done(json!(1))
        }));
        gate.wait();
        let worker = first.worker.clone();
        let stopping = std::thread::spawn(move || runtime().block_on(worker.stop(LIMIT)));
        eventually("it drains", || first.worker.phase() == Phase::Draining);
        let order = run_others(&handle, 9);
        assert_eq!(order, 9);
        gate.wait();
        stopping.join().expect("stopped");
        first.stop(runtime());
        let left: ListTasksInput = serde_json::from_value(json!({ "status": ["pending", "in_progress"] })).expect("input");
        assert_eq!(wait(handle.count(left)).expect("a count"), 0);
        close(&handle);
    }

    fn a_worker_stopped_by_force_gives_back_what_is_running(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        let gate = Arc::new(std::sync::Barrier::new(2));
        let inside = gate.clone();
        let stuck = Crew::start(&handle, 1, None, Arc::new(move |_| {
            inside.wait();
            inside.wait();
            done(json!("late"))
        }));
        gate.wait();
        runtime().block_on(stuck.worker.stop(Duration::ZERO));
        assert_eq!(run(&handle, Arc::new(|_| done(json!("in time")))).len(), 1);
        gate.wait();
        stuck.stop(runtime());
        let step = one(&handle, &task);
        assert_eq!((step.row.attempts, step.row.crashes), (1, 0), "what was given back is no attempt");
        assert_eq!(step.row.result.expect("a result").as_str(), r#""in time""#);
        close(&handle);
    }

    fn every_step_runs_once_with_two_workers(url: &str) {
        let (a, b) = (open(url), open(url));
        register(&a, diamond());
        register(&b, diamond());
        let contexts: Vec<_> = (0..200).map(|n| json!({ "n": n })).collect();
        create_many(&a, json!({ "name": "diamond", "contexts": contexts })).expect("tasks");
        let one = Crew::start(&a, 2, None, Arc::new(|_| done(json!(null))));
        let two = Crew::start(&b, 2, None, Arc::new(|_| done(json!(null))));
        assert!(one.until_idle(runtime()) && two.until_idle(runtime()));
        let mut ran: Vec<_> = one.journal.lock().expect("a journal").clone();
        ran.extend(two.journal.lock().expect("a journal").clone());
        assert_eq!(ran.len(), 800);
        ran.sort();
        ran.dedup();
        assert_eq!(ran.len(), 800);
        one.stop(runtime());
        two.stop(runtime());
        close(&a);
        close(&b);
    }
}

/// What happens while something is held up between two steps of the engine.
#[cfg(feature = "fault_points")]
mod held_up {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    use tasker_core::fault_points::{Action, Point, arm, disarm, left};
    use tasker_core::ffi::shared::types::CreateTaskInput;

    use super::*;

    on_each_database! {
        fn what_comes_before_the_last_look_is_not_forgotten_when_nothing_is_left_behind_it(url: &str) {
            let handle = open_unpolled(url);
            register(&handle, single(json!({})));
            create_many(&handle, json!({ "name": "single", "contexts": [{}, {}, {}, {}] })).expect("tasks");
            let begun = Arc::new(AtomicBool::new(false));
            let inside = begun.clone();
            let crew = Crew::start(&handle, 1, None, Arc::new(move |_| {
                if !inside.load(Ordering::SeqCst) {
                    arm(Point::Settled, Action::Delay(LIMIT), 1);
                    inside.store(true, Ordering::SeqCst);
                    // A worker whose steps take that long holds two.
                    std::thread::sleep(Duration::from_millis(150));
                }
                done(json!(null))
            }));
            eventually("the first two are settled, the others claimed", || begun.load(Ordering::SeqCst) && left() == 0);
            let urgent = create(&handle, json!({ "name": "single", "priority": 9 })).expect("a task");
            disarm();
            eventually("all have run", || crew.order().len() == 5);
            wait(handle.wait(urgent.row.id, None)).expect("ended");
            crew.stop(runtime());
            close(&handle);
        }

        fn a_worker_does_not_end_before_it_has_given_back_what_was_created_for_it(url: &str) {
            let handle = open_unpolled(url);
            register(&handle, single(json!({})));
            let ending = Crew::start(&handle, 1, None, Arc::new(|_| done(json!("by the one that ends"))));
            assert!(ending.until_idle(runtime()));
            arm(Point::Reserving, Action::Delay(LIMIT), 1);
            let input: CreateTaskInput = serde_json::from_value(json!({ "name": "single" })).expect("an input");
            let created = handle.create_task(input);
            eventually("it has found the worker", || left() == 0);
            let worker = ending.worker.clone();
            let stopping = std::thread::spawn(move || ending.stop(runtime()));
            // It is not to get there: what is given a while is whatever would let it.
            let patience = Instant::now() + Duration::from_millis(300);
            eventually("it could have ended", || worker.phase() == Phase::Stopped || Instant::now() > patience);
            disarm();
            let task = wait(created).expect("a task");
            stopping.join().expect("stopped");
            let other = Crew::start(&handle, 1, None, Arc::new(|_| done(json!(null))));
            wait(handle.wait(task.row.id, None)).expect("another worker runs it");
            other.stop(runtime());
            close(&handle);
        }
    }
}

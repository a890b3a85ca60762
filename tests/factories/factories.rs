//! What was made goes, what was not stays, and time goes back, on every database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tasker_core::engine::error::EngineError;
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::process::Process;
use tasker_core::ffi::testing::factories::{Factories, TemplateKey};

use crate::on_each_database;
use crate::support::host::Host;
use crate::support::lab::*;

type Handle = Arc<OrchestrationHandle>;

fn factories(handle: &Handle) -> Factories {
    Factories::on(handle.clone(), false).unwrap()
}

fn runtime() -> &'static tokio::runtime::Handle {
    Process::current().unwrap().runtime()
}

fn single(name: &str) -> serde_json::Value {
    json!({ "name": name, "steps": [{ "name": "only", "retry_limit": 2 }] })
}

fn noted(factories: &Factories, name: &str) -> bool {
    let key = TemplateKey { namespace: "default".into(), name: name.into(), version: "1.0.0".into() };
    wait(factories.note_template(key)).unwrap()
}

fn made(factories: &Factories, handle: &Handle, name: &str) {
    assert!(noted(factories, name));
    register(handle, single(name));
}

fn names(handle: &Handle) -> Vec<String> {
    let tasks = wait(handle.tasks(serde_json::from_value(json!({})).unwrap())).unwrap();
    tasks.into_iter().map(|task| task.template().name.clone()).collect()
}

on_each_database! {
    fn what_was_made_goes_and_the_rest_stays(url: &str) {
        let handle = open(url);
        let factories = factories(&handle);
        register(&handle, single("own"));
        let own = create(&handle, json!({ "name": "own", "key": "stays" })).unwrap();
        let given = create(&handle, json!({ "name": "own" })).unwrap();
        factories.note_task(&given.row.id.to_string()).unwrap();
        assert!(!noted(&factories, "own"), "it was there before");
        made(&factories, &handle, "made");
        for _ in 0..3 {
            create(&handle, json!({ "name": "made" })).unwrap();
        }
        wait(factories.clean_up()).unwrap();
        assert_eq!(names(&handle), ["own"]);
        assert_eq!(reload(&handle, &own).row.key.as_deref(), Some("stays"));
        let gone = create(&handle, json!({ "name": "made" })).unwrap_err();
        assert!(matches!(gone, EngineError::NotFound { .. }), "the handle has forgotten it too: {gone:?}");
        wait(factories.clean_up()).unwrap();
        made(&factories, &handle, "made");
        create(&handle, json!({ "name": "made" })).unwrap();
        assert_eq!(names(&handle), ["made", "own"]);
    }

    fn a_step_that_a_worker_holds_goes_and_its_report_is_late(url: &str) {
        let handle = open(url);
        let factories = factories(&handle);
        register(&handle, single("own"));
        made(&factories, &handle, "made");
        let (held, own) = (create(&handle, json!({ "name": "made" })).unwrap(), create(&handle, json!({ "name": "own" })).unwrap());
        let open = Arc::new(AtomicBool::new(false));
        let gate = open.clone();
        let crew = Crew::start(&handle, 2, None, Arc::new(move |_| {
            eventually("the gate opens", || gate.load(Ordering::SeqCst));
            done(json!("done"))
        }));
        eventually("both steps are held", || crew.order().len() == 2);
        wait(factories.clean_up()).unwrap();
        open.store(true, Ordering::SeqCst);
        assert!(crew.until_idle(runtime()), "not idle in time");
        assert_eq!((crew.worker.stats().ran, crew.worker.stats().late), (2, 1));
        assert_eq!(steps(&handle, &own)["only"].row.result.as_ref().unwrap().as_str(), "\"done\"");
        let gone = wait(handle.task(&held.row.id.to_string()));
        assert!(matches!(gone, Err(EngineError::NotFound { .. })));
        let troubles = crew.worker.troubles();
        assert!(troubles.is_empty(), "{troubles:?}");
        crew.stop(runtime());
    }

    fn an_expired_lease_of_what_is_left_is_returned(url: &str) {
        // One receipt of another process holds a step of each; only one of the tasks goes.
        let handle = open(url);
        let factories = factories(&handle);
        register(&handle, single("own"));
        made(&factories, &handle, "made");
        let own = create(&handle, json!({ "name": "own" })).unwrap();
        create(&handle, json!({ "name": "made" })).unwrap();
        let other = Host::start(url, 0, Duration::from_secs(30), &[single("own"), single("made")]);
        let worker = other.worker(2);
        eventually("it claims both", || worker.stats().queued == 2);
        wait(factories.clean_up()).unwrap();

        // Its lease ends, by the clock of this process.
        wait(factories.advance(Duration::from_secs(60), false)).unwrap();
        let crew = Crew::start(&handle, 1, None, Arc::new(|_| done(json!(2))));
        eventually("the step that is left runs again", || crew.order() == ["only"]);
        assert!(crew.until_idle(runtime()), "not idle in time");
        assert_eq!(steps(&handle, &own)["only"].row.result.as_ref().unwrap().as_str(), "2");
        let troubles = crew.worker.troubles();
        assert!(troubles.is_empty(), "{troubles:?}");
        crew.stop(runtime());
        wait(factories.clean_up()).unwrap();
        other.end();
    }

    fn a_worker_that_never_looks_unasked_hears_of_a_clock_that_is_moved(url: &str) {
        let handle = open_unpolled(url);
        let factories = factories(&handle);
        register(&handle, single("own"));
        let crew = Crew::start(&handle, 1, None, Arc::new(|step| match step.attempt() {
            1 => fail("not yet", false, Some(Duration::from_secs(7_200))),
            _ => done(json!(2)),
        }));
        let task = create(&handle, json!({ "name": "own" })).unwrap();
        eventually("it waits for a retry", || steps(&handle, &task)["only"].row.next_retry_at.is_some());
        wait(factories.advance(Duration::from_secs(7_200), false)).unwrap();
        eventually("it is tried again", || crew.order().len() == 2);
        crew.stop(runtime());
        wait(factories.clean_up()).unwrap();
    }

    fn the_clock_moves_for_every_handle_and_goes_back(url: &str) {
        let (handle, other) = (open(url), open(url));
        let (ours, theirs) = (factories(&handle), factories(&other));
        let hour = Duration::from_secs(3_600);
        let before = wait(ours.now()).unwrap();
        let after = wait(ours.advance(hour, false)).unwrap();
        assert!(after >= before.after(hour));
        assert!(wait(theirs.now()).unwrap() >= after, "one database, one clock");
        wait(theirs.advance(hour, false)).unwrap();
        wait(ours.clean_up()).unwrap();
        let now = wait(theirs.now()).unwrap();
        assert!(now < before.after(hour * 2) && now >= before.after(hour), "each takes back its own");
        wait(theirs.clean_up()).unwrap();
        assert!(wait(ours.now()).unwrap() < before.after(hour));
        let far = Duration::from_secs(100 * 366 * 86_400 + 1);
        assert!(matches!(wait(ours.advance(far, false)), Err(EngineError::Validation(_))));
    }

    fn the_clock_can_go_behind(url: &str) {
        let handle = open(url);
        let factories = factories(&handle);
        let hour = Duration::from_secs(3_600);
        let before = wait(factories.now()).unwrap();
        let after = wait(factories.advance(hour, true)).unwrap();
        assert!(after.after(hour) >= before && after < before);
        let far = Duration::from_secs(100 * 366 * 86_400);
        assert!(matches!(wait(factories.advance(far, true)), Err(EngineError::Validation(_))));
        wait(factories.clean_up()).unwrap();
        assert!(wait(factories.now()).unwrap() >= before);
    }

    fn a_closed_handle_is_cleaned_up_after(url: &str) {
        let handle = open(url);
        let factories = factories(&handle);
        made(&factories, &handle, "made");
        create(&handle, json!({ "name": "made" })).unwrap();
        wait(handle.close()).unwrap();
        assert!(matches!(wait(factories.advance(Duration::from_secs(1), false)), Err(EngineError::HandleClosed)));
        wait(factories.clean_up()).unwrap();
        assert!(names(&open(url)).is_empty());
    }
}

#[test]
fn a_closed_database_in_memory_is_gone_already() {
    let handle = open("sqlite::memory:");
    let factories = factories(&handle);
    made(&factories, &handle, "made");
    wait(handle.close()).unwrap();
    wait(factories.clean_up()).unwrap();
}

#[test]
fn force_opens_a_database_of_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(&format!("sqlite:{}/production.sqlite3", folder.path().display()));
    assert!(matches!(Factories::on(handle.clone(), false), Err(EngineError::Configuration(_))));
    assert!(Factories::on(handle, true).is_ok());
}

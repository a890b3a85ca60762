//! Handles: sharing, closing, expiring, waiting.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_core::domain::state::TaskState;
use tasker_core::engine::error::EngineError;
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::types::HandleOptions;

use tasker_core::engine::worker::{Phase, WorkerOptions};

use crate::helpers::*;
use crate::on_each_database;
use crate::support::lab::*;

fn valid_for(ttl: Duration) -> HandleOptions {
    HandleOptions { ttl: Some(ttl), ..HandleOptions::default() }
}

on_each_database! {
    fn waiting_for_a_task_ends_with_it(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        let refused = wait(handle.wait(task.row.id, Some(Duration::from_millis(20))));
        assert!(matches!(refused, Err(EngineError::Timeout { .. })), "{refused:?}");
        let other = open(url);
        let waiting = other.wait(task.row.id, None);
        run(&handle, Arc::new(|_| done(json!(null))));
        assert_eq!(wait(waiting).expect("the task").row.state, TaskState::Complete);
        close(&handle);
        close(&other);
    }

    fn closing_a_handle_ends_its_waits(url: &str) {
        let (handle, other) = (open(url), open(url));
        register(&other, single(json!({})));
        let task = create(&handle, json!({ "name": "single" })).expect("a task");
        let (mine, others) = (handle.wait(task.row.id, None), other.wait(task.row.id, None));
        close(&handle);
        let ended = wait(mine);
        assert!(matches!(ended, Err(EngineError::HandleClosed)), "{ended:?}");
        assert!(!others.is_done(), "the other handle is open");
        run(&other, Arc::new(|_| done(json!(null))));
        wait(others).expect("the task");
        close(&other);
    }

    fn handles_share_a_pool_and_the_last_one_closes_it(url: &str) {
        let first = open(url);
        let second = wait(OrchestrationHandle::open(place(url), valid_for(Duration::from_secs(60))).expect("a runtime")).expect("open");
        let refreshed = second.refresh().expect("a new handle");
        assert_ne!(refreshed.id(), second.id());
        close(&first);
        close(&first);
        let refused = create(&first, json!({ "name": "x" }));
        assert!(matches!(refused, Err(EngineError::HandleClosed)), "{refused:?}");
        register(&second, diamond());
        close(&second);
        create(&refreshed, json!({ "name": "diamond" })).expect("the pool is still open");
        close(&refreshed);
    }

    fn an_expired_handle_says_so(url: &str) {
        let handle = wait(OrchestrationHandle::open(place(url), valid_for(Duration::from_millis(20))).expect("a runtime")).expect("open");
        eventually("it expires", || handle.is_expired());
        match create(&handle, json!({ "name": "x" })) {
            Err(error @ EngineError::HandleExpired { .. }) => assert!(error.to_string().contains("refresh"), "{error}"),
            other => panic!("{other:?}"),
        }
        let fresh = handle.refresh().expect("a new handle");
        assert!(!fresh.is_expired());
        close(&handle);
        close(&fresh);
    }

    fn a_worker_that_starts_while_its_handle_closes_is_stopped(url: &str) {
        let (handle, other) = (open(url), open(url));
        register(&handle, single(json!({})));
        let options = WorkerOptions { threads: 1, queues: None, wake: Arc::new(|| {}), interrupt: Arc::new(|| {}) };
        let worker = wait(handle.worker(options)).expect("a worker").keep();
        close(&handle);
        handle.adopt(&worker);
        eventually("it stops", || worker.phase() == Phase::Stopped);
        close(&other);
    }

    fn a_worker_that_nobody_takes_is_stopped(url: &str) {
        let handle = open(url);
        register(&handle, single(json!({})));
        let options = WorkerOptions { threads: 1, queues: None, wake: Arc::new(|| {}), interrupt: Arc::new(|| {}) };
        let started = wait(handle.worker(options)).expect("a worker");
        let worker = started.worker().clone();
        drop(started);
        eventually("it stops", || worker.phase() == Phase::Stopped);
        close(&handle);
    }
}

//! Steps that are moved by hand while a worker holds them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tasker_core::domain::id::{StepKey, TaskId, Token};
use tasker_core::domain::state::StepState;
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::worker::Worker;
use tasker_core::storage::Store;
use tasker_core::storage::rows::StepMove;

use crate::on_each_database;
use crate::support::host::*;
use crate::support::lab::*;

// What an operation does to a step, held or not: its row moves on, and its token grows.
transaction!(Cancel { tasks: Vec<TaskId> } -> (), |self, tx| {
    let moves: Vec<StepMove> = self.tasks.iter().map(|&task| StepMove {
        key: StepKey { task, index: 0 },
        token: Token(0),
        to: StepState::Cancelled,
        attempts: 0,
        crashed: 0,
        result: None,
        error: None,
        started_at: None,
        next_retry_at: None,
 settled_by: None,
    }).collect();
    assert_eq!(tx.settle_steps(&moves).await?.len(), moves.len());
    Ok(())
});

fn cancel(host: &Host, tasks: &[TaskId]) {
    block(host.engine.store().write(Cancel { tasks: tasks.to_vec() })).expect("cancelled");
}

fn start(url: &str) -> Host {
    Host::start(url, 0, LEASE, &[single()])
}

/// Two tasks, and a worker that holds their steps under one receipt.
fn two(host: &Host, threads: usize) -> ([TaskId; 2], Arc<Worker>) {
    let ids = std::array::from_fn(|_| host.create("single", TaskIntent::default()));
    let worker = host.worker(threads);
    eventually("it holds both", || worker.stats().queued == 2);
    (ids, worker)
}

on_each_database! {
    fn a_handler_hears_of_it_and_what_no_thread_took_is_dropped(url: &str) {
        let (host, other) = (start(url), start(url));
        let (ids, worker) = two(&host, 1);
        let running = take(&worker);
        assert!(!worker.is_taken_away(running.number));
        cancel(&other, &ids);
        eventually("the handler hears of it", || worker.is_taken_away(running.number));
        assert!(!worker.is_expired(running.number) && !worker.heartbeat(running.number));
        eventually("the other one is dropped", || worker.stats().queued == 0);
        assert!(block(worker.until_idle(Some(LIMIT))).expect("idle"), "their receipts are gone");

        assert_eq!((worker.stats().running, worker.stats().late), (1, 0));
        assert!(!worker.report(running.number, done(serde_json::json!(1))), "the report is late");
        assert_eq!((worker.stats().running, worker.stats().late, worker.stats().ran), (0, 1, 0));
        assert_eq!(host.steps(ids[0])[0].state, StepState::Cancelled);
        let next = host.create("single", TaskIntent::default());
        worker.report(take(&worker).number, done(serde_json::json!(2)));
        eventually("the worker goes on", || host.steps(next)[0].state == StepState::Complete);
        other.end();
        host.end();
    }

    fn one_of_a_batch_leaves_the_others_as_they_are(url: &str) {
        let (host, other) = (start(url), start(url));
        let (ids, worker) = two(&host, 2);
        let (first, second) = (take(&worker), take(&worker));
        assert_eq!(first.assignment.receipt, second.assignment.receipt);
        cancel(&other, &ids[..1]);
        eventually("its handler hears of it", || worker.is_taken_away(first.number));
        assert!(!worker.is_taken_away(second.number) && worker.heartbeat(second.number));
        assert_eq!(host.steps(ids[1])[0].state, StepState::InProgress);
        assert!(worker.report(second.number, done(serde_json::json!(1))));
        assert!(block(worker.until_idle(Some(LIMIT))).expect("idle"), "nothing is left of the receipt");
        assert_eq!(host.steps(ids[1])[0].state, StepState::Complete);
        other.end();
        host.end();
    }

    fn who_moves_a_step_has_its_worker_look_at_once(url: &str) {
        let host = start(url);
        let worker = host.worker(1);
        // Looking unasked takes at least a quarter of a second; a busy machine may need as long by itself.
        let at_once = (0..20).any(|_| {
            let id = host.create("single", TaskIntent::default());
            let held = take(&worker);
            let began = Instant::now();
            cancel(&host, &[id]);
            host.engine.revoked();
            eventually("the handler hears of it", || worker.is_taken_away(held.number));
            let took = began.elapsed();
            worker.report(held.number, done(serde_json::json!(1)));
            took < Duration::from_millis(200)
        });
        assert!(at_once);
        host.end();
    }
}

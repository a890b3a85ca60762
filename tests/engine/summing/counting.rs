//! How the whole database is, against what was put into it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_core::domain::id::{NamedTaskId, ReceiptId, SessionId, TaskId};
use tasker_core::domain::state::TaskState;
use tasker_core::domain::time::Timestamp;
use tasker_core::ffi::shared::types::Moment;
use tasker_core::storage::rows::{LaneCursor, NewReceipt};
use tasker_core::storage::url::{DatabaseUrl, StoreOptions};
use tasker_core::storage::{AnyStore, Store};
use uuid::Uuid;

use super::history::{HOUR, NOON, SECOND, generate, noon, open_at_noon};
use super::seeded;
use crate::helpers::*;
use crate::on_each_database;
use crate::support::behind::behind_the_back;
use crate::support::host::block;
use crate::support::lab::*;

// A session that takes so many steps and is not heard of again.
transaction!(Take { template: NamedTaskId, steps: usize, ttl: Duration } -> (), |self, tx| {
    let session = SessionId(Uuid::now_v7());
    tx.open_session(session, "a test", self.ttl).await?;
    let lanes = tx.lanes_of(&[self.template]).await?.into_iter();
    let cursors: Vec<LaneCursor> = lanes.map(|lane| LaneCursor { lane: lane.id, from: None }).collect();
    let steps = tx.take_ready(&cursors, self.steps).await?.into_iter().map(|taken| taken.row).collect();
    tx.put_receipt(&NewReceipt { id: ReceiptId::generate(), session, steps }).await.map(drop)
});

/// One that waits for a retry, for an hour from now.
fn retry_later(handle: &Handle, tasks: usize) -> Vec<TaskId> {
    register(handle, json!({ "name": "later", "steps": [{ "name": "only" }] }));
    let created = (0..tasks).map(|_| create(handle, json!({ "name": "later" })).expect("a task"));
    let tasks: Vec<_> = created.collect();
    let crew = Crew::start(handle, 2, None, Arc::new(|_| fail("later", false, Some(Duration::from_secs(3_600)))));
    eventually("all wait", || tasks.iter().all(|task| steps(handle, task)["only"].row.next_retry_at.is_some()));
    crew.stop(runtime());
    tasks.iter().map(|task| task.row.id).collect()
}

on_each_database! {
    fn all_there_is_is_counted_as_it_was_put_there(url: &str) {
        let mut rng = seeded();
        let handle = open_at_noon(url);
        let mut ids: Vec<TaskId> = generate(&handle, url, &mut rng).iter().map(|task| task.id).collect();
        let (retrying, scheduled) = (1 + rng.usize(..4), 1 + rng.usize(..5));
        ids.extend(retry_later(&handle, retrying));
        let queued = json!({ "name": "queued", "steps": [{ "name": "only" }] });
        let stored = wait(handle.register(template(queued))).expect("a template");
        let later = serde_json::to_value(Moment(Timestamp(NOON + 5 * HOUR))).expect("a moment");
        for _ in 0..scheduled {
            ids.push(create(&handle, json!({ "name": "queued", "run_at": later })).expect("a task").row.id);
        }
        let (ready, held, lost) = (1 + rng.usize(..6), rng.usize(..6), rng.usize(..6));
        for _ in 0..ready + held + lost {
            ids.push(create(&handle, json!({ "name": "queued" })).expect("a task").row.id);
        }
        block(take(url, stored.named_task, held, Duration::from_secs(3_600)));
        block(take(url, stored.named_task, lost, Duration::ZERO));
        let age = rng.i64(1..400 * SECOND);
        block(behind_the_back(url, &ready_since(url, NOON - age)));

        let health = wait(handle.system_health()).expect("health");
        let state = |id: &TaskId| wait(handle.task(&id.to_string())).expect("a task").row.state;
        let mut states: HashMap<TaskState, u64> = HashMap::new();
        ids.iter().map(state).for_each(|state| *states.entry(state).or_default() += 1);
        let count = |state: TaskState| states.get(&state).copied().unwrap_or(0);
        let said = &health.tasks;
        let said = [said.pending, said.in_progress, said.paused, said.complete, said.error, said.cancelled, said.resolved_manually];
        assert_eq!(said, [
            count(TaskState::Pending), count(TaskState::InProgress), count(TaskState::Paused), count(TaskState::Complete),
            count(TaskState::Error), count(TaskState::Cancelled), count(TaskState::ResolvedManually),
        ]);
        assert_eq!(health.total_tasks, ids.len() as u64);
        assert_eq!((health.ready_steps, health.in_backoff), (ready as u64, retrying as u64));
        assert_eq!((health.scheduled_steps, health.leases_held), (scheduled as u64, held as u64));
        assert_eq!(health.leases_expired, lost as u64);
        // This process's own, and the one that holds steps.
        assert_eq!(health.workers, 2);

        let now = health.at.0.0;
        assert!((NOON..NOON + 300 * SECOND).contains(&now), "the clock is fixed: {now}");
        let oldest = (now - (NOON - age)) as f64 / 1e6;
        assert!((health.oldest_ready_seconds.expect("a ready step") - oldest).abs() < 1e-6);
        let ended = count(TaskState::Complete) + count(TaskState::Error) + count(TaskState::Cancelled) + count(TaskState::ResolvedManually);
        let failed = count(TaskState::Error) as f64 / ended as f64;
        let expired = if lost == 0 { 0.0 } else { lost as f64 / (held + lost) as f64 };
        let pool = &health.pool;
        assert_eq!(pool.in_use, pool.size - pool.idle);
        let score = 1.0 - 0.4 * failed - 0.3 * expired - 0.2 * (oldest / 300.0).min(1.0) - 0.1 * f64::from(pool.in_use) / f64::from(pool.max);
        assert!((health.score - score).abs() < 1e-6, "{} {score}", health.score);
        close(&handle);
    }
}

async fn take(url: &str, template: NamedTaskId, steps: usize, ttl: Duration) {
    let options = StoreOptions { clock_offset: noon(), ..StoreOptions::default() };
    let store = AnyStore::open(&DatabaseUrl::parse(url).expect("a URL"), &options).await.expect("a store");
    store.write(Take { template, steps, ttl }).await.expect("taken");
    store.close().await;
}

/// One ready step is ready since this moment, the others since noon.
fn ready_since(url: &str, moment: i64) -> String {
    let at = |moment: i64| match DatabaseUrl::parse(url).expect("a URL") {
        DatabaseUrl::Sqlite(_) => moment.to_string(),
        DatabaseUrl::Postgres(_) => format!("timestamptz 'epoch' + interval '{moment} microseconds'"),
    };
    format!(
        "UPDATE tasker_ready SET ready_at = {}; UPDATE tasker_ready SET ready_at = {} WHERE task_id = (SELECT task_id FROM tasker_ready LIMIT 1)",
        at(NOON),
        at(moment)
    )
}

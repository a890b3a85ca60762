//! Whether a process lives, and whether it takes work.

use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use super::{DATABASE_LIMIT, Watched};
use crate::engine::Engine;
use crate::engine::transactions::look::Answering;
use crate::engine::worker::{Phase, Worker};
use crate::storage::Store;

/// `/livez`.
#[derive(Debug, Serialize)]
pub(super) struct Life {
    pub(super) alive: bool,
    pid: u32,
    /// Since the probes are answered.
    up_seconds: f64,
    /// Since a thread of the host was heard of.
    host_silent_seconds: f64,
}

/// `/readyz`.
#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    /// Why not.
    because: Vec<String>,
}

/// That this is called says that the process and its runtime work.
pub(super) fn life(watched: &Watched) -> Life {
    let silent = watched.silent_for();
    Life {
        alive: watched.silence.is_none_or(|limit| silent < limit),
        pid: std::process::id(),
        up_seconds: rounded(watched.began.elapsed()),
        host_silent_seconds: rounded(silent),
    }
}

/// Whether a worker of this process claims steps, and the database answers.
pub(super) async fn readiness(watched: &Watched) -> Readiness {
    let because = match watched.engine.upgrade() {
        None => vec!["the database was closed".to_owned()],
        Some(engine) => {
            let mut because: Vec<String> = idle_because(&engine).map(str::to_owned).into_iter().collect();
            because.extend(silence_of_database(&engine).await);
            because
        }
    };
    Readiness { ready: because.is_empty(), because }
}

/// Why nothing is claimed, if that is so.
fn idle_because(engine: &Engine) -> Option<&'static str> {
    let workers = engine.workers();
    if workers.is_empty() {
        return Some("no worker runs in this process");
    }
    if workers.iter().any(|worker| worker.claims()) {
        let lost = "the lease was not renewed in time, so that nothing is claimed";
        return (!engine.is_leased()).then_some(lost);
    }
    let working = |worker: &std::sync::Arc<Worker>| worker.phase() == Phase::Working;
    Some(if workers.iter().any(working) { "the worker is quiet" } else { "the worker drains" })
}

async fn silence_of_database(engine: &Engine) -> Option<String> {
    match timeout(DATABASE_LIMIT, engine.store().read(Answering {})).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(format!("the database can't be reached: {error}")),
        Err(_) => Some(format!("the database did not answer within {} s", DATABASE_LIMIT.as_secs())),
    }
}

/// To the millisecond.
fn rounded(span: Duration) -> f64 {
    (span.as_secs_f64() * 1_000.0).round() / 1_000.0
}

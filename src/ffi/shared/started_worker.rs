//! A worker on its way to the host that asked for it.

use std::process;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::engine::worker::Worker;

/// A worker that was started and that nobody has yet. It claims steps already, and who would run them may never hear
/// of it: an answer can be lost, and a host can give up its wait. Dropped before it is kept, it stops, and gives
/// back what it claimed.
pub struct StartedWorker {
    worker: Arc<Worker>,
    runtime: Handle,
    pid: u32,
    kept: bool,
}

impl StartedWorker {
    /// Called on the runtime.
    pub(super) fn new(worker: Arc<Worker>) -> Self {
        Self { worker, runtime: Handle::current(), pid: process::id(), kept: false }
    }

    /// The worker.
    pub fn worker(&self) -> &Arc<Worker> {
        &self.worker
    }

    /// Says that somebody has it, and gives it.
    pub fn keep(mut self) -> Arc<Worker> {
        self.kept = true;
        self.worker.clone()
    }
}

impl Drop for StartedWorker {
    fn drop(&mut self) {
        // A forked child leaves its parent's alone.
        if !self.kept && self.pid == process::id() {
            let worker = self.worker.clone();
            self.runtime.spawn(async move { worker.stop(Duration::ZERO).await });
        }
    }
}

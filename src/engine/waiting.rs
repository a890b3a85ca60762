//! Waiting for tasks to end, whichever process ends them: this process's own commits tell at once,
//! others' are seen by one look for all that are waited for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::Engine;
use super::error::{EngineError, Result};
use super::transactions::look::Ended;
use crate::domain::id::TaskId;
use crate::fault_point;
use crate::panics::caught;
use crate::storage::{Store, StoreError};

const FIRST_LOOK: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Who waits for which task.
#[derive(Default)]
pub(super) struct Waiters {
    state: Mutex<State>,
    /// Ends the pause between two looks: somebody new may wait for a task that has ended already.
    arrived: Notify,
}

#[derive(Default)]
struct State {
    waiting: HashMap<TaskId, Vec<oneshot::Sender<()>>>,
    looking: bool,
}

impl Waiters {
    /// Tells those who wait for these tasks.
    pub(super) fn ended(&self, ids: &HashSet<TaskId>) {
        let mut state = self.state.lock();
        if state.waiting.is_empty() {
            return;
        }
        for sender in ids.iter().filter_map(|id| state.waiting.remove(id)).flatten() {
            // A receiver that is gone has given up waiting.
            let _ = sender.send(());
        }
    }

    /// Ends every wait. Whoever waits after this starts a look of its own, which ends at once.
    pub(super) fn close(&self) {
        *self.state.lock() = State::default();
    }
}

impl Engine {
    /// Waits until a task has ended.
    ///
    /// # Errors
    /// [`EngineError::Timeout`] after `timeout`; [`EngineError::HandleClosed`] when the engine is
    /// closed meanwhile.
    pub async fn wait(self: &Arc<Self>, id: TaskId, timeout: Option<Duration>) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        let start_looking = {
            let mut state = self.waiters.state.lock();
            state.waiting.entry(id).or_default().push(sender);
            !std::mem::replace(&mut state.looking, true)
        };
        if start_looking {
            tokio::spawn(keep_looking(self.clone()));
        } else {
            self.waiters.arrived.notify_one();
        }
        let ended = async { receiver.await.map_err(|_| EngineError::HandleClosed) };
        match timeout {
            None => ended.await,
            Some(limit) => {
                tokio::time::timeout(limit, ended).await.unwrap_or(Err(EngineError::Timeout { task: id, limit }))
            }
        }
    }
}

impl Engine {
    async fn ended(&self, ids: Vec<TaskId>) -> Result<Vec<TaskId>, StoreError> {
        fault_point!(Look);
        self.store.read(Ended { ids }).await
    }
}

/// Looks until nobody waits. A fault in that must not leave them to wait for ever.
async fn keep_looking(engine: Arc<Engine>) {
    while let Err(panic) = caught(look(engine.clone())).await {
        engine.troubles().fault("waiting for tasks to end", panic);
        tokio::time::sleep(LONGEST_PAUSE).await;
    }
}

/// Looks at the database for all that are waited for, until nobody waits.
async fn look(engine: Arc<Engine>) {
    let mut wakeups = engine.store.wakeups();
    let mut pause = FIRST_LOOK;
    loop {
        let ids: Vec<TaskId> = {
            let mut state = engine.waiters.state.lock();
            for senders in state.waiting.values_mut() {
                senders.retain(|sender| !sender.is_closed());
            }
            state.waiting.retain(|_, senders| !senders.is_empty());
            state.looking = !state.waiting.is_empty();
            state.waiting.keys().copied().collect()
        };
        if ids.is_empty() {
            return;
        }
        match engine.ended(ids).await {
            Ok(ended) => engine.waiters.ended(&ended.into_iter().collect()),
            Err(StoreError::Closed) => return engine.waiters.close(),
            // The next look may fare better; those who wait have their own time limits.
            Err(_) => pause = LONGEST_PAUSE,
        }
        let deadline = Instant::now() + pause;
        pause = (pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => {}
            () = engine.waiters.arrived.notified() => pause = FIRST_LOOK,
            changed = wakeups.changed() => if changed.is_err() { tokio::time::sleep_until(deadline).await },
        }
    }
}

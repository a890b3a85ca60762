//! An operation under way on the runtime. The host's thread looks whether it is done; when it is
//! not, it has a [`Signal`] raised at the end and waits for that in its own way. Nothing is ever
//! popped while blocked, so an interrupted wait loses nothing.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::signal::Signal;
use crate::engine::error::Result;
use crate::panics::caught;

/// See the module.
pub struct Call<T> {
    slot: Arc<Mutex<Slot<T>>>,
    task: Option<AbortHandle>,
    is_wait: bool,
}

enum Slot<T> {
    UnderWay(Option<Arc<Signal>>),
    Done(Result<T>),
    Taken,
}

impl<T: Send + 'static> Call<T> {
    /// Starts `work`. It goes on whether or not anybody waits; a panic in it is an
    /// [`EngineError::Internal`](crate::engine::error::EngineError::Internal).
    pub fn start(runtime: &Handle, work: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        let slot = Arc::new(Mutex::new(Slot::UnderWay(None)));
        let shared = slot.clone();
        // The runtime moves what it is given, over and over: a few kilobytes each time.
        let work = Box::pin(work);
        let task = runtime.spawn(async move {
            let done = caught(work).await.unwrap_or_else(|panic| Err(panic.into()));
            if let Slot::UnderWay(Some(signal)) = std::mem::replace(&mut *shared.lock(), Slot::Done(done)) {
                signal.raise();
            }
        });
        Self { slot, task: Some(task.abort_handle()), is_wait: false }
    }

    /// The same call, which changes nothing: it ends when nobody waits for it any more.
    pub fn mere_wait(self) -> Self {
        Self { is_wait: true, ..self }
    }

    /// A call that is done.
    pub fn done(result: Result<T>) -> Self {
        Self { slot: Arc::new(Mutex::new(Slot::Done(result))), task: None, is_wait: false }
    }

    /// Whether there is a result, or was one.
    pub fn is_done(&self) -> bool {
        !matches!(*self.slot.lock(), Slot::UnderWay(_))
    }

    /// The result, once, when there is one.
    pub fn take(&self) -> Option<Result<T>> {
        let mut slot = self.slot.lock();
        match std::mem::replace(&mut *slot, Slot::Taken) {
            Slot::Done(result) => Some(result),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Says that nobody waits for it any more: no signal is raised, and a mere wait ends.
    pub fn abandon(&self) {
        if let Slot::UnderWay(waiting) = &mut *self.slot.lock() {
            *waiting = None;
        }
        if let Some(task) = self.task.as_ref().filter(|_| self.is_wait) {
            task.abort();
        }
    }

    /// Has `signal` raised when the call is done; false when it is done already.
    pub fn arm(&self, signal: Arc<Signal>) -> bool {
        match &mut *self.slot.lock() {
            Slot::UnderWay(waiting) => {
                *waiting = Some(signal);
                true
            }
            Slot::Done(_) | Slot::Taken => false,
        }
    }
}

//! Forks of this process: what must not be open in two processes is closed before one and opened
//! again after it, in the parent.
//!
//! Several may be under way at once, from several threads or because a signal's handler forks in
//! the middle of another one. So they are counted and wait for no lock of the host: the first
//! closes, the last to be over opens again.

use std::sync::Weak;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::call::Call;
use super::process::{Process, Systems};
use crate::engine::error::Result;
use crate::storage::Store;

/// The forks of a process that are under way.
#[derive(Default)]
pub struct Forks {
    /// Those announced and not yet over.
    under_way: Mutex<usize>,
    /// While there are any and all is closed: nothing is opened meanwhile.
    closed: Mutex<Option<OwnedMutexGuard<Systems>>>,
    closing: tokio::sync::Mutex<()>,
}

impl Forks {
    /// Whether a fork must be prepared: this process has, or is about to have, a database open that
    /// must not be open in two.
    pub fn must_be_prepared() -> bool {
        let Some(process) = Process::known() else { return false };
        match process.systems.try_lock() {
            Ok(systems) => systems.keys().any(|key| !key.starts_with("postgres")),
            Err(_) => true,
        }
    }

    /// Before a fork: ends commits under way and closes what must not be open in two processes.
    /// Nothing is opened until [`Forks::end`], which the parent owes for each of these calls that
    /// gave `Ok`, once the call has ended.
    ///
    /// # Errors
    /// When there is no runtime and none can be started.
    pub fn prepare() -> Result<Call<()>> {
        let process = Process::current()?;
        let forks = &process.forks;
        *forks.under_way.lock() += 1;
        Ok(Call::start(process.runtime(), async move {
            let _one_at_a_time = forks.closing.lock().await;
            if forks.closed.lock().is_none() {
                let systems = process.systems.clone().lock_owned().await;
                for system in systems.values().filter_map(Weak::upgrade) {
                    system.engine().store().suspend().await;
                }
                *forks.closed.lock() = Some(systems);
            }
            Ok(())
        }))
    }

    /// After a fork, in the parent: goes on, unless another fork is under way. A child must not
    /// call this.
    ///
    /// # Errors
    /// When there is no runtime and none can be started.
    pub fn end() -> Result<()> {
        let forks = &Process::current()?.forks;
        let mut under_way = forks.under_way.lock();
        *under_way = under_way.saturating_sub(1);
        if *under_way == 0 {
            let systems = forks.closed.lock().take();
            for system in systems.iter().flat_map(|systems| systems.values()).filter_map(Weak::upgrade) {
                system.engine().store().resume();
            }
        }
        Ok(())
    }
}

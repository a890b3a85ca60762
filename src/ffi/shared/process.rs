//! What there is once in a process: its Tokio runtime, made on first use and kept to the end, and
//! its open systems.
//!
//! A forked child finds its parent's in memory and must leave it alone: its threads are gone, its
//! epoll set and sockets are shared. So each process keeps its own in a chain by process id, and
//! what stands before it in the chain is never touched and never dropped.
//!
//! Only threads of the host look here, under whatever keeps them from running while another one
//! forks (Ruby's GVL); so no lock of this module is ever held at a fork.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Runtime};

use super::forks::Forks;
use super::orchestration_system::OrchestrationSystem;
use crate::engine::error::{EngineError, Result};

/// The open systems of a process by database.
pub(super) type Systems = HashMap<String, Weak<OrchestrationSystem>>;

/// See the module.
pub struct Process {
    pid: u32,
    runtime: Runtime,
    pub(super) systems: Arc<tokio::sync::Mutex<Systems>>,
    pub(super) forks: Forks,
    next: OnceCell<Box<Process>>,
}

static FIRST: OnceCell<Process> = OnceCell::new();

impl Process {
    /// This process's.
    ///
    /// # Errors
    /// When the operating system refuses threads.
    pub fn current() -> Result<&'static Self> {
        let pid = std::process::id();
        let mut at = FIRST.get_or_try_init(|| Self::new(pid))?;
        while at.pid != pid {
            at = at.next.get_or_try_init(|| Self::new(pid).map(Box::new))?;
        }
        Ok(at)
    }

    /// This process's, if it has used one.
    pub fn known() -> Option<&'static Self> {
        let pid = std::process::id();
        let mut at = FIRST.get()?;
        while at.pid != pid {
            at = at.next.get()?;
        }
        Some(at)
    }

    fn new(pid: u32) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("tasker")
            .enable_all()
            .build()
            .map_err(|error| EngineError::internal(format!("the Tokio runtime could not be started: {error}")))?;
        let systems = Arc::new(tokio::sync::Mutex::new(Systems::new()));
        Ok(Self { pid, runtime, systems, forks: Forks::default(), next: OnceCell::new() })
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its runtime.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }
}

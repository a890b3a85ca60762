//! What went wrong in the background, where no caller could be told.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::panics::Panic;

const MOST: usize = 100;

/// One thing that went wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    /// The database or another process was in the way; what was to be done is tried again.
    #[error("{0}")]
    Hindrance(String),
    /// A fault of this library, in `doing`; it goes on.
    #[error("{doing}: {panic}")]
    Fault {
        /// What was being done.
        doing: &'static str,
        /// The fault.
        panic: Panic,
    },
}

/// A bounded list, oldest first. What does not fit is counted.
#[derive(Default)]
pub struct Troubles(Mutex<(VecDeque<Trouble>, u64)>);

impl Troubles {
    /// Adds a message.
    pub fn add(&self, message: impl Into<String>) {
        self.keep(Trouble::Hindrance(message.into()));
    }

    /// Adds a fault of this library.
    pub fn fault(&self, doing: &'static str, panic: Panic) {
        self.keep(Trouble::Fault { doing, panic });
    }

    fn keep(&self, trouble: Trouble) {
        tracing::warn!("{trouble}");
        let mut inner = self.0.lock();
        if inner.0.len() < MOST { inner.0.push_back(trouble) } else { inner.1 += 1 }
    }

    /// Takes all of them.
    pub fn take(&self) -> Vec<Trouble> {
        let mut inner = self.0.lock();
        let dropped = std::mem::take(&mut inner.1);
        let mut all: Vec<Trouble> = inner.0.drain(..).collect();
        if dropped > 0 {
            all.push(Trouble::Hindrance(format!("{dropped} further messages were dropped")));
        }
        all
    }
}

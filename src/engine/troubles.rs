//! What went wrong in the background, where no caller could be told.

use std::collections::VecDeque;

use parking_lot::Mutex;

const MOST: usize = 100;

/// A bounded list of messages, oldest first. What does not fit is counted.
#[derive(Default)]
pub struct Troubles(Mutex<(VecDeque<String>, u64)>);

impl Troubles {
    /// Adds a message.
    pub fn add(&self, message: impl Into<String>) {
        let message = message.into();
        tracing::warn!("{message}");
        let mut inner = self.0.lock();
        if inner.0.len() < MOST { inner.0.push_back(message) } else { inner.1 += 1 }
    }

    /// Takes all of them.
    pub fn take(&self) -> Vec<String> {
        let mut inner = self.0.lock();
        let dropped = std::mem::take(&mut inner.1);
        let mut all: Vec<String> = inner.0.drain(..).collect();
        if dropped > 0 {
            all.push(format!("{dropped} further messages were dropped"));
        }
        all
    }
}

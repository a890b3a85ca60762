//! How far ahead to claim: enough that threads never wait for a commit, no more, so that long steps
//! are not held back from other workers.

use std::time::Duration;

/// How much work is held ahead: what threads do while reports gather, and while they are settled on a busy machine.
pub(super) const AHEAD: Duration = Duration::from_millis(100);
/// The most steps ever held.
const MOST: usize = 1_024;
/// The weight of the newest attempt in the moving average. Low: where threads share an interpreter's lock, one runs many
/// short steps while the others stand still in one each, which then takes a hundred times as long.
const WEIGHT: f64 = 0.02;

/// A moving average of how long an attempt keeps a thread.
pub(super) struct Pace {
    threads: usize,
    average: Option<f64>,
}

impl Pace {
    pub(super) fn new(threads: usize) -> Self {
        Self { threads, average: None }
    }

    /// Counts an attempt in.
    pub(super) fn observe(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        self.average = Some(self.average.map_or(took, |average| average + WEIGHT * (took - average)));
    }

    /// How many steps to hold: one for each thread, and what they do within [`AHEAD`]; twice the
    /// threads before anything is known.
    pub(super) fn limit(&self) -> usize {
        (self.threads + (self.ahead().ceil() as usize).max(1)).min(MOST.max(self.threads + 1))
    }

    /// How many to hold where that saves children of what was reported the way through the queue: as much work again,
    /// and nothing where one step takes longer than that.
    pub(super) fn keep_limit(&self) -> usize {
        self.limit() + self.average.map_or(0, |_| self.ahead() as usize)
    }

    fn ahead(&self) -> f64 {
        self.average.map_or(self.threads as f64, |average| {
            (self.threads as f64 * AHEAD.as_secs_f64() / average.max(1e-6)).min(MOST as f64)
        })
    }
}

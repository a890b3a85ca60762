//! Attempts and backoff: the one place that computes when a failed step runs again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the delay between two attempts grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackoffKind {
    /// No delay.
    None,
    /// base, 2 × base, 3 × base, …
    Linear,
    /// base, 2 × base, 4 × base, …
    #[default]
    Exponential,
}

/// The delay between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// How it grows.
    pub kind: BackoffKind,
    /// The first delay, in seconds.
    pub base: f64,
    /// The longest delay, in seconds.
    pub cap: f64,
    /// How far chance may move a delay, as a share of it: 0.1 is ±10 %.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { kind: BackoffKind::Exponential, base: 1.0, cap: 60.0, jitter: 0.1 }
    }
}

impl Backoff {
    /// The delay after the attempt numbered `attempt` (the first is 1) failed. `chance` is a
    /// number in 0..1 that places the delay within its jitter. The cap holds before jitter.
    pub fn delay(&self, attempt: u16, chance: f64) -> Duration {
        let n = f64::from(attempt.max(1));
        let plain = match self.kind {
            BackoffKind::None => 0.0,
            BackoffKind::Linear => self.base * n,
            BackoffKind::Exponential => self.base * 2f64.powf(n - 1.0),
        };
        let moved = plain.min(self.cap) * (1.0 + self.jitter * (2.0 * chance - 1.0));
        Duration::from_secs_f64(moved.max(0.0))
    }
}

/// Whether a step that has used `used` attempts, this one included, may be tried again.
pub fn attempts_left(used: u16, retryable: bool, retry_limit: u16) -> bool {
    retryable && used < retry_limit
}

//! How well a whole database is, as one number.

use std::time::Duration;

/// A step that is ready for this long counts as waiting too long altogether.
pub const LONG_WAIT: Duration = Duration::from_secs(300);

/// What the score is made of.
#[derive(Clone, Copy, Debug)]
pub struct Signs {
    /// Tasks in error.
    pub failed: u64,
    /// Tasks that ended, those in error among them.
    pub ended: u64,
    /// Steps that live sessions hold.
    pub held: u64,
    /// Steps that expired sessions hold.
    pub expired: u64,
    /// For how long the oldest ready step is ready.
    pub oldest_ready: Option<Duration>,
    /// Connections in use.
    pub connections: u32,
    /// Connections there may be.
    pub most_connections: u32,
}

impl Signs {
    /// From 0 to 1:
    ///
    /// `1 - 0.4 * failed / ended - 0.3 * expired / (held + expired) - 0.2 * min(1, oldest_ready / 300 s)
    /// - 0.1 * connections / most_connections`, where a part of nothing is 0.
    pub fn score(&self) -> f64 {
        let part = |some: f64, all: f64| if all > 0.0 { (some / all).clamp(0.0, 1.0) } else { 0.0 };
        let failed = part(self.failed as f64, self.ended as f64);
        let expired = part(self.expired as f64, (self.held + self.expired) as f64);
        let late = part(self.oldest_ready.unwrap_or_default().as_secs_f64(), LONG_WAIT.as_secs_f64());
        let busy = part(self.connections.into(), self.most_connections.into());
        (1.0 - 0.4 * failed - 0.3 * expired - 0.2 * late - 0.1 * busy).clamp(0.0, 1.0)
    }
}

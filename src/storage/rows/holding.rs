//! What sessions hold.

use super::ReadyRow;
use crate::domain::id::{LaneId, ReceiptId, SessionId, StepIndex, Token};
use crate::domain::state::StepState;
use crate::domain::time::Timestamp;

/// Which steps a session is to hold from now on.
#[derive(Clone, Debug)]
pub struct NewReceipt {
    /// Made by the claimer.
    pub id: ReceiptId,
    /// The holder.
    pub session: SessionId,
    /// The steps as they are claimed.
    pub steps: Vec<ReadyRow>,
}

impl NewReceipt {
    /// The lanes of its steps, each once.
    pub fn lanes(&self) -> Vec<LaneId> {
        let mut lanes: Vec<_> = self.steps.iter().map(|row| row.lane).collect();
        lanes.sort_unstable();
        lanes.dedup();
        lanes
    }
}

/// Which steps a session holds.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Made by the claimer.
    pub id: ReceiptId,
    /// The holder.
    pub session: SessionId,
    /// The steps as they were claimed.
    pub steps: Vec<ReadyRow>,
    /// When they were.
    pub claimed_at: Timestamp,
}

/// Since when a step is held, and by which session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// When it was claimed.
    pub since: Timestamp,
    /// Who holds it.
    pub by: SessionId,
}

/// A step that is held.
#[derive(Clone, Debug)]
pub struct HeldNow {
    /// The step.
    pub index: StepIndex,
    /// The token under which it is held.
    pub token: Token,
    /// Where it was before.
    pub from: StepState,
    /// The attempt.
    pub attempt: u16,
    /// Since when, by whom.
    pub hold: Hold,
}

//! How many run at once.

use super::ReadyRow;
use crate::domain::id::{StepKey, Token};
use crate::domain::limit::LimitKey;

/// A running attempt of a step that has a limit.
#[derive(Clone, Debug)]
pub struct Slot {
    /// What it counts for.
    pub key: LimitKey,
    /// The step.
    pub step: StepKey,
    /// The token under which it is held: the slot counts as long as the step has it.
    pub token: Token,
}

/// A claimable step that waits because as many run as its limit allows.
#[derive(Clone, Debug)]
pub struct Parked {
    /// What it waits for.
    pub key: LimitKey,
    /// How many may run at once.
    pub running: usize,
    /// What becomes claimable again.
    pub ready: ReadyRow,
}

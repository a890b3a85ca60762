//! What can be said of tasks from values alone: steps and edges, states and moments.
//!
//! * [`shape`]: levels, width, roots and leaves of a graph, and its longest path.
//! * [`readiness`]: which steps may run now, and why not each of the others.
//! * [`standing`]: where a task stands, what to do about it, what holds it up.
//! * [`figures`]: durations of many, summed up. [`score`]: how well a whole database is.
//!
//! Each takes the steps by index and the edges between them, wherever those are from, and is linear in their number.

pub mod figures;
pub mod readiness;
pub mod score;
pub mod shape;
pub mod standing;

use std::time::Duration;

use shape::Shape;

use super::id::StepIndex;
use super::state::{StepState, TaskState};
use super::time::Timestamp;

/// What is known of a task beside its steps.
#[derive(Clone, Copy, Debug)]
pub struct TaskFacts {
    /// Its state.
    pub state: TaskState,
    /// Not before this moment.
    pub run_at: Option<Timestamp>,
}

/// What is known of one step.
#[derive(Clone, Copy, Debug)]
pub struct StepFacts {
    /// Its state.
    pub state: StepState,
    /// The attempts that were begun.
    pub attempts: u16,
    /// When its last attempt that ended had begun.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When it will be tried again.
    pub next_retry_at: Option<Timestamp>,
    /// How many items its list has, once it has made one.
    pub items: Option<u32>,
    /// What keeps it from being claimed, if it could be otherwise.
    pub held_back: Option<HeldBack>,
}

/// What keeps a step from being claimed that could be otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBack {
    /// As many attempts run as its limit allows.
    Limit,
    /// Its queue is paused.
    PausedQueue,
}

impl StepFacts {
    /// How long its last attempt ran; nothing until the step ended, and for one that never ran.
    pub fn ran(&self) -> Duration {
        match (self.started_at, self.finished_at) {
            (Some(started), Some(finished)) => finished.since(started),
            _ => Duration::ZERO,
        }
    }
}

/// How long the step at this place ran by itself: of one that made a list, from the end of its last item. It began before
/// them, and what they took is theirs.
pub fn ran_alone(place: StepIndex, steps: &[StepFacts], shape: &Shape) -> Duration {
    let step = &steps[place as usize];
    let (Some(_), Some(started), Some(finished)) = (step.items, step.started_at, step.finished_at) else {
        return step.ran();
    };
    let before = shape.parents(place).iter().filter_map(|&parent| steps[parent as usize].finished_at);
    finished.since(before.fold(started, Timestamp::max))
}

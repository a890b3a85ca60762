//! Which steps of a task may run now, and what keeps each of the others.

use super::shape::Shape;
use super::{HeldBack, StepFacts, TaskFacts};
use crate::domain::id::StepIndex;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;

/// Whether a step may run now, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Readiness {
    /// It may: a worker takes it as soon as one is free.
    Ready,
    /// A worker has it.
    InProgress,
    /// It is complete, resolved by hand or skipped.
    Done,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// A parent is not done yet.
    WaitingForParents,
    /// A parent, or a step before that, failed or was cancelled: it won't run unless someone acts.
    BlockedByFailure,
    /// Its task is paused.
    Paused,
    /// Its last attempt failed, and the time of the next has not come.
    WaitingForRetry,
    /// Its task's `run_at` has not come.
    WaitingForStart,
    /// As many attempts run as its limit allows: it waits for one of them to end.
    WaitingForLimit,
    /// Its queue is paused.
    QueuePaused,
    /// Its task ended without it.
    TaskEnded,
}

impl Readiness {
    /// Every one, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::Ready,
        Self::InProgress,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
        Self::WaitingForParents,
        Self::BlockedByFailure,
        Self::Paused,
        Self::WaitingForRetry,
        Self::WaitingForStart,
        Self::WaitingForLimit,
        Self::QueuePaused,
        Self::TaskEnded,
    ];

    /// Its name, in every language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::InProgress => "in_progress",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::WaitingForParents => "waiting_for_parents",
            Self::BlockedByFailure => "blocked_by_failure",
            Self::Paused => "paused",
            Self::WaitingForRetry => "waiting_for_retry",
            Self::WaitingForStart => "waiting_for_start",
            Self::WaitingForLimit => "waiting_for_limit",
            Self::QueuePaused => "queue_paused",
            Self::TaskEnded => "task_ended",
        }
    }
}

/// The readiness of each step by index. It is read off the states, not off the stored count of unfinished parents,
/// which a pause raises.
pub fn readiness(task: TaskFacts, steps: &[StepFacts], shape: &Shape, now: Timestamp) -> Vec<Readiness> {
    let prospects = prospects(steps, shape);
    let steps = steps.iter().enumerate();
    steps
        .map(|(index, step)| match step.state {
            StepState::Complete | StepState::Skipped | StepState::ResolvedManually => Readiness::Done,
            StepState::Error => Readiness::Failed,
            StepState::Cancelled => Readiness::Cancelled,
            StepState::InProgress => Readiness::InProgress,
            StepState::Pending | StepState::WaitingForRetry => {
                let Prospect { waits, hopeless } = prospects[index];
                unfinished(task, step, waits.then_some(hopeless), now)
            }
        })
        .collect()
}

/// The readiness of a step that nobody holds and that hasn't ended. `blocked` tells whether the parents that it waits
/// for are beyond hope; `None` when it waits for none.
fn unfinished(task: TaskFacts, step: &StepFacts, blocked: Option<bool>, now: Timestamp) -> Readiness {
    let later = |moment: Option<Timestamp>| moment.is_some_and(|moment| moment > now);
    match (task.state, blocked) {
        (TaskState::Complete | TaskState::Cancelled | TaskState::ResolvedManually, _) => Readiness::TaskEnded,
        (_, Some(true)) => Readiness::BlockedByFailure,
        (_, Some(false)) => Readiness::WaitingForParents,
        (TaskState::Error, None) => Readiness::TaskEnded,
        (TaskState::Paused, None) => Readiness::Paused,
        _ if later(step.next_retry_at) => Readiness::WaitingForRetry,
        _ if later(task.run_at) => Readiness::WaitingForStart,
        _ => match step.held_back {
            Some(HeldBack::Limit) => Readiness::WaitingForLimit,
            Some(HeldBack::PausedQueue) => Readiness::QueuePaused,
            None => Readiness::Ready,
        },
    }
}

/// What a step's parents mean to it.
#[derive(Clone, Copy, Default)]
struct Prospect {
    /// Whether one of them is not done.
    waits: bool,
    /// Whether one of them failed, was cancelled, or is without hope itself.
    hopeless: bool,
}

fn prospects(steps: &[StepFacts], shape: &Shape) -> Vec<Prospect> {
    let mut prospects = vec![Prospect::default(); steps.len()];
    for &step in shape.order() {
        let mut prospect = Prospect::default();
        for &parent in shape.parents(step) {
            let state = steps[parent as usize].state;
            if !state.satisfies_children() {
                prospect.waits = true;
                prospect.hopeless |= !state.is_unfinished() || prospects[parent as usize].hopeless;
            }
        }
        prospects[step as usize] = prospect;
    }
    prospects
}

/// The parents that a step waits for, by index.
pub fn unfinished_parents<'a>(
    step: StepIndex,
    steps: &'a [StepFacts],
    shape: &'a Shape,
) -> impl Iterator<Item = StepIndex> + 'a {
    let parents = shape.parents(step).iter().copied();
    parents.filter(|&parent| !steps[parent as usize].state.satisfies_children())
}

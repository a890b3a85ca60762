//! Where a task stands as a whole: what it does now, what to do about it, and which steps hold it up.

use super::readiness::{Readiness, readiness, unfinished_parents};
use super::shape::Shape;
use super::{StepFacts, TaskFacts};
use crate::domain::id::StepIndex;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExecutionStatus {
    /// A step may run now.
    HasReadySteps,
    /// A worker has a step of it, and no other may run.
    Processing,
    /// Steps wait for the time of their next attempt, and no other may run.
    WaitingForRetry,
    /// A step failed, and nothing else can run.
    BlockedByFailures,
    /// Nothing failed and nothing may run: its steps wait for one another, the first for the task's `run_at`.
    WaitingForDependencies,
    /// It was paused.
    Paused,
    /// Every step is done, or the task was declared so by hand.
    AllComplete,
    /// It was cancelled.
    Cancelled,
}

impl ExecutionStatus {
    /// Every one, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::HasReadySteps,
        Self::Processing,
        Self::WaitingForRetry,
        Self::BlockedByFailures,
        Self::WaitingForDependencies,
        Self::Paused,
        Self::AllComplete,
        Self::Cancelled,
    ];

    /// Its name, in every language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HasReadySteps => "has_ready_steps",
            Self::Processing => "processing",
            Self::WaitingForRetry => "waiting_for_retry",
            Self::BlockedByFailures => "blocked_by_failures",
            Self::WaitingForDependencies => "waiting_for_dependencies",
            Self::Paused => "paused",
            Self::AllComplete => "all_complete",
            Self::Cancelled => "cancelled",
        }
    }

    /// The name of what to do.
    pub fn recommended_action(self) -> &'static str {
        match self {
            Self::HasReadySteps => "execute_ready_steps",
            Self::Processing => "wait_for_completion",
            Self::WaitingForRetry => "wait_for_retry",
            Self::BlockedByFailures => "handle_failures",
            Self::WaitingForDependencies => "wait_for_dependencies",
            Self::Paused => "resume_task",
            Self::AllComplete | Self::Cancelled => "none",
        }
    }
}

/// How well a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// Nothing failed, or it no longer matters.
    Healthy,
    /// An attempt failed and there is another one.
    Recovering,
    /// A step failed for good; others go on.
    Degraded,
    /// A step failed for good, and nothing else can run.
    Blocked,
}

impl Health {
    /// Its name, in every language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Recovering => "recovering",
            Self::Degraded => "degraded",
            Self::Blocked => "blocked",
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Standing {
    /// How many steps are in each state, in the order of [`StepState::ALL`].
    pub counts: [usize; StepState::ALL.len()],
    /// The steps that may run now.
    pub ready: usize,
    /// The part of the steps that is done, 0 to 100.
    pub completion: f64,
    /// What it is doing.
    pub execution: ExecutionStatus,
    /// How well it is.
    pub health: Health,
    /// The earliest time at which a step that waits for it is tried again.
    pub next_retry_at: Option<Timestamp>,
    /// The steps that hold others up, the one with the longest chain behind it first; see [`bottlenecks`].
    pub bottlenecks: Vec<StepIndex>,
}

impl Standing {
    /// Where a task with these steps stands.
    pub fn of(task: TaskFacts, steps: &[StepFacts], shape: &Shape, now: Timestamp) -> Self {
        let readiness = readiness(task, steps, shape, now);
        let mut counts = [0; StepState::ALL.len()];
        steps.iter().for_each(|step| counts[step.state as usize] += 1);
        let done = steps.iter().filter(|step| step.state.satisfies_children()).count();
        let execution = execution(task.state, &readiness);
        let waiting = readiness.iter().zip(steps).filter(|(readiness, _)| **readiness == Readiness::WaitingForRetry);
        Self {
            counts,
            ready: count(&readiness, Readiness::Ready),
            completion: if steps.is_empty() { 100.0 } else { done as f64 * 100.0 / steps.len() as f64 },
            execution,
            health: health(execution, steps),
            next_retry_at: waiting.filter_map(|(_, step)| step.next_retry_at).min(),
            bottlenecks: if is_over(task.state) { Vec::new() } else { bottlenecks(steps, shape) },
        }
    }
}

fn count(readiness: &[Readiness], of: Readiness) -> usize {
    readiness.iter().filter(|found| **found == of).count()
}

/// Whether nothing of it will run and nobody has to act.
fn is_over(task: TaskState) -> bool {
    task.is_ended() && task != TaskState::Error
}

fn execution(task: TaskState, readiness: &[Readiness]) -> ExecutionStatus {
    let any = |of| readiness.contains(&of);
    match task {
        TaskState::Paused => ExecutionStatus::Paused,
        TaskState::Cancelled => ExecutionStatus::Cancelled,
        TaskState::Complete | TaskState::ResolvedManually => ExecutionStatus::AllComplete,
        _ if any(Readiness::Ready) => ExecutionStatus::HasReadySteps,
        _ if any(Readiness::InProgress) => ExecutionStatus::Processing,
        _ if any(Readiness::WaitingForRetry) => ExecutionStatus::WaitingForRetry,
        _ if any(Readiness::Failed) => ExecutionStatus::BlockedByFailures,
        _ if readiness.iter().all(|found| *found == Readiness::Done) => ExecutionStatus::AllComplete,
        _ => ExecutionStatus::WaitingForDependencies,
    }
}

fn health(execution: ExecutionStatus, steps: &[StepFacts]) -> Health {
    let failed = steps.iter().any(|step| step.state == StepState::Error);
    // One that is being tried again has begun its second attempt, or waits for it. One that has made its list waits for
    // the items, or has what they came to put together: neither is an attempt.
    let retrying = |step: &StepFacts| match step.state {
        StepState::WaitingForRetry => true,
        StepState::InProgress => step.attempts > 1 && step.items.is_none(),
        StepState::Pending => step.attempts > 0 && step.items.is_none(),
        _ => false,
    };
    match execution {
        ExecutionStatus::AllComplete | ExecutionStatus::Cancelled => Health::Healthy,
        ExecutionStatus::BlockedByFailures => Health::Blocked,
        _ if failed => Health::Degraded,
        _ if steps.iter().any(retrying) => Health::Recovering,
        _ => Health::Healthy,
    }
}

/// The steps that are not done, wait for no other, and are waited for: what runs, fails or is left lying there holds up
/// all that is behind it. Those with the longest chain of steps behind them come first, then those with a lower index.
pub fn bottlenecks(steps: &[StepFacts], shape: &Shape) -> Vec<StepIndex> {
    let is_open = |step: StepIndex| !steps[step as usize].state.satisfies_children();
    let mut behind = vec![0_u32; steps.len()];
    for &step in shape.order().iter().rev() {
        let open = shape.children(step).iter().filter(|&&child| is_open(child));
        behind[step as usize] = open.map(|&child| behind[child as usize] + 1).max().unwrap_or(0);
    }
    let first = |&step: &StepIndex| {
        is_open(step) && behind[step as usize] > 0 && unfinished_parents(step, steps, shape).next().is_none()
    };
    let mut found: Vec<StepIndex> = (0..steps.len() as StepIndex).filter(first).collect();
    found.sort_by_key(|&step| (std::cmp::Reverse(behind[step as usize]), step));
    found
}

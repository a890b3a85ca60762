//! What may be asked of a task or a step, and the events that it is to the tables of states.

use crate::domain::id::StepIndex;
use crate::domain::json::Json;
use crate::domain::state::{StepEvent, StepState, TaskEvent, TaskState};

/// What may be asked of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOperation {
    /// Gives it up: nothing of it runs any more.
    Cancel,
    /// Holds it back: steps under way end, no other starts.
    Pause,
    /// Lets it go on after a pause.
    Resume,
    /// Tries its failed steps afresh.
    Retry,
    /// Runs this step, all that follow it and all that failed once more, in a new run.
    RestartFrom(StepIndex),
    /// Declares it done.
    Resolve,
    /// Gives it another priority or queue; `None` leaves one as it is, and an inner `None` goes back to the template's.
    Update {
        /// Its own priority.
        priority: Option<Option<i16>>,
        /// Its own queue.
        queue: Option<Option<String>>,
    },
}

/// What may be asked of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum StepOperation {
    /// Tries it afresh, with all its attempts.
    Retry,
    /// Gives it this result, as if its handler had returned it.
    Resolve(Json),
    /// Gives a decision this result and this choice among its branches.
    Decide(Json, Vec<StepIndex>),
    /// Goes on without it: its children see a null result.
    Skip,
}

/// What is asked, and of what.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Of the task.
    Task(TaskOperation),
    /// Of one of its steps.
    Step(StepIndex, StepOperation),
}

impl TaskOperation {
    /// Its name, in every language.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::RestartFrom(_) => "restart_from",
            Self::Resolve => "resolve",
            Self::Update { .. } => "update",
        }
    }

    /// One of each kind.
    pub(super) fn every() -> [Self; 7] {
        let update = Self::Update { priority: None, queue: None };
        [Self::Cancel, Self::Pause, Self::Resume, Self::Retry, Self::RestartFrom(0), Self::Resolve, update]
    }

    /// The event that it is to a task in this state.
    pub(super) fn event(&self, state: TaskState, started: bool) -> TaskEvent {
        match self {
            Self::Cancel => TaskEvent::Cancel,
            Self::Pause => TaskEvent::Pause,
            Self::Resume => TaskEvent::Resume { started },
            // A step may have failed while others still run.
            Self::Retry if state == TaskState::InProgress => TaskEvent::Change,
            Self::Retry => TaskEvent::Retry,
            Self::RestartFrom(_) => TaskEvent::RestartFrom,
            Self::Resolve => TaskEvent::Resolve,
            Self::Update { .. } => TaskEvent::Change,
        }
    }

    /// The states of a task in which it is allowed.
    pub fn allowed_in(&self) -> Vec<TaskState> {
        let all = TaskState::ALL.iter().copied();
        all.filter(|state| state.settle(self.event(*state, true)).is_ok()).collect()
    }
}

impl StepOperation {
    /// Its name, in every language.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Resolve(_) | Self::Decide(..) => "resolve",
            Self::Skip => "skip",
        }
    }

    pub(super) fn every() -> [Self; 3] {
        [Self::Retry, Self::Resolve(Json::null()), Self::Skip]
    }

    pub(super) fn event(&self) -> StepEvent {
        match self {
            Self::Retry => StepEvent::Retry,
            Self::Resolve(_) | Self::Decide(..) => StepEvent::Resolve,
            Self::Skip => StepEvent::Skip,
        }
    }

    /// The states of a step in which it is allowed.
    pub fn allowed_in(&self) -> Vec<StepState> {
        StepState::ALL.iter().copied().filter(|state| state.settle(self.event()).is_ok()).collect()
    }
}

impl Operation {
    /// Its name, in every language.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Task(operation) => operation.name(),
            Self::Step(_, operation) => operation.name(),
        }
    }
}

//! Operations that are not allowed, in words.

use std::fmt;

use crate::domain::id::TaskId;
use crate::domain::state::TaskState;

/// An operation that the state of a task or step does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The operation.
    pub operation: &'static str,
    /// The task.
    pub task: TaskId,
    /// The step's name, where one was to be moved.
    pub step: Option<String>,
    /// The state of the one that was to be moved.
    pub state: &'static str,
    /// The task's state.
    pub task_state: TaskState,
    /// Whether it is the task's state that stands in a step's way.
    pub by_task: bool,
    /// The operations that are allowed now.
    pub allowed: Vec<&'static str>,
    /// The states in which this operation is.
    pub allowed_in: Vec<&'static str>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, task, state, .. } = self;
        match &self.step {
            Some(step) if self.by_task => {
                write!(f, "{operation} is not allowed on the step {task}/{step}: its task is {}", self.task_state)?;
            }
            Some(step) => write!(f, "{operation} is not allowed on the step {task}/{step}: it is {state}")?,
            None => write!(f, "{operation} is not allowed on the task {task}: it is {state}")?,
        }
        if !self.by_task {
            write!(f, ", and that is for one that is {}", self.allowed_in.join(", "))?;
        }
        match self.allowed.as_slice() {
            [] => f.write_str("; nothing is allowed now"),
            allowed => write!(f, "; allowed now: {}", allowed.join(", ")),
        }
    }
}

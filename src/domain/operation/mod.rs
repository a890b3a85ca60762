//! Operations by hand: what may be asked of a task or of one of its steps, and what that comes to.
//!
//! [`decide`] is a function of values: the task as it stands in, the moves out. Whatever it decides is
//! asked of the tables of [`super::state`]. An operation whose aim is the present state changes nothing,
//! so that each may be repeated.
//!
//! A pause is one more parent: a paused task's unfinished steps wait for one thing more than they have
//! unfinished parents, so that nothing of it is released, and a held step that comes back is parked.
//!
//! * [`asked`]: the operations. [`standing`]: a task as one finds it, and what it changes. [`arrangement`]: which steps
//!   may run then, and where that takes the task. [`refused`]: what is not allowed, in words.

mod arrangement;
mod asked;
mod refused;
mod standing;

use std::borrow::Cow;

pub use arrangement::Arrangement;
pub use asked::{Operation, StepOperation, TaskOperation};
pub use refused::Refused;
use standing::Obstacle;
pub use standing::{Change, Standing, StepStanding};

use super::id::{StepIndex, TaskId};
use super::state::{StepState, TaskState};

/// What `operation` comes to; `None` when it aims at what is. `id` and `name` are for the refusal: the
/// task's id, and a step's name.
///
/// # Errors
/// When the tables of states do not allow it.
pub fn decide<'n>(
    id: TaskId,
    standing: &Standing<'_>,
    operation: &Operation,
    name: impl Fn(StepIndex) -> Cow<'n, str>,
) -> Result<Option<Change>, Box<Refused>> {
    if standing.is_at_aim(operation) {
        return Ok(None);
    }
    standing.change(operation).map(Some).map_err(|obstacle| {
        let by_task = matches!((&obstacle, operation), (Obstacle::Task, Operation::Step(..)));
        let (step, state, allowed_in) = match operation {
            Operation::Task(asked) => {
                (None, standing.state.as_str(), asked.allowed_in().into_iter().map(TaskState::as_str).collect())
            }
            Operation::Step(index, asked) => {
                let state = standing.step(*index).map_or("", StepState::as_str);
                let states = asked.allowed_in().into_iter().map(StepState::as_str).collect();
                (Some(name(*index).into_owned()), state, states)
            }
        };
        let allowed = standing.allowed(operation);
        let (operation, task_state) = (operation.name(), standing.state);
        Box::new(Refused { operation, task: id, step, state, task_state, by_task, allowed, allowed_in })
    })
}

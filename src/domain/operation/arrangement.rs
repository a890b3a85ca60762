//! How the steps of a task stand when an operation has moved some, and where that takes the task.

use crate::domain::graph::Graph;
use crate::domain::id::StepIndex;
use crate::domain::state::{StepState, TaskEvent, TaskState};

/// How the steps of a task stand: which wait for what, which may run.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrangement {
    /// What each waits for: its unfinished parents, and the end of the pause.
    pub waiting: Vec<i32>,
    /// Those that may run now, or when they are due.
    pub runnable: Vec<StepIndex>,
    /// How many are runnable or held.
    pub live: i32,
    /// How many are in error.
    pub failed: i32,
}

impl Arrangement {
    /// The arrangement of steps in these states.
    pub fn of(graph: &Graph, states: &[StepState], paused: bool) -> Self {
        let mut arrangement =
            Self { waiting: Vec::with_capacity(states.len()), runnable: Vec::new(), live: 0, failed: 0 };
        for (index, state) in (0..).zip(states) {
            let is_done =
                |parent: &StepIndex| states.get(*parent as usize).is_some_and(|state| state.satisfies_children());
            let unfinished = graph.parents(index).iter().filter(|parent| !is_done(parent)).count() as i32;
            let waiting = unfinished + i32::from(paused && state.is_unfinished());
            let held = *state == StepState::InProgress;
            if state.is_unfinished() && waiting == 0 && !held {
                arrangement.runnable.push(index);
            }
            arrangement.live += i32::from(held || (state.is_unfinished() && waiting == 0));
            arrangement.failed += i32::from(*state == StepState::Error);
            arrangement.waiting.push(waiting);
        }
        arrangement
    }
}

/// Moves a task on from `at`, where an operation took it, to where it belongs with steps that stand so.
pub(super) fn go_on(at: TaskState, starts: bool, steps: &Arrangement, moves: &mut Vec<TaskState>) {
    let rest = if steps.failed > 0 { TaskEvent::Stall } else { TaskEvent::Finish };
    let stalled = steps.live == 0 && steps.failed > 0;
    let events = [
        (at == TaskState::Pending && starts).then_some(TaskEvent::Start),
        (at == TaskState::Error && !stalled).then_some(TaskEvent::Retry),
        (steps.live == 0).then_some(rest),
    ];
    // An event that the state does not know leaves it: a paused task does not finish.
    let mut at = at;
    for event in events.into_iter().flatten() {
        if let Ok(to) = at.settle(event) {
            moves.push(to);
            at = to;
        }
    }
}

//! Operations by hand: what may be asked of a task or of one of its steps, and what that comes to.
//!
//! [`decide`] is a function of values: the task as it stands in, the moves out. Whatever it decides is
//! asked of the tables of [`super::state`]. An operation whose aim is the present state changes nothing,
//! so that each may be repeated.
//!
//! A pause is one more parent: a paused task's unfinished steps wait for one thing more than they have
//! unfinished parents, so that nothing of it is released, and a held step that comes back is parked.

use std::borrow::Cow;
use std::fmt;

use super::branches::{Branches, bypassed};
use super::graph::Graph;
use super::id::{StepIndex, TaskId};
use super::json::Json;
use super::state::{StepEvent, StepState, TaskEvent, TaskState};

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
    fn every() -> [Self; 7] {
        let update = Self::Update { priority: None, queue: None };
        [Self::Cancel, Self::Pause, Self::Resume, Self::Retry, Self::RestartFrom(0), Self::Resolve, update]
    }

    /// The event that it is to a task in this state.
    fn event(&self, state: TaskState, started: bool) -> TaskEvent {
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

    fn every() -> [Self; 3] {
        [Self::Retry, Self::Resolve(Json::null()), Self::Skip]
    }

    fn event(&self) -> StepEvent {
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

/// A task as an operation finds it.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// Its graph, with the steps of items behind those of its template ([`Graph::with_items`]). A step's index is
    /// its place in it.
    pub graph: &'a Graph,
    /// Its state.
    pub state: TaskState,
    /// Whether any step of it was ever claimed.
    pub started: bool,
    /// Its own priority.
    pub priority: Option<i16>,
    /// Its own queue.
    pub queue: Option<&'a str>,
    /// What its decisions may choose.
    pub branches: &'a Branches,
    /// Its steps by place.
    pub steps: &'a [StepStanding],
}

/// A step as an operation finds it.
#[derive(Clone, Debug)]
pub struct StepStanding {
    /// Its state.
    pub state: StepState,
    /// Its result.
    pub result: Option<Json>,
    /// The branches that it chose.
    pub route: Option<Vec<StepIndex>>,
    /// Whether a decision skipped it.
    pub bypassed: bool,
    /// Of an item's step, the group.
    pub group: Option<StepIndex>,
}

/// What an operation comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The moves of the task, in order. A move to the same state says that something else of it changed.
    pub task: Vec<TaskState>,
    /// The steps that move, with where they move to.
    pub steps: Vec<(StepIndex, StepState)>,
    /// Those of them that a decision made by hand leaves out.
    pub bypassed: Vec<StepIndex>,
    /// The items' steps that go: their lists are made anew.
    pub removed: Vec<StepIndex>,
    /// Whether the task counts as started from now on.
    pub starts: bool,
    /// How all steps stand then.
    pub arrangement: Arrangement,
}

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

/// Why a change does not come about.
enum Obstacle {
    Task,
    Step,
}

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

impl Standing<'_> {
    fn step(&self, index: StepIndex) -> Option<StepState> {
        self.steps.get(index as usize).map(|step| step.state)
    }

    /// The operations that are allowed now on what `operation` was to move.
    fn allowed(&self, operation: &Operation) -> Vec<&'static str> {
        let every: Vec<Operation> = match operation {
            Operation::Task(_) => TaskOperation::every().into_iter().map(Operation::Task).collect(),
            Operation::Step(index, _) => {
                StepOperation::every().into_iter().map(|operation| Operation::Step(*index, operation)).collect()
            }
        };
        every.iter().filter(|operation| self.change(operation).is_ok()).map(Operation::name).collect()
    }

    /// Whether the operation aims at what is.
    fn is_at_aim(&self, operation: &Operation) -> bool {
        let none = |state: StepState| self.steps.iter().all(|step| step.state != state);
        match operation {
            Operation::Task(TaskOperation::Cancel) => self.state == TaskState::Cancelled,
            Operation::Task(TaskOperation::Pause) => self.state == TaskState::Paused,
            Operation::Task(TaskOperation::Resume) => matches!(self.state, TaskState::Pending | TaskState::InProgress),
            Operation::Task(TaskOperation::Retry) => self.state == TaskState::InProgress && none(StepState::Error),
            Operation::Task(TaskOperation::RestartFrom(index)) => {
                matches!(self.state, TaskState::Pending | TaskState::InProgress)
                    && self.step(*index).is_some_and(StepState::is_unfinished)
                    && none(StepState::Error)
            }
            Operation::Task(TaskOperation::Resolve) => self.state == TaskState::ResolvedManually,
            Operation::Task(TaskOperation::Update { priority, queue }) => {
                priority.is_none_or(|priority| priority == self.priority)
                    && queue.as_ref().is_none_or(|queue| queue.as_deref() == self.queue)
            }
            Operation::Step(index, StepOperation::Retry) => self.step(*index) == Some(StepState::Pending),
            Operation::Step(index, StepOperation::Skip) => self.step(*index) == Some(StepState::Skipped),
            Operation::Step(index, StepOperation::Resolve(result)) => {
                let is_so = |step: &StepStanding| {
                    step.state == StepState::ResolvedManually && step.result.as_ref() == Some(result)
                };
                self.steps.get(*index as usize).is_some_and(is_so)
            }
            Operation::Step(index, StepOperation::Decide(result, route)) => {
                self.is_at_aim(&Operation::Step(*index, StepOperation::Resolve(result.clone())))
                    && self.steps.get(*index as usize).is_some_and(|step| step.route.as_ref() == Some(route))
            }
        }
    }

    fn change(&self, operation: &Operation) -> Result<Change, Obstacle> {
        let event = match operation {
            Operation::Task(asked) => asked.event(self.state, self.started),
            Operation::Step(..) => TaskEvent::Change,
        };
        let to = self.state.settle(event).map_err(|_| Obstacle::Task)?;
        let mut states: Vec<StepState> = self.steps.iter().map(|step| step.state).collect();
        let mut steps = self.moves(operation)?;
        let bypassed = self.left_out(operation);
        steps.extend(
            bypassed.iter().filter_map(|index| Some((*index, self.step(*index)?.settle(StepEvent::Skip).ok()?))),
        );
        let removed = self.removed(operation);
        steps.retain(|(index, _)| removed.binary_search(index).is_err());
        // What goes is in nobody's way.
        let gone = removed.iter().map(|index| (*index, StepState::Skipped));
        for (index, to) in steps.iter().copied().chain(gone) {
            if let Some(state) = states.get_mut(index as usize) {
                *state = to;
            }
        }
        let arrangement = Arrangement::of(self.graph, &states, to == TaskState::Paused);
        let starts = !self.started
            && match operation {
                Operation::Step(_, asked) => *asked != StepOperation::Retry,
                Operation::Task(asked) => matches!(asked, TaskOperation::RestartFrom(_)),
            };
        let is_update = matches!(operation, Operation::Task(TaskOperation::Update { .. }));
        let mut task = if to != self.state || is_update { vec![to] } else { Vec::new() };
        if !is_update {
            go_on(to, starts, &arrangement, &mut task);
        }
        Ok(Change { task, steps, bypassed, removed, starts, arrangement })
    }

    /// The steps that move.
    fn moves(&self, operation: &Operation) -> Result<Vec<(StepIndex, StepState)>, Obstacle> {
        match operation {
            Operation::Step(index, asked) => {
                let state = self.step(*index).ok_or(Obstacle::Step)?;
                let to = state.settle(asked.event()).map_err(|_| Obstacle::Step)?;
                // What it left out is skipped by now, and what it chose may run: it decides anew when it is restarted.
                if self.steps.get(*index as usize).is_some_and(|step| step.route.is_some()) {
                    return Err(Obstacle::Step);
                }
                // Nobody waits for the items of a list any more that goes on without them.
                let ends = to.satisfies_children();
                let mut moves = self.moved(StepEvent::Cancel, |_, step| ends && step.group == Some(*index));
                moves.push((*index, to));
                Ok(moves)
            }
            Operation::Task(TaskOperation::Cancel | TaskOperation::Resolve) => {
                Ok(self.moved(StepEvent::Cancel, |_, _| true))
            }
            Operation::Task(TaskOperation::Retry) => {
                Ok(self.moved(StepEvent::Retry, |_, step| step.state == StepState::Error))
            }
            Operation::Task(TaskOperation::RestartFrom(first)) => {
                self.step(*first).ok_or(Obstacle::Step)?;
                let again = self.restarted(*first);
                Ok(self.moved(StepEvent::Restart, |index, _| again.get(index as usize) == Some(&true)))
            }
            Operation::Task(TaskOperation::Pause | TaskOperation::Resume | TaskOperation::Update { .. }) => {
                Ok(Vec::new())
            }
        }
    }

    /// Where the steps that are meant move to, as far as their states know the event.
    fn moved(
        &self,
        event: StepEvent,
        is_meant: impl Fn(StepIndex, &StepStanding) -> bool,
    ) -> Vec<(StepIndex, StepState)> {
        let meant = (0..).zip(self.steps).filter(|(index, step)| is_meant(*index, step));
        meant.filter_map(|(index, step)| Some((index, step.state.settle(event).ok()?))).collect()
    }

    /// What a decision made by hand leaves out, with what only that feeds.
    fn left_out(&self, operation: &Operation) -> Vec<StepIndex> {
        let Operation::Step(decision, StepOperation::Decide(_, route)) = operation else { return Vec::new() };
        let left_out: Vec<StepIndex> = self.branches.left_out(*decision, route).into_iter().collect();
        let is_blocked = |index: StepIndex| self.step(index) == Some(StepState::Pending);
        let was_bypassed = |index: StepIndex| self.steps.get(index as usize).is_some_and(|step| step.bypassed);
        bypassed(self.graph, &left_out, is_blocked, was_bypassed).into_iter().collect()
    }

    /// For each step, whether it runs again when `first` does: it, what comes after it, and what failed.
    /// What a decision left out that does not decide again stays out.
    fn restarted(&self, first: StepIndex) -> Vec<bool> {
        let mut again = self.graph.descendants(first);
        let is_done = |index: StepIndex| self.step(index).is_some_and(StepState::satisfies_children);
        let after = again.clone();
        for (again, step) in again.iter_mut().zip(self.steps) {
            let failed = matches!(step.state, StepState::Error | StepState::Cancelled);
            let wanted = |group: StepIndex| after.get(group as usize) == Some(&true) || !is_done(group);
            *again |= failed && step.group.is_none_or(wanted);
        }
        let runs_again = |index: StepIndex| again.get(index as usize) == Some(&true);
        let decided = (0..).zip(self.steps).filter(|(index, _)| !runs_again(*index));
        let left_out = decided.filter_map(|(index, step)| Some(self.branches.left_out(index, step.route.as_ref()?)));
        let left_out: Vec<StepIndex> = left_out.flatten().collect();
        if left_out.is_empty() {
            return again;
        }
        let is_bypassed = |index: StepIndex| self.steps.get(index as usize).is_some_and(|step| step.bypassed);
        let stays_maybe = |index| index != first && is_bypassed(index) && runs_again(index);
        let stay = bypassed(self.graph, &left_out, stays_maybe, |index| is_bypassed(index) && !runs_again(index));
        for index in stay {
            if let Some(again) = again.get_mut(index as usize) {
                *again = false;
            }
        }
        again
    }
}

impl Standing<'_> {
    /// The items' steps that go when their groups make their lists anew: those at `first` of a restart or after
    /// it. Running one item again leaves the others.
    fn removed(&self, operation: &Operation) -> Vec<StepIndex> {
        let Operation::Task(TaskOperation::RestartFrom(first)) = operation else { return Vec::new() };
        if self.steps.iter().all(|step| step.group.is_none()) {
            return Vec::new();
        }
        let after = self.graph.descendants(*first);
        let of_first = self.steps.get(*first as usize).and_then(|step| step.group);
        let goes = |group: StepIndex| Some(group) != of_first && after.get(group as usize) == Some(&true);
        let items = (0..).zip(self.steps).filter(|(_, step)| step.group.is_some_and(goes));
        items.map(|(index, _)| index).collect()
    }
}

/// Moves a task on from `at`, where an operation took it, to where it belongs with steps that stand so.
fn go_on(at: TaskState, starts: bool, steps: &Arrangement, moves: &mut Vec<TaskState>) {
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

//! A task as an operation finds it, and what the operation changes of it.

use super::arrangement::{Arrangement, go_on};
use super::asked::{Operation, StepOperation, TaskOperation};
use crate::domain::branches::{Branches, bypassed};
use crate::domain::graph::Graph;
use crate::domain::id::StepIndex;
use crate::domain::json::Json;
use crate::domain::state::{StepEvent, StepState, TaskEvent, TaskState};

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

/// Why a change does not come about.
pub(super) enum Obstacle {
    Task,
    Step,
}

impl Standing<'_> {
    pub(super) fn step(&self, index: StepIndex) -> Option<StepState> {
        self.steps.get(index as usize).map(|step| step.state)
    }

    /// The operations that are allowed now on what `operation` was to move.
    pub(super) fn allowed(&self, operation: &Operation) -> Vec<&'static str> {
        let every: Vec<Operation> = match operation {
            Operation::Task(_) => TaskOperation::every().into_iter().map(Operation::Task).collect(),
            Operation::Step(index, _) => {
                StepOperation::every().into_iter().map(|operation| Operation::Step(*index, operation)).collect()
            }
        };
        every.iter().filter(|operation| self.change(operation).is_ok()).map(Operation::name).collect()
    }

    /// Whether the operation aims at what is.
    pub(super) fn is_at_aim(&self, operation: &Operation) -> bool {
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

    pub(super) fn change(&self, operation: &Operation) -> Result<Change, Obstacle> {
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

//! Operations by hand, which are decided by `domain`, as those of the engine are.

use tasker_core::domain::graph::Graph;
use tasker_core::domain::id::{StepIndex, TaskId};
use tasker_core::domain::operation::{Change, Operation, Standing, StepOperation, StepStanding, TaskOperation, decide};
use tasker_core::domain::state::StepState;

use super::task::{Stands, Step, Task};
use crate::differential::actions::Ticks;

impl Task {
    /// Whether it changed anything; nothing where it is refused.
    pub fn operate(&mut self, id: TaskId, operation: &Operation, now: Ticks) -> Option<bool> {
        let indexes: Vec<StepIndex> = self.steps.keys().copied().collect();
        let place = |index: StepIndex| indexes.binary_search(&index).unwrap_or(indexes.len()) as StepIndex;
        let placed = match operation {
            Operation::Step(index, asked) => Operation::Step(place(*index), asked.clone()),
            Operation::Task(TaskOperation::RestartFrom(index)) => {
                Operation::Task(TaskOperation::RestartFrom(place(*index)))
            }
            Operation::Task(asked) => Operation::Task(asked.clone()),
        };
        let graph = self.graph(&indexes);
        let steps: Vec<StepStanding> = self.steps.iter().map(|(index, step)| self.standing(*index, step)).collect();
        let standing = Standing {
            graph: &graph,
            state: self.state,
            started: self.started,
            priority: self.priority,
            queue: self.queue.as_deref(),
            branches: &self.template().branches,
            steps: &steps,
        };
        let change = decide(id, &standing, &placed, |_| "".into()).ok()?;
        let changed = change.is_some();
        if let Some(change) = change {
            self.place(&indexes, operation, change, now);
        }
        Some(changed)
    }

    fn graph(&self, indexes: &[StepIndex]) -> Graph {
        let groups = indexes.iter().filter_map(|index| self.template().groups.item(*index));
        self.template().graph.with_items(groups.map(|(group, _)| *group))
    }

    fn standing(&self, index: StepIndex, step: &Step) -> StepStanding {
        StepStanding {
            state: step.seen_state(),
            result: step.result.clone(),
            route: step.route.clone(),
            bypassed: step.bypassed,
            group: self.template().groups.item(index).map(|(group, _)| *group),
        }
    }

    fn place(&mut self, indexes: &[StepIndex], operation: &Operation, change: Change, now: Ticks) {
        let index_at = |place: StepIndex| indexes[place as usize];
        if let Operation::Task(TaskOperation::Update { priority, queue }) = operation {
            self.priority = priority.unwrap_or(self.priority);
            self.queue = queue.clone().unwrap_or(self.queue.take());
        }
        for &place in &change.removed {
            let index = index_at(place);
            let group = self.template().groups.item(index).map(|(group, _)| *group).expect("an item");
            self.step(group).items = None;
            let time = self.steps.remove(&index).map_or(0, |step| step.time);
            self.gone.insert(index, time);
        }
        for &(place, to) in &change.steps {
            let step = self.step(index_at(place));
            // The attempt under way counts.
            step.attempts = step.seen_attempts();
            step.leave(to);
            // A list that stays took the attempts that it took.
            if to == StepState::Pending && step.items.is_none() {
                (step.attempts, step.crashes) = (0, 0);
            }
            (step.result, step.route) = (None, None);
            step.bypassed = change.bypassed.contains(&place);
        }
        if let Operation::Step(index, StepOperation::Resolve(result) | StepOperation::Decide(result, _)) = operation {
            self.step(*index).result = Some(result.clone());
        }
        if let Operation::Step(index, StepOperation::Decide(_, route)) = operation {
            self.step(*index).route = Some(route.clone());
        }
        for (place, &index) in indexes.iter().enumerate() {
            let runs = change.arrangement.runnable.contains(&(place as StepIndex));
            let run_at = self.run_at.filter(|at| *at > now);
            let Some(step) = self.steps.get_mut(&index).filter(|step| !step.is_held()) else { continue };
            step.stands = match (step.retry.or(run_at), runs) {
                (_, false) => Stands::Nowhere,
                (Some(due), true) => Stands::Timer(due),
                (None, true) => Stands::Ready,
            };
        }
        self.state = change.task.last().copied().unwrap_or(self.state);
        self.started |= change.starts;
    }
}

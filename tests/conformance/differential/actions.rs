//! What happens: chosen at random, the same for both worlds, so with ids and moments in it.

use std::collections::BTreeSet;

use fastrand::Rng;
use tasker_core::domain::id::{ReceiptId, SessionId, StepKey, TaskId};
use tasker_core::domain::json::Json;
use tasker_core::domain::operation::{Operation, StepOperation, TaskOperation};

use super::seen::Seen;
use super::world::{TEMPLATES, WORKERS, World};
use crate::bench::session;

const MOST_TASKS: usize = 80;

/// A number of the clock's ticks: what is due at a tick is due for both worlds, however long the run.
pub type Ticks = u32;

#[derive(Clone, Debug)]
pub enum Action {
    Create {
        plans: Vec<Plan>,
        taker: Option<(usize, ReceiptId, usize)>,
    },
    Settle(Settlement),
    /// The clock moves, and whoever is not renewed may be past its end.
    Tick,
    /// A worker renews itself, sweeps, and returns up to so many receipts.
    Sweep {
        worker: usize,
        receipts: usize,
        then: SessionId,
    },
    /// A process ends without a word, and another takes its place.
    Crash {
        worker: usize,
        then: SessionId,
    },
    /// Somebody does something by hand.
    Operate {
        task: TaskId,
        operation: Operation,
    },
    /// A process forgets what it knew of templates and lanes.
    Forget,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub id: TaskId,
    pub template: usize,
    pub key: Option<String>,
    pub return_existing: bool,
    pub priority: Option<i16>,
    pub run_at: Option<Ticks>,
}

#[derive(Clone, Debug)]
pub struct Settlement {
    pub worker: usize,
    pub reports: Vec<(StepKey, Came)>,
    /// Reports once more what was reported or lost before.
    pub late: bool,
    pub receipt: ReceiptId,
    pub limit: usize,
    pub look: bool,
    pub look_due: bool,
    pub keep_from: Option<i16>,
    pub then: SessionId,
}

/// What came of a step.
#[derive(Clone, Debug)]
pub enum Came {
    /// With a number by which a decision chooses, and that a list has of items.
    Result(u32, Json),
    Failure {
        permanent: bool,
        again_in: Ticks,
    },
    Back,
}

/// What a run has made so far.
#[derive(Default)]
pub struct History {
    pub tasks: Vec<TaskId>,
    /// Those to look at: all but what ended before the last look.
    pub active: BTreeSet<TaskId>,
}

impl History {
    pub fn ended(&mut self, seen: &Seen) {
        self.active.retain(|id| seen.tasks.get(id).is_some_and(|task| !task.state.is_ended()));
    }

    pub fn all_again(&mut self) {
        self.active.extend(&self.tasks);
    }
}

impl Action {
    pub fn random(rng: &mut Rng, history: &mut History, world: &World) -> Self {
        let worker = rng.usize(..WORKERS);
        if rng.u32(..5) == 0
            && let Some(operate) = Self::operate(rng, history)
        {
            return operate;
        }
        match rng.u32(..100) {
            0..18 if history.tasks.len() < MOST_TASKS => Self::create(rng, history, world, worker),
            0..76 => Self::Settle(settlement(rng, world, worker)),
            76..86 => Self::Tick,
            86..95 => Self::Sweep { worker, receipts: rng.usize(..4), then: session() },
            95..97 => Self::Crash { worker, then: session() },
            _ => Self::Forget,
        }
    }

    /// Has the tasks that it may wake looked at again.
    pub fn wake(&self, history: &mut History) {
        if let Self::Operate { task, .. } = self {
            history.active.insert(*task);
        }
    }

    fn operate(rng: &mut Rng, history: &History) -> Option<Self> {
        let active: Vec<&TaskId> = history.active.iter().collect();
        let task = match rng.u32(..4) {
            0 => *history.tasks.get(rng.usize(..history.tasks.len().max(1)))?,
            _ => **active.get(rng.usize(..active.len().max(1)))?,
        };
        // Those behind the first are items, where the template has lists.
        let step = [0, 1, 2, 3, 4, 6, 7, 10_006, 10_007][rng.usize(..9)];
        let operation = match rng.u32(..20) {
            0 => Operation::Task(TaskOperation::Cancel),
            1..4 => Operation::Task(TaskOperation::Pause),
            4..8 => Operation::Task(TaskOperation::Resume),
            8..10 => Operation::Task(TaskOperation::Retry),
            10..12 => Operation::Task(TaskOperation::RestartFrom(step)),
            12 => Operation::Task(TaskOperation::Resolve),
            13..15 => Operation::Task(TaskOperation::Update {
                priority: [None, Some(None), Some(Some(2))][rng.usize(..3)],
                queue: [None, Some(None), Some(Some("slow".into()))][rng.usize(..3)].clone(),
            }),
            15..17 => Operation::Step(step, StepOperation::Skip),
            17..19 => Operation::Step(step, StepOperation::Retry),
            _ => Operation::Step(step, StepOperation::Resolve(Json::from_trusted("\"by hand\""))),
        };
        Some(Self::Operate { task, operation })
    }

    fn create(rng: &mut Rng, history: &mut History, world: &World, worker: usize) -> Self {
        let plans: Vec<Plan> = (0..rng.usize(1..4))
            .map(|_| Plan {
                id: TaskId::generate(),
                template: rng.usize(..TEMPLATES),
                key: (rng.u32(..4) == 0).then(|| format!("key {}", rng.u32(..12))),
                return_existing: rng.u32(..4) > 0,
                priority: (rng.u32(..3) == 0).then(|| rng.i16(-2..3)),
                run_at: (rng.u32(..5) == 0).then(|| world.tick + rng.u32(0..4)),
            })
            .collect();
        history.tasks.extend(plans.iter().map(|plan| plan.id));
        history.active.extend(plans.iter().map(|plan| plan.id));
        let taker = rng.bool().then(|| (worker, ReceiptId::generate(), rng.usize(1..5)));
        Self::Create { plans, taker }
    }
}

fn settlement(rng: &mut Rng, world: &World, worker: usize) -> Settlement {
    let mut reports = Vec::new();
    let share = rng.u32(1..4);
    for held in &world.workers[worker].held {
        if rng.u32(..3) < share {
            reports.push((held.row.key, came(rng)));
        }
    }
    Settlement {
        worker,
        reports,
        late: rng.u32(..6) == 0,
        receipt: ReceiptId::generate(),
        limit: rng.usize(..9),
        look: rng.u32(..5) > 0,
        look_due: rng.bool(),
        keep_from: [None, Some(-1), Some(i16::MIN)][rng.usize(..3)],
        then: session(),
    }
}

fn came(rng: &mut Rng) -> Came {
    match rng.u32(..20) {
        0..14 => {
            // A decision that chooses nothing is rare.
            let number = if rng.u32(..12) == 0 { 0 } else { rng.u32(1..8) };
            let list: Vec<u32> = (0..rng.u32(..4)).collect();
            let text = format!("{{\"n\": {}, \"x\":-0.0, \"list\": {list:?}}}", rng.u32(..));
            Came::Result(number, Json::from_trusted(text))
        }
        14..18 => Came::Failure { permanent: rng.u32(..4) == 0, again_in: rng.u32(..3) },
        _ => Came::Back,
    }
}

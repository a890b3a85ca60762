//! A task in memory: what its steps are, and where they stand. Nothing is counted; whatever a counter tells the stores
//! is worked out anew from the graph and the states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tasker_core::domain::fan_out::{self, Each};
use tasker_core::domain::id::{SessionId, StepIndex};
use tasker_core::domain::json::Json;
use tasker_core::domain::retry::attempts_left;
use tasker_core::domain::state::{StepEvent, StepState, TaskEvent, TaskState};
use tasker_core::domain::template::{OnFailure, Template};
use tasker_core::engine::catalog::StoredTemplate;
use tasker_core::engine::transactions::verdict::CRASH_BUDGET;

use crate::differential::actions::{Came, Ticks};

/// Where an unfinished step is; in no place while it waits for a parent or for the end of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    Ready,
    Timer(Ticks),
    Held(SessionId),
    Nowhere,
}

#[derive(Clone, Debug)]
pub struct Step {
    /// Never in progress; that is told by where it stands.
    pub state: StepState,
    pub stands: Stands,
    /// How often it left somebody's hands or was moved: a report of an earlier time is late.
    pub time: u32,
    pub attempts: u16,
    pub crashes: u16,
    pub result: Option<Json>,
    pub route: Option<Vec<StepIndex>>,
    pub bypassed: bool,
    pub item: Option<Json>,
    /// Of a step that made a list, how long it was.
    pub(super) items: Option<StepIndex>,
    pub(super) retry: Option<Ticks>,
}

pub struct Task {
    pub stored: Arc<StoredTemplate>,
    pub state: TaskState,
    pub steps: BTreeMap<StepIndex, Step>,
    pub(super) started: bool,
    pub(super) run_at: Option<Ticks>,
    pub(super) priority: Option<i16>,
    pub(super) queue: Option<String>,
    /// The times of items that are gone: what is made in their places later is another step.
    pub(super) gone: BTreeMap<StepIndex, u32>,
}

/// What a report comes to.
enum Outcome {
    Done(Json, Vec<StepIndex>),
    List(Vec<Json>),
    Failed { permanent: bool, again_in: Ticks },
    Back,
}

const FOR_GOOD: Outcome = Outcome::Failed { permanent: true, again_in: 0 };

impl Step {
    fn new(item: Option<Json>, time: u32) -> Self {
        Self {
            state: StepState::Pending,
            stands: Stands::Nowhere,
            time,
            attempts: 0,
            crashes: 0,
            result: None,
            route: None,
            bypassed: false,
            item,
            items: None,
            retry: None,
        }
    }

    pub(super) fn leave(&mut self, to: StepState) {
        (self.state, self.stands, self.retry) = (to, Stands::Nowhere, None);
        self.time += 1;
    }

    pub(super) fn is_held(&self) -> bool {
        matches!(self.stands, Stands::Held(_))
    }

    /// As whoever reads it is told.
    pub fn seen_state(&self) -> StepState {
        if self.is_held() { StepState::InProgress } else { self.state }
    }

    /// With the attempt under way; that the results of items are put together is none.
    pub fn seen_attempts(&self) -> u16 {
        self.attempts + u16::from(self.is_held() && self.items.is_none())
    }
}

impl Task {
    pub fn new(stored: Arc<StoredTemplate>, priority: Option<i16>, run_at: Option<Ticks>) -> Self {
        let count = stored.template.graph.len() as StepIndex;
        let steps = (0..count).map(|index| (index, Step::new(None, 0))).collect();
        let (state, gone) = (TaskState::Pending, BTreeMap::new());
        let mut task = Self { stored, state, steps, started: false, run_at, priority, queue: None, gone };
        if let Some(due) = run_at {
            let roots: Vec<StepIndex> = task.template().graph.roots().collect();
            for root in roots {
                task.step(root).stands = Stands::Timer(due);
            }
        }
        task.go_on();
        task
    }

    pub(super) fn template(&self) -> &Template {
        &self.stored.template
    }

    /// One that it has.
    pub fn step(&mut self, index: StepIndex) -> &mut Step {
        self.steps.get_mut(&index).expect("the step")
    }

    /// The steps of a group's items.
    fn items_of(&self, group: StepIndex) -> impl Iterator<Item = (&StepIndex, &Step)> {
        let groups = &self.template().groups;
        self.steps.iter().filter(move |(index, _)| groups.item(**index).is_some_and(|(of, _)| *of == group))
    }

    fn waits(&self, index: StepIndex) -> bool {
        let is_open = |step: &Step| !step.state.satisfies_children();
        let parents = self.template().parents(index).iter();
        parents.copied().any(|parent| is_open(&self.steps[&parent]))
            || self.items_of(index).any(|(_, step)| is_open(step))
    }

    /// What waits for nothing is ready, and a task of which nothing can run has ended.
    pub fn go_on(&mut self) {
        if self.state == TaskState::Paused {
            return;
        }
        let free = |(index, step): (&StepIndex, &Step)| {
            (step.state.is_unfinished() && step.stands == Stands::Nowhere && !self.waits(*index)).then_some(*index)
        };
        let free: Vec<StepIndex> = self.steps.iter().filter_map(free).collect();
        for index in free {
            self.step(index).stands = Stands::Ready;
        }
        if self.state == TaskState::InProgress && self.steps.values().all(|step| step.stands == Stands::Nowhere) {
            let failed = self.steps.values().any(|step| step.state == StepState::Error);
            let rest = if failed { TaskEvent::Stall } else { TaskEvent::Finish };
            self.state = self.state.settle(rest).expect("it comes to rest");
        }
    }

    /// Makes ready what is due.
    pub fn tick(&mut self, now: Ticks) {
        for step in self.steps.values_mut() {
            if matches!(step.stands, Stands::Timer(due) if due <= now) {
                step.stands = Stands::Ready;
            }
        }
    }

    pub fn claim(&mut self, index: StepIndex, by: SessionId) {
        let step = self.step(index);
        assert_eq!(step.stands, Stands::Ready, "{index} was claimed: {step:?}");
        step.stands = Stands::Held(by);
        self.start();
    }

    fn start(&mut self) {
        self.started = true;
        self.state = self.state.settle(TaskEvent::Start).unwrap_or(self.state);
    }

    /// Whether what was claimed at that time is still so.
    pub fn is_own(&self, index: StepIndex, time: u32) -> bool {
        self.steps.get(&index).is_some_and(|step| step.time == time && step.is_held())
    }

    /// What a report of a held step does to it; the branches that it leaves out.
    pub fn report(&mut self, index: StepIndex, came: Option<&Came>, now: Ticks) -> BTreeSet<StepIndex> {
        let outcome = self.checked(index, self.outcome(index, came));
        let is_gathered = self.steps[&index].items.is_some();
        let used = self.steps[&index].attempts + u16::from(!is_gathered);
        let paused = self.state == TaskState::Paused;
        let (event, due) = match &outcome {
            Outcome::Done(..) => (StepEvent::Succeed, None),
            Outcome::List(_) => (StepEvent::Expand, None),
            Outcome::Back => (StepEvent::Release, None),
            Outcome::Failed { permanent: true, .. } => (StepEvent::FailForGood, None),
            Outcome::Failed { again_in, .. } => {
                let policy = &self.template().step(index).expect("the step").policy;
                let attempts_left = attempts_left(used, policy.retryable, policy.retry_limit);
                (StepEvent::Fail { attempts_left }, attempts_left.then_some(now + again_in))
            }
        };
        self.leave(index, event);
        let step = self.step(index);
        if !matches!(outcome, Outcome::Back) {
            step.attempts = used;
        }
        step.retry = due;
        if let (Some(due), false) = (due, paused) {
            step.stands = Stands::Timer(due);
        }
        match outcome {
            Outcome::Done(result, route) => {
                step.result = Some(result);
                step.route = (!route.is_empty()).then(|| route.clone());
                return self.template().branches.left_out(index, &route);
            }
            Outcome::List(items) => self.expand(index, items),
            Outcome::Failed { .. } | Outcome::Back => {}
        }
        BTreeSet::new()
    }

    /// Its holder died.
    pub fn lose(&mut self, index: StepIndex) {
        let step = self.step(index);
        step.crashes += 1;
        let crashes_left = step.crashes < CRASH_BUDGET;
        self.leave(index, StepEvent::LoseLease { crashes_left });
    }

    /// Leaves its holder's hands; where its children may do without it, a failure is a skip.
    fn leave(&mut self, index: StepIndex, event: StepEvent) {
        let mut to = StepState::InProgress.settle(event).expect("a held step's event");
        let policy = &self.template().step(index).expect("the step").policy;
        if to == StepState::Error && policy.on_failure == OnFailure::Skip {
            to = StepState::Skipped;
        }
        self.step(index).leave(to);
    }

    fn expand(&mut self, group: StepIndex, items: Vec<Json>) {
        self.step(group).items = Some(items.len() as StepIndex);
        for (position, item) in (0..).zip(items) {
            let index = self.template().groups.item_index(group, position).expect("an item's place");
            let time = self.gone.remove(&index).map_or(0, |time| time + 1);
            self.steps.insert(index, Step::new(Some(item), time));
        }
    }

    /// What is done, or what came of it by what the handler did. A report that comes late says "late".
    fn outcome(&self, index: StepIndex, came: Option<&Came>) -> Outcome {
        let step = &self.steps[&index];
        let Some(came) = came else { return Outcome::Done(Json::from_trusted("\"late\""), Vec::new()) };
        let template = self.template();
        match (template.groups.each(index), step.items) {
            (Some(_), Some(_)) => {
                let results = self.items_of(index).map(|(_, item)| item.result.as_ref().map_or("null", Json::as_str));
                let list = format!("[{}]", results.collect::<Vec<_>>().join(","));
                return Outcome::Done(Json::from_trusted(list), Vec::new());
            }
            (Some(Each::Path { parent, keys, .. }), None) => {
                let Some(result) = &self.steps[parent].result else { return Outcome::List(Vec::new()) };
                return fan_out::items(result, keys).map_or(FOR_GOOD, Outcome::List);
            }
            _ => {}
        }
        match came {
            Came::Result(number, result) if self.makes_list(index) => {
                Outcome::List(vec![result.clone(); (*number % 5) as usize])
            }
            Came::Result(number, result) => {
                let branches = template.branches.of(index).iter();
                let chosen = (0..).zip(branches).filter(|(place, _)| number >> place & 1 == 1);
                Outcome::Done(result.clone(), chosen.map(|(_, &branch)| branch).collect())
            }
            Came::Failure { permanent, again_in } => Outcome::Failed { permanent: *permanent, again_in: *again_in },
            Came::Back => Outcome::Back,
        }
    }

    fn makes_list(&self, index: StepIndex) -> bool {
        self.template().groups.each(index).is_some() && self.steps[&index].items.is_none()
    }

    /// A decision has to choose, whoever is to make a list has to make one, and an empty list is done.
    fn checked(&self, index: StepIndex, outcome: Outcome) -> Outcome {
        let decides = !self.template().branches.of(index).is_empty();
        match outcome {
            Outcome::Done(_, route) if self.makes_list(index) || decides && route.is_empty() => FOR_GOOD,
            Outcome::List(items) if items.is_empty() => Outcome::Done(Json::from_trusted("[]"), Vec::new()),
            outcome => outcome,
        }
    }

    /// Skips what decisions left out, and whatever is fed by such steps alone.
    pub fn bypass(&mut self, left_out: &BTreeSet<StepIndex>) {
        let mut next: Vec<StepIndex> = left_out.iter().copied().collect();
        while let Some(index) = next.pop() {
            let is_blocked = |step: &Step| step.state == StepState::Pending && step.stands == Stands::Nowhere;
            let parents = self.template().graph.parents(index);
            let starves = parents.iter().all(|parent| self.steps[parent].bypassed);
            if is_blocked(&self.steps[&index]) && (left_out.contains(&index) || starves) {
                next.extend(self.template().graph.children(index));
                let step = self.step(index);
                step.leave(StepState::Skipped);
                step.bypassed = true;
            }
        }
    }
}

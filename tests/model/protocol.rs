//! Who may do what next, and what must hold whatever happens.

use stateright::{Model, Property};
use tasker_core::domain::branches::Branches;
use tasker_core::domain::graph::Graph;
use tasker_core::domain::operation::{Arrangement, TaskOperation};
use tasker_core::domain::state::TaskState;

use crate::world::{Batch, Claimed, Database, Session, Worker};

/// What a report is compared with before it is recorded; all but the token are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    Token,
    Attempt,
    StateOnly,
    None,
}

/// How it is found that a child may run; all but the counter are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    Counter,
    /// By looking whether its parents are done.
    LookBack,
    /// By the end of any parent.
    AnyParent,
}

/// How often something may go wrong. Everything else brings the task nearer to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Troubles {
    pub deaths: u8,
    pub late_renewals: u8,
    pub lost_answers: u8,
    pub failures: u8,
    /// Which of the model's operations were not asked yet.
    pub operations: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Protocol {
    pub graph: Graph,
    pub branches: Branches,
    pub fence: Fence,
    pub release: Release,
    /// Whether a worker looks for what it may have claimed; it is broken where it does not.
    pub recalls: bool,
    pub operations: Vec<TaskOperation>,
    pub troubles: Troubles,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub database: Database,
    pub workers: Vec<Worker>,
    /// Reports whose senders gave up waiting for an answer: they may still arrive.
    pub wire: Vec<Batch>,
    pub left: Troubles,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A worker takes up to so many ready steps.
    Claim(usize, usize),
    /// It does, and never hears of it.
    ClaimUnheard(usize),
    /// It asks what became of such a claim.
    Recall(usize),
    /// Handlers end: the places in its hands, and whether they succeeded.
    Report(usize, Vec<(usize, bool)>),
    /// The transaction begins, where what it sees then matters.
    Begin(usize),
    /// The transaction commits, and the worker hears of it.
    Commit(usize),
    /// No answer: the transaction may be committed at any time, and the worker sends it again.
    LoseAnswer(usize),
    /// One that nobody waits for is committed.
    Arrive(usize),
    Due(usize),
    PassEnd(usize),
    Renew(usize),
    /// The epoch of a session past its end is raised.
    ShutOut(usize),
    Recover(usize),
    /// A worker hears that it was shut out, and starts a new session.
    Reopen(usize),
    /// A worker process dies, and another takes its place.
    Die(usize),
    Operate(usize),
}

impl Action {
    /// Whether it happens by itself sooner or later; nobody may count on the others.
    fn is_certain(&self, world: &World) -> bool {
        match self {
            Self::Claim(..) | Self::Recall(_) | Self::Report(..) | Self::Begin(_) | Self::Commit(_) => true,
            Self::Arrive(_) | Self::Due(_) | Self::ShutOut(_) | Self::Recover(_) | Self::Reopen(_) => true,
            // That of a living worker is renewed.
            Self::PassEnd(session) => !world.is_owned(*session),
            Self::Renew(_) | Self::ClaimUnheard(_) | Self::LoseAnswer(_) | Self::Die(_) | Self::Operate(_) => false,
        }
    }
}

impl Protocol {
    fn of_worker(&self, world: &World, at: usize, actions: &mut Vec<Action>) {
        let worker = &world.workers[at];
        let left = &world.left;
        match world.database.sessions[worker.session] {
            Session::Shut => actions.push(Action::Reopen(at)),
            Session::PastEnd => actions.push(Action::Renew(at)),
            Session::Live if left.late_renewals > 0 => actions.push(Action::PassEnd(worker.session)),
            Session::Live => {}
        }
        if worker.is_idle() && world.database.sessions[worker.session] != Session::Shut {
            let ready = world.database.ready.len().min(2);
            actions.extend((1..=ready).map(|limit| Action::Claim(at, limit)));
            if ready > 0 && left.lost_answers > 0 {
                actions.push(Action::ClaimUnheard(at));
            }
        }
        if worker.doubtful.is_some() {
            actions.push(Action::Recall(at));
        }
        match &worker.sending {
            None => actions.extend(reports(worker.held.len(), left.failures).map(|ends| Action::Report(at, ends))),
            Some(batch) if self.release == Release::LookBack && batch.snapshot.is_none() => {
                actions.push(Action::Begin(at));
            }
            Some(_) => {
                actions.push(Action::Commit(at));
                if left.lost_answers > 0 {
                    actions.push(Action::LoseAnswer(at));
                }
            }
        }
        if left.deaths > 0 && !(worker.is_idle() && world.database.receipts.is_empty()) {
            actions.push(Action::Die(at));
        }
    }

    fn of_database(&self, world: &World, actions: &mut Vec<Action>) {
        let database = &world.database;
        actions.extend((0..database.timers.len()).map(Action::Due));
        for (number, session) in database.sessions.iter().enumerate() {
            let holds = database.receipts.iter().any(|(id, _)| id.0 == number);
            let is_orphan = !world.is_owned(number);
            match session {
                Session::Live if is_orphan && holds => actions.push(Action::PassEnd(number)),
                Session::PastEnd => actions.push(Action::ShutOut(number)),
                Session::Live | Session::Shut => {}
            }
        }
        let shut = |id: usize| database.sessions[id] == Session::Shut;
        let receipts = database.receipts.iter().enumerate();
        actions.extend(receipts.filter(|(_, (id, _))| shut(id.0)).map(|(at, _)| Action::Recover(at)));
        actions.extend((0..world.wire.len()).map(Action::Arrive));
    }
}

/// What handlers of `held` steps may come to next: one ends or two do, each well or not.
fn reports(held: usize, failures: u8) -> impl Iterator<Item = Vec<(usize, bool)>> {
    let one = (0..held).flat_map(|at| [vec![(at, true)], vec![(at, false)]]);
    let two = [(true, true), (true, false), (false, true), (false, false)];
    let two = two.into_iter().filter(move |_| held == 2).map(|(first, second)| vec![(0, first), (1, second)]);
    one.chain(two).filter(move |ends| ends.iter().filter(|(_, well)| !well).count() <= usize::from(failures))
}

impl World {
    /// Whether it is the session of a living worker.
    fn is_owned(&self, session: usize) -> bool {
        self.workers.iter().any(|worker| worker.session == session)
    }

    fn report(&mut self, at: usize, ends: &[(usize, bool)]) {
        let worker = &mut self.workers[at];
        let reports: Vec<(Claimed, bool)> = ends.iter().map(|&(place, well)| (worker.held[place], well)).collect();
        worker.held.retain(|held| reports.iter().all(|(claimed, _)| claimed != held));
        let receipt = (worker.session, worker.claims);
        let finished = worker.held.is_empty().then_some(receipt);
        self.left.failures -= ends.iter().filter(|(_, well)| !well).count() as u8;
        worker.sending = Some(Batch { session: worker.session, reports, finished, snapshot: None });
    }

    fn claim(&mut self, model: &Protocol, at: usize, limit: usize, is_heard: bool) -> Option<()> {
        let worker = &mut self.workers[at];
        worker.claims += 1;
        let id = (worker.session, worker.claims);
        let taken = self.database.claim(model, id, limit)?;
        if is_heard {
            worker.held = taken
        } else {
            worker.doubtful = Some(id)
        }
        Some(())
    }

    /// A worker starts anew; what it had sent may still arrive.
    fn start_anew(&mut self, at: usize) {
        if let Some(batch) = self.workers[at].sending.take() {
            self.send(batch);
        }
        self.workers[at] = Worker::new(self.database.sessions.len());
        self.database.sessions.push(Session::Live);
    }

    fn send(&mut self, batch: Batch) {
        self.wire.push(batch);
        self.wire.sort();
    }

    fn recall(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        let doubtful = worker.doubtful.take();
        if self.database.sessions[worker.session] == Session::Shut {
            return;
        }
        let found = self.database.receipts.iter().find(|(id, _)| Some(*id) == doubtful);
        worker.held = found.map(|(_, steps)| steps.clone()).unwrap_or_default();
    }

    fn pass_end(&mut self, session: usize) {
        self.left.late_renewals -= u8::from(self.is_owned(session));
        self.database.sessions[session] = Session::PastEnd;
    }

    fn apply(&mut self, model: &Protocol, action: Action) -> Option<()> {
        match action {
            Action::Claim(at, limit) => self.claim(model, at, limit, true)?,
            Action::ClaimUnheard(at) => {
                self.left.lost_answers -= 1;
                self.claim(model, at, 2, false)?;
            }
            Action::Recall(at) if model.recalls => self.recall(at),
            Action::Recall(at) => self.workers[at].doubtful = None,
            Action::Report(at, ends) => self.report(at, &ends),
            Action::Begin(at) => {
                let done = self.database.rows.iter().map(|row| row.state.satisfies_children()).collect();
                self.workers[at].sending.as_mut()?.snapshot = Some(done);
            }
            Action::Commit(at) => {
                let batch = self.workers[at].sending.take()?;
                self.database.settle(model, &batch);
            }
            Action::LoseAnswer(at) => {
                self.left.lost_answers -= 1;
                let batch = self.workers[at].sending.clone()?;
                self.send(batch);
            }
            Action::Arrive(at) => {
                let batch = self.wire.remove(at);
                self.database.settle(model, &batch);
            }
            Action::Due(at) => self.database.make_due(at),
            Action::PassEnd(session) => self.pass_end(session),
            Action::Renew(at) => self.database.sessions[self.workers[at].session] = Session::Live,
            Action::ShutOut(session) => self.database.sessions[session] = Session::Shut,
            Action::Recover(at) => self.database.recover(at),
            Action::Reopen(at) => self.start_anew(at),
            Action::Die(at) => {
                self.left.deaths -= 1;
                self.start_anew(at);
            }
            Action::Operate(number) => {
                self.left.operations.retain(|left| *left != number);
                self.database.operate(model, &model.operations[number])?;
            }
        }
        Some(())
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let workers = vec![Worker::new(0), Worker::new(1)];
        vec![World { database: Database::new(self), workers, wire: Vec::new(), left: self.troubles.clone() }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for at in 0..world.workers.len() {
            self.of_worker(world, at, actions);
        }
        self.of_database(world, actions);
        actions.extend(world.left.operations.iter().copied().map(Action::Operate));
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.apply(self, action)?;
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(ONE_PLACE, |_, world: &World| is_each_in_one_place(&world.database)),
            Property::always(COUNTERS, |model, world: &World| do_counters_agree(model, &world.database)),
            Property::always(PROGRESS, is_at_rest_or_goes_on),
            Property::always(ALL_DONE, |_, world: &World| is_complete_whole(&world.database)),
            Property::always(ONE_RESULT, |_, world: &World| {
                world.database.seen.results.iter().all(|&results| results <= 1)
            }),
            Property::always(NOTHING_LATE, |_, world: &World| !world.database.seen.late_recorded),
            Property::always(ONE_HOLDER, |_, world: &World| !world.database.seen.wrong_claim),
            Property::always(PARENTS_FIRST, |_, world: &World| !world.database.seen.early_start),
            Property::always(NOTHING_AFTER_END, |_, world: &World| !world.database.seen.after_end),
            // Without these the others might hold because nothing happens.
            Property::sometimes("a task completes", |_, world: &World| world.database.task == TaskState::Complete),
            Property::sometimes("a late report is refused", |_, world: &World| world.database.seen.refused),
        ];
        let Troubles { deaths, late_renewals, failures, .. } = self.troubles;
        if failures >= 2 || deaths + late_renewals >= 2 {
            let fails = |_: &Self, world: &World| world.database.failed > 0;
            properties.push(Property::sometimes("a step uses up a budget", fails));
        }
        properties
    }
}

pub const ONE_PLACE: &str = "an unfinished step is ready, held, on a timer or blocked: one of these";
pub const COUNTERS: &str = "counters say what the states say";
pub const PROGRESS: &str = "where nothing goes on by itself, the task ended or is paused";
pub const ALL_DONE: &str = "a complete task has done every step";
pub const ONE_RESULT: &str = "a run of a step has one result";
pub const NOTHING_LATE: &str = "no result of an old token is recorded";
pub const ONE_HOLDER: &str = "what is held or has ended is not claimed";
pub const PARENTS_FIRST: &str = "no step starts before its parents' results";
pub const NOTHING_AFTER_END: &str = "nothing starts or is recorded after the task's end";

fn is_each_in_one_place(database: &Database) -> bool {
    (0..).zip(&database.rows).all(|(step, row)| {
        let is_here = |claimed: &&Claimed| claimed.step == step;
        let mut queued = database.ready.iter().chain(&database.timers).filter(is_here);
        let wanted = row.state.is_unfinished() && row.waiting == 0 && !database.is_held(step);
        match queued.next() {
            Some(claimed) => wanted && claimed.token == row.token && queued.next().is_none(),
            None => !wanted,
        }
    })
}

fn is_complete_whole(database: &Database) -> bool {
    database.task != TaskState::Complete || database.rows.iter().all(|row| row.state.satisfies_children())
}

fn do_counters_agree(model: &Protocol, database: &Database) -> bool {
    let arrangement = Arrangement::of(&model.graph, &database.states(), database.task == TaskState::Paused);
    let mut rows = database.rows.iter().zip(&arrangement.waiting);
    rows.all(|(row, &waiting)| !row.state.is_unfinished() || row.waiting == waiting)
        && (database.live, database.failed) == (arrangement.live, arrangement.failed)
}

/// No run is endless ([`crate::is_acyclic`]), so each comes to a state where nothing goes on by itself. Stateright's
/// own `eventually` would miss some: it does not look twice at a state that two ways lead to.
fn is_at_rest_or_goes_on(model: &Protocol, world: &World) -> bool {
    let mut actions = Vec::new();
    model.actions(world, &mut actions);
    let task = world.database.task;
    task.is_ended() || task == TaskState::Paused || actions.iter().any(|action| action.is_certain(world))
}

//! The world of the model: one task in a database, two workers, and what is on its way between them.
//!
//! Each method of [`Database`] is one committed transaction. What becomes of a step or a task is asked of
//! `domain`; here stands only what the primitives of `storage::Tx` do with the answers.

use tasker_core::domain::id::{TaskId, Token};
use tasker_core::domain::operation::{Arrangement, Change, Operation, Standing, StepStanding, TaskOperation, decide};
use tasker_core::domain::retry::attempts_left;
use tasker_core::domain::state::{StepEvent, StepState, TaskEvent, TaskState};

use crate::protocol::{Fence, Protocol, Release};

const RETRY_LIMIT: u16 = 2;
const CRASH_BUDGET: u16 = 2;

/// A step's row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub state: StepState,
    pub token: i32,
    pub attempts: u16,
    pub crashes: u16,
    pub waiting: i32,
}

/// A step as the queue, a receipt and its worker know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claimed {
    pub step: u32,
    pub token: i32,
    pub attempts: u16,
}

/// Which claim of which session.
pub type ReceiptId = (usize, u8);

/// A session; its end is the model's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Session {
    Live,
    PastEnd,
    Shut,
}

/// What is reported in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Batch {
    pub session: usize,
    pub reports: Vec<(Claimed, bool)>,
    pub finished: Option<ReceiptId>,
    /// The steps that a look-back sees as done, once its transaction has begun.
    pub snapshot: Option<Vec<bool>>,
}

/// What happened that no later state would tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    pub results: Vec<u8>,
    pub refused: bool,
    pub late_recorded: bool,
    pub wrong_claim: bool,
    pub early_start: bool,
    pub after_end: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Database {
    pub rows: Vec<Row>,
    pub ready: Vec<Claimed>,
    pub timers: Vec<Claimed>,
    pub receipts: Vec<(ReceiptId, Vec<Claimed>)>,
    pub sessions: Vec<Session>,
    pub task: TaskState,
    pub started: bool,
    pub live: i32,
    pub failed: i32,
    pub seen: Seen,
}

/// A worker process. It has one transaction under way at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Worker {
    pub session: usize,
    pub claims: u8,
    pub held: Vec<Claimed>,
    pub sending: Option<Batch>,
    /// A claim of which no answer came.
    pub doubtful: Option<ReceiptId>,
}

impl Worker {
    pub fn new(session: usize) -> Self {
        Self { session, claims: 0, held: Vec::new(), sending: None, doubtful: None }
    }

    pub fn is_idle(&self) -> bool {
        self.held.is_empty() && self.sending.is_none() && self.doubtful.is_none()
    }
}

impl Database {
    pub fn new(model: &Protocol) -> Self {
        let states = vec![StepState::Pending; model.graph.len()];
        let arrangement = Arrangement::of(&model.graph, &states, false);
        let rows = arrangement.waiting.iter().map(|&waiting| Row {
            state: StepState::Pending,
            token: 0,
            attempts: 0,
            crashes: 0,
            waiting,
        });
        Self {
            rows: rows.collect(),
            ready: arrangement.runnable.iter().map(|&step| Claimed { step, token: 0, attempts: 0 }).collect(),
            timers: Vec::new(),
            receipts: Vec::new(),
            sessions: vec![Session::Live; 2],
            task: TaskState::Pending,
            started: false,
            live: arrangement.live,
            failed: 0,
            seen: Seen { results: vec![0; model.graph.len()], ..Seen::default() },
        }
    }

    fn row(&mut self, step: u32) -> &mut Row {
        &mut self.rows[step as usize]
    }

    /// Whether somebody's receipt names the step under the token that it has.
    pub fn is_held(&self, step: u32) -> bool {
        let row = &self.rows[step as usize];
        let names = |held: &Claimed| held.step == step && held.token == row.token;
        row.state.is_unfinished() && self.receipts.iter().any(|(_, steps)| steps.iter().any(names))
    }

    /// The states of the steps; that one is in progress, only receipts tell.
    pub fn states(&self) -> Vec<StepState> {
        let state = |(step, row): (u32, &Row)| if self.is_held(step) { StepState::InProgress } else { row.state };
        (0..).zip(&self.rows).map(state).collect()
    }

    /// The claim of a `Settle`: takes ready steps. `None` where the session was shut out.
    pub fn claim(&mut self, model: &Protocol, id: ReceiptId, limit: usize) -> Option<Vec<Claimed>> {
        if self.sessions[id.0] == Session::Shut {
            return None;
        }
        let taken: Vec<Claimed> = self.ready.drain(..limit.min(self.ready.len())).collect();
        let states = self.states();
        for claimed in &taken {
            let parents = model.graph.parents(claimed.step);
            self.seen.early_start |= !parents.iter().all(|&parent| states[parent as usize].satisfies_children());
            self.seen.after_end |= self.task.is_ended();
            self.seen.wrong_claim |= states[claimed.step as usize].settle(StepEvent::Claim).is_err();
        }
        self.receipts.push((id, taken.clone()));
        self.receipts.sort();
        self.started = true;
        self.touch(true, 0, 0);
        Some(taken)
    }

    /// The reports of a `Settle`. Nothing where the session was shut out.
    pub fn settle(&mut self, model: &Protocol, batch: &Batch) {
        if self.sessions[batch.session] == Session::Shut {
            self.seen.refused = true;
            return;
        }
        let (mut live, mut failed, mut done) = (0, 0, Vec::new());
        for &(claimed, succeeded) in &batch.reports {
            if !model.fence.holds(self.row(claimed.step), claimed) {
                self.seen.refused = true;
                continue;
            }
            self.seen.late_recorded |= self.row(claimed.step).token != claimed.token;
            self.seen.after_end |= self.task.is_ended();
            let used = claimed.attempts + 1;
            let event = match succeeded {
                true => StepEvent::Succeed,
                false => StepEvent::Fail { attempts_left: attempts_left(used, true, RETRY_LIMIT) },
            };
            let to = StepState::InProgress.settle(event).expect("a held step may end");
            self.row(claimed.step).attempts = used;
            let stays = self.move_on(claimed.step, to);
            live -= i32::from(!stays);
            failed += i32::from(to == StepState::Error);
            if to.satisfies_children() {
                self.seen.results[claimed.step as usize] += 1;
                done.push(claimed.step);
            }
        }
        live += self.release(model, &done, batch.snapshot.as_deref());
        self.receipts.retain(|(id, _)| Some(*id) != batch.finished);
        self.touch(false, live, failed);
    }

    /// Moves a step out of its worker's hands; whether it is still ready or on a timer. One that waits for the
    /// end of a pause is parked.
    fn move_on(&mut self, step: u32, to: StepState) -> bool {
        let row = self.row(step);
        (row.state, row.token) = (to, Token(row.token).next().0);
        let stays = to.is_unfinished() && row.waiting == 0;
        if stays {
            self.queue(step);
        }
        stays
    }

    fn queue(&mut self, step: u32) {
        let row = &self.rows[step as usize];
        let place = if row.state == StepState::WaitingForRetry { &mut self.timers } else { &mut self.ready };
        place.push(Claimed { step, token: row.token, attempts: row.attempts });
        place.sort();
    }

    /// Takes finished parents off their children's counters; how many children became ready.
    fn release(&mut self, model: &Protocol, done: &[u32], snapshot: Option<&[bool]>) -> i32 {
        let before = self.ready.len();
        let mut children: Vec<u32> = done.iter().flat_map(|&step| model.graph.children(step)).copied().collect();
        children.sort_unstable();
        children.dedup();
        children.retain(|&child| self.rows[child as usize].state == StepState::Pending);
        for child in children {
            let parents = model.graph.parents(child);
            self.row(child).waiting -= parents.iter().filter(|parent| done.contains(parent)).count() as i32;
            let is_free = match (model.release, snapshot) {
                (Release::LookBack, Some(seen)) => {
                    parents.iter().all(|parent| seen[*parent as usize] || done.contains(parent))
                }
                (Release::AnyParent, _) => true,
                _ => self.rows[child as usize].waiting == 0,
            };
            if is_free {
                self.queue(child);
            }
        }
        (self.ready.len() - before) as i32
    }

    /// What `Tx::touch_tasks` does.
    fn touch(&mut self, start: bool, live: i32, failed: i32) {
        self.live += live;
        self.failed += failed;
        if start {
            self.task = self.task.settle(TaskEvent::Start).unwrap_or(self.task);
        }
        if self.live == 0 {
            let rest = if self.failed > 0 { TaskEvent::Stall } else { TaskEvent::Finish };
            self.task = self.task.settle(rest).unwrap_or(self.task);
        }
    }

    /// `Recover`: returns what a session held that was shut out.
    pub fn recover(&mut self, at: usize) {
        let (_, steps) = self.receipts[at].clone();
        let (mut live, mut failed) = (0, 0);
        for claimed in steps {
            let row = self.row(claimed.step);
            if row.token != claimed.token || !row.state.is_unfinished() {
                continue;
            }
            row.crashes += 1;
            let event = StepEvent::LoseLease { crashes_left: row.crashes < CRASH_BUDGET };
            let to = StepState::InProgress.settle(event).expect("a held step may be lost");
            let stays = self.move_on(claimed.step, to);
            live -= i32::from(!stays);
            failed += i32::from(to == StepState::Error);
        }
        self.receipts.remove(at);
        self.touch(false, live, failed);
    }

    /// A timer that is due.
    pub fn make_due(&mut self, at: usize) {
        let due = self.timers.remove(at);
        self.ready.push(due);
        self.ready.sort();
    }

    /// `Operate`; `None` where it is refused or changes nothing.
    pub fn operate(&mut self, model: &Protocol, operation: &TaskOperation) -> Option<()> {
        let states = self.states();
        let step = |&state| StepStanding { state, result: None, route: None, bypassed: false, group: None };
        let steps: Vec<StepStanding> = states.iter().map(step).collect();
        let standing = Standing {
            graph: &model.graph,
            state: self.task,
            started: self.started,
            priority: None,
            queue: None,
            branches: &model.branches,
            steps: &steps,
        };
        let operation = Operation::Task(operation.clone());
        let change = decide(TaskId(uuid::Uuid::nil()), &standing, &operation, |_| "".into()).ok()??;
        self.place(change);
        Some(())
    }

    fn place(&mut self, change: Change) {
        for (step, to) in change.steps {
            self.seen.results[step as usize] *= u8::from(to != StepState::Pending);
            let row = self.row(step);
            (row.state, row.token) = (to, Token(row.token).next().0);
            if to == StepState::Pending {
                (row.attempts, row.crashes) = (0, 0);
            }
        }
        for (row, waiting) in self.rows.iter_mut().zip(change.arrangement.waiting) {
            if row.state.is_unfinished() {
                row.waiting = waiting;
            }
        }
        self.ready.clear();
        self.timers.clear();
        for step in change.arrangement.runnable {
            self.queue(step);
        }
        self.task = change.task.last().copied().unwrap_or(self.task);
        (self.live, self.failed) = (change.arrangement.live, change.arrangement.failed);
        self.started |= change.starts;
    }
}

impl Fence {
    /// Whether a report on what was claimed so is recorded.
    fn holds(self, row: &Row, claimed: Claimed) -> bool {
        match self {
            Self::Token => row.state.is_unfinished() && row.token == claimed.token,
            Self::Attempt => row.state.is_unfinished() && row.attempts == claimed.attempts,
            Self::StateOnly => row.state.is_unfinished(),
            Self::None => true,
        }
    }
}

//! Tasks on their way to the database. What callers ask for while one transaction creates is created by the next, one
//! for all of them, so that many who create at once cost few commits and few statements; a lone one waits for
//! nobody. What a caller asks for is a part: it is created whole or not at all, and where it is refused it fails
//! alone. Large parts have transactions of their own, beside those, and all have where the store commits together
//! what it is asked for at once.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::Engine;
use super::error::{EngineError, Result};
use super::transactions::create::{Create, Created, Taker, TaskPlan};
use super::worker::Worker;
use crate::domain::id::{ReceiptId, SessionKey, TaskId};
use crate::domain::time::Timestamp;
use crate::fault_point;
use crate::panics::caught;
use crate::storage::{self, Store, StoreError};

/// The most that one transaction takes of what has gathered, in steps: a kilobyte of context counts as one more. It
/// bounds how long the first of them waits for the last.
pub(super) const MOST: usize = 2_000;

/// The most that a part may weigh to be gathered with others: one that is larger gains nothing by it.
const LIGHT: usize = 200;

const GIVEN_UP: &str = "the process ends, and gave up what was to be created";

/// What [`Engine::create`] made.
#[derive(Debug)]
pub struct NewTasks {
    /// For each plan in order: the task, which is another one than planned where a key was taken.
    pub ids: Vec<TaskId>,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// Those of them that are in progress already: an idle worker of this process took their first steps.
    pub started: HashSet<TaskId>,
    /// Since when those are.
    pub claimed_at: Timestamp,
}

/// See the module.
#[derive(Default)]
pub(super) struct Creations(Mutex<Line>);

#[derive(Default)]
struct Line {
    waiting: VecDeque<Part>,
    /// Whether somebody has the turn.
    taken: bool,
}

/// What one caller asks for, while it waits for others' transaction to end.
struct Part {
    tasks: Arc<[TaskPlan]>,
    weight: usize,
    made: oneshot::Sender<storage::Result<NewTasks>>,
}

impl Engine {
    /// Creates tasks in one transaction, all or none.
    ///
    /// # Errors
    /// [`EngineError::Duplicate`] when a key is taken; [`EngineError::Repeated`] when two of them have the same.
    pub async fn create(self: &Arc<Self>, tasks: Vec<TaskPlan>) -> Result<NewTasks> {
        let weight = tasks.iter().map(TaskPlan::weight).sum();
        let tasks = Arc::from(tasks);
        if weight > LIGHT || self.store.commits_together() {
            return self.make_alone(tasks).await;
        }
        match self.creations.join(&tasks, weight) {
            Some(answer) => Ok(answer.await.map_err(|_| EngineError::internal(GIVEN_UP))??),
            None => {
                let _turn = Turn::new(self);
                self.make_alone(tasks).await
            }
        }
    }

    async fn make_alone(&self, tasks: Arc<[TaskPlan]>) -> Result<NewTasks> {
        let made = self.commit(vec![tasks]).await?.pop();
        Ok(made.ok_or_else(|| EngineError::internal("nothing is said of what was to be created"))??)
    }

    /// Creates the parts in one transaction; gives what is to be told. Where one of them may be at fault, they are tried
    /// again in halves, until it is alone.
    async fn make(&self, parts: Vec<Part>) -> Answers {
        let mut groups = vec![parts];
        while let Some(mut group) = groups.pop() {
            let tasks = group.iter().map(|part| part.tasks.clone()).collect();
            let answers = match caught(self.commit(tasks)).await.unwrap_or_else(|panic| Err(panic.into())) {
                Ok(made) => Answers(group.into_iter().zip(made).collect()),
                Err(error) if group.len() > 1 && may_be_of_one(&error) => {
                    let second = group.split_off(group.len() / 2);
                    groups.extend([second, group]);
                    continue;
                }
                Err(error) => Answers(group.into_iter().map(|part| (part, Err(error.clone()))).collect()),
            };
            if groups.is_empty() {
                return answers;
            }
            answers.tell();
        }
        Answers::default()
    }

    /// Creates the parts; gives what came of each.
    async fn commit(&self, parts: Vec<Arc<[TaskPlan]>>) -> storage::Result<Vec<storage::Result<NewTasks>>> {
        let mut reservation = self.reserve();
        let taker = reservation.as_ref().map(|reservation| Taker {
            session: reservation.session,
            receipt: reservation.receipt,
            lanes: reservation.worker.lanes(),
            limit: reservation.hands,
        });
        let outcome = self.store.write(Create { parts, taker, catalog: self.catalog.clone() }).await;
        if let (Some(reservation), Err(error)) = (&mut reservation, &outcome) {
            // After any other failure nothing was written.
            reservation.doubtful = error.is_doubtful();
        }
        let Created { made, at, started, claimed_at, taken, made_ready, lanes } = outcome?;
        fault_point!(Created);
        self.catalog.keep_lanes(lanes);
        if let Some(reservation) = &mut reservation {
            reservation.worker.receive(reservation.session, taken);
            reservation.doubtful = false;
        }
        if made_ready {
            self.ready_for_others();
        }
        let tasks_of = |ids: Vec<TaskId>| {
            let started = ids.iter().copied().filter(|id| started.contains(id)).collect();
            NewTasks { ids, at, started, claimed_at }
        };
        Ok(made.into_iter().map(|part| part.map(tasks_of)).collect())
    }

    /// The free hands of an idle worker of this process, for what is being created.
    fn reserve(&self) -> Option<Reservation> {
        let workers: Vec<Arc<Worker>> = self.workers.lock().iter().filter_map(Weak::upgrade).collect();
        workers.into_iter().find_map(|worker| {
            let hands = worker.reserve_idle()?;
            let (session, receipt) = (worker.session(), ReceiptId::generate());
            Some(Reservation { worker, hands, session, receipt, doubtful: true })
        })
    }
}

/// Whether the cause may be in one part only, and the others can be created without it.
pub(super) fn may_be_of_one(error: &StoreError) -> bool {
    use StoreError::{Data, Database, Duplicate, Repeated, TemplateGone};
    matches!(error, Data(_) | Database(_) | Duplicate { .. } | Repeated(_) | TemplateGone)
}

/// Creates what has gathered, until nothing has. Those of a transaction are answered while the next is under way, which
/// so does not wait for that.
async fn serve(engine: Arc<Engine>) {
    let _turn = Turn::new(&engine);
    let mut answers = Answers::default();
    loop {
        let group = engine.creations.0.lock().next_group();
        if group.is_empty() {
            return answers.tell();
        }
        (answers, ()) = tokio::join!(engine.make(group), async { answers.tell() });
    }
}

impl Creations {
    /// A place among those that wait for the next transaction, with what its answer comes by; `None` where nobody is at
    /// it: then the turn is the caller's.
    fn join(&self, tasks: &Arc<[TaskPlan]>, weight: usize) -> Option<oneshot::Receiver<storage::Result<NewTasks>>> {
        let mut line = self.0.lock();
        std::mem::replace(&mut line.taken, true).then(|| {
            let (made, answer) = oneshot::channel();
            line.waiting.push_back(Part { tasks: tasks.clone(), weight, made });
            answer
        })
    }
}

/// The turn of whoever creates: of a caller that found nobody else at it, for itself alone; then of a task of its own,
/// since callers may be cancelled. However it ends, what has gathered meanwhile is next.
struct Turn<'a> {
    engine: &'a Arc<Engine>,
    runtime: Handle,
}

impl<'a> Turn<'a> {
    fn new(engine: &'a Arc<Engine>) -> Self {
        Self { engine, runtime: Handle::current() }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut line = self.engine.creations.0.lock();
        line.taken = !line.waiting.is_empty();
        if line.taken {
            self.runtime.spawn(serve(self.engine.clone()));
        }
    }
}

impl Line {
    /// The first of those that still wait, as many as one transaction takes.
    fn next_group(&mut self) -> Vec<Part> {
        self.waiting.retain(|part| !part.made.is_closed());
        let mut weight = 0;
        let fits = |part: &&Part| {
            weight += part.weight;
            weight <= MOST
        };
        let count = self.waiting.iter().take_while(fits).count();
        self.waiting.drain(..count).collect()
    }
}

/// What came of parts.
#[derive(Default)]
struct Answers(Vec<(Part, storage::Result<NewTasks>)>);

impl Answers {
    fn tell(self) {
        for (part, made) in self.0 {
            // Nobody waits any more: what is made is made all the same.
            let _ = part.made.send(made);
        }
    }
}

/// Free hands of a worker, kept for one creation; given back however that ends.
struct Reservation {
    worker: Arc<Worker>,
    hands: usize,
    session: SessionKey,
    receipt: ReceiptId,
    /// Whether the receipt may have been written without anybody hearing of it, as far as is known.
    doubtful: bool,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.worker.unreserve(self.hands, self.doubtful.then_some((self.session, self.receipt)));
    }
}

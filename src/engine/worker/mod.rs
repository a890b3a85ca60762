//! Claimed steps in this process: handed to the host's threads, timed, and reported back.
//!
//! The host's threads call [`Worker::take`] and [`Worker::report`], which never block and never
//! touch the database. One loop ([`dispatcher`]) settles what was reported and claims what is
//! next. [`hands`] is the state that they share, with [`attempts`], what threads are running, and
//! [`receipts`], under which all of it is held; [`pace`] says how far ahead to claim, [`batch`] how much to record at
//! once, [`revocation`] finds what others have moved meanwhile, [`outputs`] holds results against their schemas, [`waited`] is
//! for hosts that run steps on the thread that waits for them.

mod attempts;
mod batch;
mod dispatcher;
mod hands;
mod outputs;
mod pace;
mod receipts;
mod revocation;
mod waited;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Engine;
use super::catalog::Registry;
use super::error::Result;
use super::events::{Event, EventKind};
use super::queues::Sources;
use super::transactions::intake::Assignment;
use super::transactions::look::LookOut;
use super::transactions::verdict::Outcome;
use crate::domain::id::{LaneId, ReceiptId, SessionKey};
use crate::domain::json::Json;
use crate::fault_point;
use crate::panics::caught;
use crate::storage::rows::{Checkpoint, Outlook, QueuePause};
use crate::storage::{Store, StoreError};
use crate::troubles::Trouble;
use hands::Hands;
pub use outputs::Breach;
use outputs::Breaches;
pub use waited::Prospect;

/// How long a worker that is stopped by force tries to settle what it holds.
const SETTLE_LIMIT: Duration = Duration::from_secs(4);
/// How long a worker's loop rests after a fault, the first time and at most.
const FIRST_REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(5);

/// Called, from any thread, when a host's thread that found nothing should look again.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What a worker is to do.
pub struct WorkerOptions {
    /// How many steps the host runs at once.
    pub threads: usize,
    /// The queues to work; all where `None`.
    pub queues: Option<Vec<String>>,
    /// Called when there may be something to take.
    pub wake: Wake,
    /// Called when there is something to interrupt, and at the end: see [`Worker::take_interrupts`].
    pub interrupt: Wake,
}

/// A step that a host's thread has taken.
#[derive(Clone)]
pub struct Ticket {
    /// Its number, to report it with.
    pub number: u64,
    /// The step.
    pub assignment: Arc<Assignment>,
    held_since: std::time::Instant,
}

impl Ticket {
    /// A step that came in now.
    pub fn new(number: u64, assignment: Assignment) -> Self {
        Self { number, assignment: Arc::new(assignment), held_since: std::time::Instant::now() }
    }

    /// A step that no thread has any more: its number is none that is known.
    fn given_back(assignment: Arc<Assignment>) -> Self {
        Self { number: u64::MAX, assignment, held_since: std::time::Instant::now() }
    }
}

/// What a worker has done and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerStats {
    /// Attempts that were reported or ran out of time.
    pub ran: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Reports that came too late and were dropped.
    pub late: u64,
    /// Steps claimed and not yet taken by a thread.
    pub queued: usize,
    /// Steps in the hands of threads.
    pub running: usize,
}

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It claims and runs.
    Working,
    /// It claims no more; what is running ends.
    Draining,
    /// Nothing is left to settle.
    Stopped,
}

/// A set of the host's threads that run claimed steps.
pub struct Worker {
    engine: Arc<Engine>,
    registry: Arc<Registry>,
    options: WorkerOptions,
    hands: Mutex<Hands>,
    breaches: Breaches,
    /// Wakes the dispatcher: a report came, hands became free, the phase changed.
    stir: Notify,
    phase: watch::Sender<Phase>,
    /// Whether a test moved the database's clock since the loop last looked.
    clock_moved: AtomicBool,
    /// Whether it is to claim nothing for the time being.
    quiet: AtomicBool,
}

impl Worker {
    /// Opens this process's session and starts to claim what `registry` can run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start(engine: Arc<Engine>, registry: Arc<Registry>, options: WorkerOptions) -> Result<Arc<Self>> {
        let session = engine.session().await?;
        let hands = Mutex::new(Hands::new(session, options.threads, options.interrupt.clone(), engine.meters.clone()));
        let phase = watch::Sender::new(Phase::Working);
        let worker = Arc::new(Self {
            engine,
            registry,
            options,
            hands,
            breaches: Breaches::default(),
            stir: Notify::new(),
            phase,
            clock_moved: AtomicBool::new(false),
            quiet: AtomicBool::new(false),
        });
        worker.look_up_lanes().await?;
        worker.engine.enlist(&worker);
        worker.engine.events.tell(EventKind::WorkerStarted, |event| Event { session: Some(session.id), ..event });
        tokio::spawn(worker.clone().serve());
        Ok(worker)
    }

    /// Runs the loop. Without it nothing would be settled any more, so that it begins again after a
    /// fault: under a new session, because what was in its hands then is nowhere.
    async fn serve(self: Arc<Self>) {
        let mut pause = FIRST_REST;
        while let Err(panic) = caught(dispatcher::run(self.clone())).await {
            self.engine.troubles().fault("a worker's loop", panic);
            let lost = self.lose_session();
            self.engine.expire(lost).await;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_REST);
        }
    }

    /// Says that it has ended: first to those who listen, for whoever waits for the end may close
    /// the database next.
    fn end(&self) {
        let session = self.session().id;
        self.phase.send_if_modified(|phase| {
            if *phase == Phase::Stopped {
                return false;
            }
            let stopped = |event| Event { session: Some(session), ..event };
            self.engine.events.tell(EventKind::WorkerStopped, stopped);
            *phase = Phase::Stopped;
            true
        });
        (self.options.interrupt)();
    }

    /// Ends the worker though not everything was settled.
    fn abandon(&self) {
        self.lose_session();
        self.end();
        self.stir.notify_one();
    }

    /// Gives up everything that is held, and its session: when that has expired, it is returned.
    fn lose_session(&self) -> SessionKey {
        let session = {
            let mut hands = self.hands.lock();
            let session = hands.session;
            self.engine.keeper.lose(session);
            hands.start_over(session);
            session
        };
        // Other workers of this process start over under a new session.
        self.engine.ring();
        session
    }

    /// Has the loop look at once for what has fallen due by a clock that was moved.
    pub(super) fn clock_moved(&self) {
        self.clock_moved.store(true, Ordering::Relaxed);
        self.stir.notify_one();
    }

    /// Takes the next claimed step, if there is one. Its timeout starts now.
    pub fn take(&self) -> Option<Ticket> {
        let mut hands = self.hands.lock();
        // What a settlement under way still brings to a worker that stops is given back.
        if self.phase() != Phase::Working || !self.engine.keeper.is_fresh(hands.session, self.engine.options.lease) {
            return None;
        }
        let ticket = hands.take()?;
        let wanted = hands.wants_round();
        drop(hands);
        if wanted {
            self.stir.notify_one();
        }
        Some(ticket)
    }

    /// Says what became of a step that was taken. Returns at once; false when the report is late:
    /// the step ran out of time or belongs to somebody else by now.
    pub fn report(&self, number: u64, outcome: Outcome) -> bool {
        let mut hands = self.hands.lock();
        let in_time = hands.report(number, outcome);
        let wanted = hands.wants_round();
        drop(hands);
        if wanted || self.phase() != Phase::Working {
            self.stir.notify_one();
        }
        in_time
    }

    /// The attempts whose handlers the host is to interrupt, each once: their steps ask for it, and
    /// nothing that they report is recorded any more.
    pub fn take_interrupts(&self) -> Vec<u64> {
        self.hands.lock().attempts().take_interrupts()
    }

    /// Says that the thread is back from an attempt that was taken from it, and has nothing to report;
    /// false, and nothing is done, when the attempt is still the thread's.
    pub fn came_back(&self, number: u64) -> bool {
        let was_lost = self.hands.lock().attempts().came_back(number);
        self.stir.notify_one();
        was_lost
    }

    /// Starts a running step's timeout anew; false when it has run out already.
    pub fn heartbeat(&self, number: u64) -> bool {
        self.hands.lock().attempts().heartbeat(number)
    }

    /// Saves what the step's next attempt is to find, durably when this ends. Nothing is saved, and
    /// it is false, when the step was taken from its thread or its time is over.
    ///
    /// # Errors
    /// When the database fails, or refuses the value.
    pub async fn checkpoint(&self, number: u64, value: Json) -> Result<bool> {
        let claim = {
            let mut hands = self.hands.lock();
            let attempts = hands.attempts();
            let held = attempts.assignment(number).filter(|_| !attempts.is_expired(number));
            held.map(|held| (held.row.key, held.row.token))
        };
        let Some((key, token)) = claim else { return Ok(false) };
        let saved = self.engine.checkpoints.save(&self.engine.store, Checkpoint { key, token, value }).await?;
        if !saved {
            self.hands.lock().take_away(&HashSet::from([number]));
            self.stir.notify_one();
        }
        Ok(saved)
    }

    /// Whether the time of an attempt that a thread still runs is over.
    pub fn is_expired(&self, number: u64) -> bool {
        self.hands.lock().attempts().is_expired(number)
    }

    /// Whether a step that a thread still runs was taken from it for another reason: it was moved by
    /// hand, its task ended, or this worker gave it up or lost its lease.
    pub fn is_taken_away(&self, number: u64) -> bool {
        self.hands.lock().attempts().is_taken_away(number)
    }

    /// Has it claim nothing from now on, and give back what no thread has taken; what is running goes on and is
    /// recorded. Or has it claim again.
    pub fn set_quiet(&self, quiet: bool) {
        self.quiet.store(quiet, Ordering::Relaxed);
        if quiet {
            self.hands.lock().work_lanes(Vec::new());
        }
        // Its loop looks the lanes up.
        self.stir.notify_one();
    }

    /// Whether it was told to claim nothing for the time being.
    pub fn is_quiet(&self) -> bool {
        self.quiet.load(Ordering::Relaxed)
    }

    /// Whether it takes what is ready.
    pub fn claims(&self) -> bool {
        self.phase() == Phase::Working && !self.is_quiet()
    }

    /// How many steps the host runs at once.
    pub fn threads(&self) -> usize {
        self.options.threads
    }

    /// Where the worker is in its life.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// What it has done and holds.
    pub fn stats(&self) -> WorkerStats {
        self.hands.lock().stats()
    }

    /// What went wrong in the background since the last call.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.engine.troubles().take()
    }

    /// Claims no more and gives back what no thread has taken; what is running may end within
    /// `timeout`, after which it is given back too and its late results are refused. A database
    /// that cannot be reached keeps nobody from stopping: then the lease's end gives it back.
    pub async fn stop(&self, timeout: Duration) {
        self.phase.send_if_modified(|phase| {
            let working = *phase == Phase::Working;
            if working {
                *phase = Phase::Draining;
            }
            working
        });
        self.hands.lock().release_queued();
        self.stir.notify_one();
        (self.options.wake)();
        let mut phase = self.phase.subscribe();
        let stopped = phase.wait_for(|phase| *phase == Phase::Stopped);
        if tokio::time::timeout(timeout, stopped).await.is_err() {
            self.hands.lock().release_running();
            self.stir.notify_one();
            let mut phase = self.phase.subscribe();
            let stopped = phase.wait_for(|phase| *phase == Phase::Stopped);
            if tokio::time::timeout(SETTLE_LIMIT, stopped).await.is_err() {
                self.engine.troubles().add("a worker stopped before it could give back what it held; its lease will");
                self.abandon();
            }
        }
        (self.options.wake)();
    }

    /// Waits until nothing is ready, held by anyone or waiting for a retry among the worker's
    /// lanes, and no timer is overdue; false when `timeout` ends first.
    ///
    /// # Errors
    /// When the database fails for good.
    pub async fn until_idle(&self, timeout: Option<Duration>) -> Result<bool> {
        let idle = self.idle();
        match timeout {
            None => idle.await.map(|()| true),
            Some(limit) => tokio::time::timeout(limit, idle).await.map_or(Ok(false), |done| done.map(|()| true)),
        }
    }

    async fn idle(&self) -> Result<()> {
        const LOOK_AGAIN: Duration = Duration::from_millis(100);
        let mut wakeups = self.engine.store.wakeups();
        loop {
            self.until_empty_handed().await;
            if self.phase() != Phase::Working {
                return Ok(());
            }
            // A lane that was made a moment ago counts, though the loop has not met it yet.
            let looked_up = self.look_up_lanes().await;
            match self.outlook().await.and_then(|(outlook, _)| looked_up.map(|_| outlook)) {
                Ok(Outlook {
                    ready: false,
                    held: false,
                    retrying: false,
                    parked: false,
                    outbox: false,
                    next_due_us,
                    ..
                }) if next_due_us != Some(0) && self.is_empty_handed() => {
                    return Ok(());
                }
                Ok(outlook) => {
                    if outlook.ready {
                        self.hands.lock().hear_of_work();
                        self.stir.notify_one();
                    }
                    if outlook.next_due_us == Some(0) {
                        // The loop looks at the timers, too.
                        self.expect_work();
                        self.clock_moved();
                    }
                    if outlook.outbox {
                        self.engine.expand_beside();
                    }
                    let due = outlook.next_due_us.map_or(LOOK_AGAIN, Duration::from_micros);
                    let deadline = Instant::now() + due.clamp(Duration::from_millis(5), LOOK_AGAIN);
                    tokio::select! {
                        () = tokio::time::sleep_until(deadline) => {}
                        changed = wakeups.changed() => if changed.is_err() { tokio::time::sleep_until(deadline).await },
                    }
                }
                Err(error) if error.is_retryable() => tokio::time::sleep(LOOK_AGAIN).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until this worker holds nothing.
    async fn until_empty_handed(&self) {
        let mut changes = self.hands.lock().settled.subscribe();
        while !self.is_empty_handed() && self.phase() == Phase::Working {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn is_empty_handed(&self) -> bool {
        self.hands.lock().is_empty()
    }

    async fn outlook(&self) -> Result<(Outlook, Vec<QueuePause>), StoreError> {
        let lanes: Vec<LaneId> = self.lanes().into_iter().collect();
        self.engine.store.read(LookOut { lanes }).await
    }

    fn expect_work(&self) {
        self.hands.lock().expect_work();
        self.stir.notify_one();
    }

    /// Reads which lanes the registered templates have now, and gives the pauses that leave some out.
    async fn look_up_lanes(&self) -> Result<Vec<QueuePause>, StoreError> {
        let Sources { lanes, pauses } = self.engine.sources(&self.registry, self.options.queues.as_deref()).await?;
        self.hands.lock().work_lanes(if self.is_quiet() { Vec::new() } else { lanes });
        self.stir.notify_one();
        Ok(pauses)
    }

    pub(super) fn session(&self) -> SessionKey {
        self.hands.lock().session
    }

    pub(super) fn lanes(&self) -> HashSet<LaneId> {
        self.hands.lock().lanes.clone()
    }

    /// Reserves the free hands for a task that is being created, when this worker waits for work.
    pub(super) fn reserve_idle(&self) -> Option<usize> {
        // Under one lock, because its loop ends where nothing is reserved: what is reserved after that nobody gives back.
        let mut hands = self.hands.lock();
        if !self.claims() {
            return None;
        }
        fault_point!(Reserving or panic);
        hands.reserve_idle()
    }

    /// Gives back a reservation; what came of it was received before. A `doubtful` receipt may have
    /// been written, though no answer tells.
    pub(super) fn unreserve(&self, reserved: usize, doubtful: Option<(SessionKey, ReceiptId)>) {
        {
            let mut hands = self.hands.lock();
            hands.unreserve(reserved);
            if let Some((session, receipt)) = doubtful {
                hands.doubt(session, receipt);
            }
        }
        self.stir.notify_one();
    }

    /// Takes in steps that were claimed for this worker.
    pub(super) fn receive(&self, session: SessionKey, claimed: Vec<Assignment>) {
        if claimed.is_empty() {
            return;
        }
        self.hands.lock().receive(session, claimed);
        (self.options.wake)();
    }
}

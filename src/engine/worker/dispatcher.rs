//! The loop that settles what was reported and claims what is next: one transaction at a time, and
//! whatever gathers while it commits is the next batch. A lone report waits for nobody; a busy
//! stream fills its batches by itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::hands::Round;
use super::revocation::Watch;
use super::{Phase, Worker};
use crate::domain::id::{ReceiptId, SessionKey};
use crate::domain::json::Json;
use crate::engine::transactions::limits::Unpark;
use crate::engine::transactions::settle::{Claim, Settle, Settled};
use crate::engine::transactions::verdict::{Failure, Outcome};
use crate::fault_point;
use crate::storage::rows::QueuePause;
use crate::storage::{Store, StoreError};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Every how many polls to look for lanes that other processes made.
const LANES_EVERY: u32 = 5;

/// Versions of the templates, lanes and pauses that this process knows, and whether the worker is quiet.
type Known = (u64, u64, u64, bool);

/// When to look at the database though nothing asks for it.
struct Clock {
    poll_at: Instant,
    lanes_at: Instant,
    /// What was known when the lanes were last looked up.
    known: Known,
    /// The paused queues that the lanes were chosen by.
    pauses: Vec<QueuePause>,
    due_at: Option<Instant>,
    pause: Duration,
}

/// Runs until the worker is stopped and everything is settled.
pub(super) async fn run(worker: Arc<Worker>) {
    // Beside the loop, which may wait long for the database.
    tokio::select! {
        () = dispatch(&worker) => {}
        () = watch_time(&worker) => {}
    }
    worker.end();
    worker.hands.lock().changed();
    (worker.options.wake)();
}

/// Takes the steps whose time is over from their threads, for ever.
async fn watch_time(worker: &Worker) {
    let sooner = worker.hands.lock().attempts().sooner();
    loop {
        let (some, next) = {
            let mut hands = worker.hands.lock();
            (hands.time_out(), hands.attempts().watch())
        };
        if some {
            worker.stir.notify_one();
        }
        let over = async {
            match next {
                Some(next) => tokio::time::sleep_until(Instant::from_std(next)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sooner.notified() => {}
            () = over => {}
        }
    }
}

async fn dispatch(worker: &Arc<Worker>) {
    let engine = worker.engine.clone();
    let mut bell = engine.bell.subscribe();
    let mut wakeups = engine.store.wakeups();
    let mut revocations = engine.revocations.subscribe();
    let mut watch = Watch::new();
    let now = Instant::now();
    let known = worker.known();
    let mut clock = Clock {
        poll_at: now,
        lanes_at: now + engine.options.poll * LANES_EVERY,
        known,
        pauses: Vec::new(),
        due_at: None,
        pause: FIRST_PAUSE,
    };
    loop {
        if worker.known() != clock.known || clock.lanes_at <= Instant::now() {
            worker.refresh_lanes(&mut clock).await;
        }
        let now = Instant::now();
        if worker.clock_moved.swap(false, Ordering::Relaxed) {
            clock.poll_at = now;
        }
        let due = clock.due_at.is_some_and(|due| due <= now);
        // Here, and not only while there is nothing to do: a busy worker may never come to rest.
        let woken = heard(&mut wakeups);
        if heard(&mut bell) | woken | due {
            worker.hands.lock().hear_of_new_work();
        }
        watch.hear(woken, heard(&mut revocations));
        if worker.look_at(&watch).is_some_and(|at| at <= now) {
            worker.look_for_revoked(&mut watch).await;
        }
        let working = match worker.phase() {
            Phase::Working => true,
            Phase::Draining => false,
            Phase::Stopped => break,
        };
        if !working {
            worker.hands.lock().release_queued();
        }
        if let Some(attempt) = worker.next_attempt(working) {
            if let Err(error) = worker.attempt(attempt, &mut clock).await {
                if matches!(error, StoreError::Closed) {
                    break;
                }
                worker.engine.troubles().add(format!("a batch could not be settled and will be tried again: {error}"));
                (worker.options.wake)();
                tokio::time::sleep(clock.pause).await;
                clock.pause = (clock.pause * 2).min(LONGEST_PAUSE);
            }
            worker.poll(&mut clock).await;
            continue;
        }
        if !working && worker.is_empty_handed() {
            break;
        }
        // A timer that was due already waits for free hands.
        let due_at = clock.due_at.filter(|due| *due > now);
        let gathered =
            Some(Instant::from_std(worker.hands.lock().gathers_until())).filter(|until| working && *until > now);
        let wake_at = [Some(clock.poll_at), due_at, gathered, worker.look_at(&watch)];
        let wake_at = wake_at.into_iter().flatten().min().unwrap_or(clock.poll_at);
        tokio::select! {
            () = worker.stir.notified() => {}
            _ = bell.changed() => worker.hands.lock().expect_work(),
            changed = wakeups.changed() => match changed {
                Ok(()) => {
                    worker.hands.lock().expect_work();
                    watch.hear(true, false);
                }
                Err(_) => break,
            },
            _ = revocations.changed() => watch.hear(false, true),
            () = tokio::time::sleep_until(wake_at) => worker.poll(&mut clock).await,
        }
    }
}

/// What a turn of the loop is to do.
enum Attempt {
    /// Another process ended the session.
    StartOver(SessionKey),
    /// There is something to settle or to claim.
    Perform(Round),
}

/// Whether a signal was raised since it was last looked at.
fn heard(signal: &mut watch::Receiver<u64>) -> bool {
    let raised = signal.has_changed().unwrap_or(false);
    signal.mark_unchanged();
    raised
}

impl Worker {
    /// What there is to do now, if anything.
    fn next_attempt(&self, working: bool) -> Option<Attempt> {
        let mut hands = self.hands.lock();
        // Nothing else may tell: what is held under a lost session is never taken nor reported.
        if !self.engine.keeper.holds(hands.session) {
            return Some(Attempt::StartOver(hands.session));
        }
        hands.next_round(working).map(Attempt::Perform)
    }

    async fn attempt(self: &Arc<Self>, attempt: Attempt, clock: &mut Clock) -> Result<(), StoreError> {
        match attempt {
            Attempt::StartOver(lost) => self.start_over(lost).await,
            Attempt::Perform(round) => self.perform(round, clock).await,
        }
    }

    /// Looks at what may have become ready without anyone telling: polling is the truth.
    async fn poll(&self, clock: &mut Clock) {
        let now = Instant::now();
        if clock.poll_at > now {
            return;
        }
        clock.poll_at = now + self.engine.options.poll;
        if let Ok((outlook, pauses)) = self.outlook().await {
            if pauses != clock.pauses {
                clock.lanes_at = now;
            }
            clock.due_at = outlook.next_due_us.map(|us| Instant::now() + Duration::from_micros(us));
            if outlook.parked {
                self.unpark().await;
            }
            if outlook.outbox {
                self.engine.expand_beside();
            }
            if outlook.ready || outlook.next_due_us == Some(0) {
                self.hands.lock().hear_of_work();
            }
        }
    }

    /// Looks for steps that wait for their limit in vain. What cannot be done now is done the next time.
    async fn unpark(&self) {
        if let Ok(true) = self.engine.store.write(Unpark).await {
            self.engine.ready_for_others();
        }
    }

    fn known(&self) -> Known {
        let pauses = self.engine.pauses.load(Ordering::Relaxed);
        (self.registry.version(), self.engine.catalog.version(), pauses, self.is_quiet())
    }

    /// Looks up the lanes again: this process has met new ones, others may have made some, or a queue was
    /// paused or resumed.
    async fn refresh_lanes(&self, clock: &mut Clock) {
        clock.lanes_at = Instant::now() + self.engine.options.poll * LANES_EVERY;
        clock.known = self.known();
        // The next turn may fare better; until then the known lanes are worked.
        if let Ok(pauses) = self.look_up_lanes().await {
            clock.pauses = pauses;
        }
    }

    /// Commits one round. A round that fails goes back to the hands, to be tried again.
    async fn perform(self: &Arc<Self>, mut round: Round, clock: &mut Clock) -> Result<(), StoreError> {
        self.refuse_breaches(&mut round.reports);
        let Round { reports, limit, keep, look, session, .. } = &round;
        let receipt = ReceiptId::generate();
        let due = clock.due_at.is_some_and(|due| due <= Instant::now());
        let transaction = Settle {
            session: *session,
            reports: reports.clone(),
            finished_receipts: round.finished_receipts.clone(),
            doubtful: round.doubtful.clone(),
            claim: Claim {
                receipt,
                limit: *limit,
                keep: *keep,
                lanes: round.lanes.clone(),
                look: *look,
                look_due: *look && due,
                keep_from: round.keep_from,
            },
            catalog: self.engine.catalog.clone(),
        };
        match self.settle(transaction).await {
            Ok(settled) => {
                clock.pause = FIRST_PAUSE;
                if *look && due {
                    clock.due_at = None;
                    clock.poll_at = Instant::now();
                }
                self.settled(round, settled, clock);
                Ok(())
            }
            Err(StoreError::SessionLost) => {
                self.hands.lock().undo_round(round.reports);
                self.start_over(round.session).await
            }
            Err(StoreError::Data(why)) if !reports.is_empty() => {
                self.set_aside(round, &why.message);
                Ok(())
            }
            Err(error) => {
                let mut hands = self.hands.lock();
                hands.undo_round(round.reports);
                if error.is_doubtful() {
                    // It may have been committed. The tokens tell for the reports, this for the claim.
                    hands.doubt(round.session, receipt);
                }
                Err(error)
            }
        }
    }

    async fn settle(&self, transaction: Settle) -> Result<Settled, StoreError> {
        fault_point!(Dispatcher);
        self.engine.store.write(transaction).await
    }

    fn settled(&self, round: Round, settled: Settled, clock: &mut Clock) {
        fault_point!(Settled or panic);
        let engine = &self.engine;
        engine.catalog.keep_lanes(settled.lanes);
        let got_work = !settled.claimed.is_empty();
        {
            let mut hands = self.hands.lock();
            hands.receive(round.session, settled.claimed);
            hands.finish_round(&round, &settled.accepted);
            if round.look {
                hands.looked(&settled.taken, settled.more);
            }
        }
        if let Some(delay) = settled.next_retry {
            let due = Instant::now() + delay;
            clock.due_at = Some(clock.due_at.map_or(due, |known| known.min(due)));
        }
        if settled.made_ready {
            engine.ready_for_others();
        }
        engine.tasks_moved(&settled.moved);
        if got_work {
            (self.options.wake)();
        }
    }

    /// The database refused a value. First the reports are settled without claiming, which tells
    /// whether it is one of theirs; then a batch is halved until that one is found, and it fails for
    /// good.
    fn set_aside(&self, round: Round, why: &str) {
        let mut hands = self.hands.lock();
        let mut reports = round.reports;
        let count = reports.len();
        match reports.as_mut_slice() {
            _ if round.keep > 0 => hands.settle_alone(),
            [report] => report.outcome = Outcome::Failed(refused(why)),
            _ => hands.halve_batches(count),
        }
        hands.undo_round(reports);
    }

    /// Another process ended the session: what was held belongs to others.
    async fn start_over(self: &Arc<Self>, lost: SessionKey) -> Result<(), StoreError> {
        self.engine.session_ended(lost);
        let session = self.engine.session().await?;
        self.hands.lock().start_over(session);
        Ok(())
    }
}

/// The failure of a step whose result cannot be stored.
fn refused(why: &str) -> Failure {
    let error = Json::of(
        &serde_json::json!({ "class": "DataError", "message": format!("the result cannot be stored: {why}") }),
    );
    Failure { error: error.unwrap_or_else(|_| Json::empty_object()), permanent: true, retry_after: None }
}

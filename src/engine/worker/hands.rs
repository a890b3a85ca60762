//! What a worker holds in memory, between its dispatcher and the host's threads.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::attempts::{Attempts, Loss};
use super::batch::fitting;
use super::pace::{AHEAD, Pace};
use super::receipts::Receipts;
use super::{Ticket, Wake, WorkerStats};
use crate::domain::id::{LaneId, ReceiptId, SessionKey, StepKey, Token};
use crate::domain::json::Json;
use crate::domain::state::StepState;
use crate::engine::meters::Meters;
use crate::engine::transactions::intake::Assignment;
use crate::engine::transactions::settle::Report;
use crate::engine::transactions::verdict::{Failure, Outcome};
use crate::storage::rows::LaneCursor;

/// How often a lane is looked at from its beginning, where older tasks' steps may have returned.
const LOOK_FROM_START: Duration = Duration::from_secs(1);
/// The most reports that one transaction settles.
const BATCH: usize = 512;
/// How long reports gather at the most, while threads have more to do than a quarter of what may be held: a round for each
/// report would take more of the processors than short steps do. It is half of what is held ahead, so that a round which
/// takes as long again keeps no thread waiting.
const GATHER: Duration = Duration::from_millis(AHEAD.as_millis() as u64 / 2);
/// One in so many busy rounds sends released children through the ready table, so that other tasks
/// and higher priorities get their turn.
const FAIR_ROUND: u64 = 8;

/// See the module.
pub(super) struct Hands {
    pub(super) session: SessionKey,
    pub(super) lanes: HashSet<LaneId>,
    /// Changes whenever something was settled.
    pub(super) settled: watch::Sender<u64>,
    pace: Pace,
    queue: VecDeque<Ticket>,
    attempts: Attempts,
    reports: Vec<Report>,
    /// Reports that a transaction under way is recording.
    settling: usize,
    /// The most reports of the next round: fewer while a report that cannot be stored is looked for.
    batch: usize,
    /// Whether the next round claims nothing, to tell a report that cannot be stored from a claim.
    alone: bool,
    reserved: usize,
    /// How many steps a round under way may claim.
    claiming: usize,
    next_number: u64,
    receipts: Receipts,
    cursors: HashMap<LaneId, (i16, StepKey)>,
    from_start_at: Instant,
    expecting: bool,
    /// Whether steps became ready since a look from the lanes' beginnings was last begun: they may stand before the
    /// cursors.
    heard: bool,
    backlog: Option<i16>,
    round: u64,
    round_began: Instant,
    /// Whether a report is not to wait for others: what it frees may be waited for.
    urgent: bool,
    stats: WorkerStats,
    meters: Arc<Meters>,
}

/// A step that is held, and under which token.
#[derive(Clone, Copy)]
pub(super) struct Holding {
    pub(super) number: u64,
    pub(super) key: StepKey,
    pub(super) token: Token,
}

/// What the dispatcher is to do next.
pub(super) struct Round {
    pub(super) session: SessionKey,
    pub(super) reports: Vec<Report>,
    pub(super) finished_receipts: Vec<ReceiptId>,
    pub(super) doubtful: Vec<ReceiptId>,
    pub(super) limit: usize,
    pub(super) keep: usize,
    pub(super) look: bool,
    pub(super) lanes: Vec<LaneCursor>,
    pub(super) keep_from: Option<i16>,
}

impl Hands {
    pub(super) fn new(session: SessionKey, threads: usize, interrupt: Wake, meters: Arc<Meters>) -> Self {
        Self {
            session,
            lanes: HashSet::new(),
            settled: watch::Sender::new(0),
            pace: Pace::new(threads),
            queue: VecDeque::new(),
            attempts: Attempts::new(interrupt),
            reports: Vec::new(),
            settling: 0,
            batch: BATCH,
            alone: false,
            reserved: 0,
            claiming: 0,
            next_number: 0,
            receipts: Receipts::default(),
            cursors: HashMap::new(),
            from_start_at: Instant::now(),
            expecting: true,
            heard: false,
            backlog: None,
            round: 0,
            round_began: Instant::now(),
            urgent: false,
            stats: WorkerStats::default(),
            meters,
        }
    }

    pub(super) fn stats(&self) -> WorkerStats {
        WorkerStats { queued: self.queue.len(), running: self.attempts.count(), ..self.stats }
    }

    /// Whether nothing is claimed, running, reported or about to be claimed.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
            && self.attempts.is_empty()
            && self.reports.is_empty()
            && self.settling == 0
            && self.reserved == 0
            && self.claiming == 0
            && !self.receipts.are_due()
    }

    /// Tells those who wait for this worker to have nothing left.
    pub(super) fn changed(&self) {
        self.settled.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn free(&self) -> usize {
        self.pace.limit().saturating_sub(self.held())
    }

    fn held(&self) -> usize {
        self.queue.len() + self.attempts.count() + self.reserved + self.claiming
    }

    /// Whether it is time to fetch more, though nothing was reported.
    pub(super) fn is_low(&self) -> bool {
        self.expecting && self.queue.len() * 2 <= self.free()
    }

    /// Until when what is reported gathers: the time counts from the last round, so that a lone report waits for nobody.
    pub(super) fn gathers_until(&self) -> Instant {
        self.round_began + GATHER
    }

    /// Whether a round can wait: threads have enough to do, and nobody waits for what was reported.
    fn gathers(&self) -> bool {
        !self.urgent
            && self.reports.len() < self.batch
            && self.queue.len() * 4 > self.pace.limit()
            && Instant::now() < self.gathers_until()
    }

    /// Whether the loop is to look at what is here before it wakes by itself.
    pub(super) fn wants_round(&self) -> bool {
        self.is_low() || !self.reports.is_empty() && !self.gathers()
    }

    pub(super) fn take(&mut self) -> Option<Ticket> {
        let ticket = self.queue.pop_front()?;
        let since = self.attempts.begin(ticket.clone());
        self.meters.taken(&ticket.assignment, since.saturating_duration_since(ticket.held_since));
        Some(ticket)
    }

    pub(super) fn report(&mut self, number: u64, outcome: Outcome) -> bool {
        let Some(ended) = self.attempts.end(number) else {
            self.stats.late += 1;
            self.meters.late(1);
            return false;
        };
        let took = ended.since.elapsed();
        self.pace.observe(took);
        self.meters.ran(&ended.ticket.assignment, took, false);
        // What only made a key is yet to be tried.
        self.stats.ran += u64::from(!matches!(outcome, Outcome::Keyed(_)));
        self.stats.failed += u64::from(matches!(outcome, Outcome::Failed(_)));
        self.add(Report { assignment: ended.ticket.assignment, outcome });
        true
    }

    fn add(&mut self, report: Report) {
        let has_limit = report.assignment.task.template().limit(report.assignment.row.key.index).is_some();
        self.urgent |= has_limit || matches!(report.outcome, Outcome::Released);
        self.reports.push(report);
    }

    fn give_back(&mut self, tickets: impl IntoIterator<Item = Ticket>) {
        for ticket in tickets {
            self.add(Report { assignment: ticket.assignment, outcome: Outcome::Released });
        }
    }

    /// So many attempts that were reported as successes are failures.
    pub(super) fn count_failed(&mut self, count: u64) {
        self.stats.failed += count;
    }

    /// What threads are running.
    pub(super) fn attempts(&mut self) -> &mut Attempts {
        &mut self.attempts
    }

    /// Reports every step whose time is up; whether there was one.
    pub(super) fn time_out(&mut self) -> bool {
        let late = self.attempts.time_out();
        let some = !late.is_empty();
        for late in late {
            let took = late.since.elapsed();
            self.pace.observe(took);
            self.meters.ran(&late.ticket.assignment, took, true);
            self.stats.ran += 1;
            self.stats.failed += 1;
            let outcome = Outcome::Failed(timed_out(late.timeout));
            self.add(Report { assignment: late.ticket.assignment, outcome });
        }
        some
    }

    /// Since when the longest held step is held.
    pub(super) fn holds_since(&self) -> Option<Instant> {
        // What is queued came in order.
        let queued = self.queue.front().into_iter();
        queued.chain(self.attempts.tickets()).map(|ticket| ticket.held_since).min()
    }

    /// What is held since `moment` or longer, and could still be reported.
    pub(super) fn held_since(&self, moment: Instant) -> Vec<Holding> {
        let queued = self.queue.iter().take_while(|ticket| ticket.held_since <= moment);
        let running = self.attempts.tickets().filter(|ticket| ticket.held_since <= moment);
        let held = queued.chain(running);
        held.map(|ticket| {
            let row = &ticket.assignment.row;
            Holding { number: ticket.number, key: row.key, token: row.token }
        })
        .collect()
    }

    /// Gives up steps that were moved by hand: what waits for a thread is dropped, and what runs is
    /// told. There is nothing to record of them but that their receipts have a step less.
    pub(super) fn take_away(&mut self, numbers: &HashSet<u64>) {
        let queue = std::mem::take(&mut self.queue);
        let (gone, kept): (VecDeque<_>, _) = queue.into_iter().partition(|ticket| numbers.contains(&ticket.number));
        self.queue = kept;
        let running = numbers.iter().filter_map(|&number| self.attempts.lose(number, Loss::TakenAway));
        for ticket in gone.into_iter().chain(running.map(|running| running.ticket)) {
            self.receipts.forgo(ticket.assignment.receipt);
        }
        self.changed();
    }

    /// There is work, new or not. Where a look goes on already, it goes on from where it is.
    pub(super) fn hear_of_work(&mut self) {
        self.expecting = true;
    }

    /// There is new work. Where a look goes on already, it comes to that, too: at its end at the latest.
    pub(super) fn hear_of_new_work(&mut self) {
        self.hear_of_work();
        self.heard = true;
    }

    /// There may be work anywhere.
    pub(super) fn expect_work(&mut self) {
        self.expecting = true;
        self.cursors.clear();
    }

    pub(super) fn work_lanes(&mut self, lanes: Vec<LaneId>) {
        let lanes: HashSet<LaneId> = lanes.into_iter().collect();
        if lanes != self.lanes {
            self.lanes = lanes;
            self.release_of_other_lanes();
            self.expect_work();
        }
    }

    /// Gives back what no thread has taken of lanes that are worked no more.
    fn release_of_other_lanes(&mut self) {
        let queue = std::mem::take(&mut self.queue);
        let worked = |ticket: &Ticket| self.lanes.contains(&ticket.assignment.row.lane);
        let (kept, others): (VecDeque<_>, VecDeque<_>) = queue.into_iter().partition(worked);
        self.queue = kept;
        self.give_back(others);
    }

    pub(super) fn reserve_idle(&mut self) -> Option<usize> {
        let idle = self.queue.is_empty() && !self.expecting;
        let free = if idle { self.free() } else { 0 };
        self.reserved += free;
        (free > 0).then_some(free)
    }

    pub(super) fn unreserve(&mut self, reserved: usize) {
        self.reserved = self.reserved.saturating_sub(reserved);
        self.changed();
    }

    pub(super) fn receive(&mut self, session: SessionKey, claimed: Vec<Assignment>) {
        if session != self.session {
            return;
        }
        for assignment in claimed {
            self.receipts.add(assignment.receipt);
            if let Some(outcome) = assignment.without_handler() {
                self.report_at_once(assignment, outcome);
                continue;
            }
            let ticket = Ticket::new(self.next_number, assignment);
            self.next_number += 1;
            // What was claimed while its queue was being paused goes back.
            match self.lanes.contains(&ticket.assignment.row.lane) {
                true => self.queue.push_back(ticket),
                false => self.give_back([ticket]),
            }
        }
    }

    /// What takes no thread is reported as it comes in. It counts as an attempt only when it failed.
    fn report_at_once(&mut self, assignment: Assignment, outcome: Outcome) {
        let failed = u64::from(matches!(outcome, Outcome::Failed(_)));
        self.stats.ran += failed;
        self.stats.failed += failed;
        self.add(Report { assignment: Arc::new(assignment), outcome });
    }

    /// What there is to do now, if anything; its limit counts as held. Nothing is claimed unless
    /// `claim`.
    pub(super) fn next_round(&mut self, claim: bool) -> Option<Round> {
        if claim && self.gathers() {
            return None;
        }
        let (limit, keep) = match claim && !self.alone {
            true => (self.free(), self.pace.keep_limit().saturating_sub(self.held())),
            false => (0, 0),
        };
        let look = limit > 0 && self.expecting && (self.is_low() || !self.reports.is_empty());
        if self.reports.is_empty() && !self.receipts.are_due() && !look {
            return None;
        }
        if self.from_start_at.elapsed() > LOOK_FROM_START {
            self.cursors.clear();
            self.from_start_at = Instant::now();
        }
        if look && self.cursors.is_empty() {
            self.heard = false;
        }
        self.round += 1;
        self.round_began = Instant::now();
        self.urgent = false;
        let fair = look && self.round.is_multiple_of(FAIR_ROUND);
        let batch = fitting(self.reports.iter().map(|report| &report.outcome), self.batch);
        let rest = self.reports.split_off(batch);
        let reports = std::mem::replace(&mut self.reports, rest);
        self.settling = reports.len();
        self.claiming = keep;
        Some(Round {
            session: self.session,
            finished_receipts: self.receipts.finished_by(receipts_of(&reports)),
            doubtful: self.receipts.doubtful(),
            reports,
            limit,
            keep,
            look,
            lanes: self.lanes.iter().map(|&lane| LaneCursor { lane, from: self.cursors.get(&lane).copied() }).collect(),
            keep_from: (keep > 0 && !fair).then(|| self.backlog.unwrap_or(i16::MIN)),
        })
    }

    /// Has the next round look whether this receipt was written.
    pub(super) fn doubt(&mut self, session: SessionKey, receipt: ReceiptId) {
        if session == self.session {
            self.receipts.doubt(receipt);
        }
    }

    /// Takes a committed round's reports off the books.
    pub(super) fn finish_round(&mut self, round: &Round, accepted: &HashMap<StepKey, StepState>) {
        let Round { reports, finished_receipts, doubtful, .. } = round;
        self.receipts.settled(receipts_of(reports), finished_receipts, doubtful);
        self.stats.late += (reports.len() - accepted.len()) as u64;
        self.meters.settled(reports, accepted);
        self.batch = (self.batch * 2).min(BATCH);
        self.alone = false;
        self.end_round();
    }

    /// Puts back a round that was not committed.
    pub(super) fn undo_round(&mut self, reports: Vec<Report>) {
        let newer = std::mem::replace(&mut self.reports, reports);
        self.reports.extend(newer);
        self.end_round();
    }

    fn end_round(&mut self) {
        (self.settling, self.claiming) = (0, 0);
        self.changed();
    }

    /// Has the next round claim nothing.
    pub(super) fn settle_alone(&mut self) {
        self.alone = true;
    }

    /// Makes the next batch half as large as the one that failed.
    pub(super) fn halve_batches(&mut self, failed: usize) {
        self.batch = (failed / 2).max(1);
    }

    /// Learns from a look: whether more may be ready, and where to go on looking.
    pub(super) fn looked(&mut self, taken: &[(LaneId, i16, StepKey)], more: bool) {
        self.expecting = more || self.heard;
        self.backlog = if more { taken.last().map(|&(_, priority, _)| priority) } else { None };
        if more {
            self.cursors.extend(taken.iter().map(|&(lane, priority, step)| (lane, (priority, step))));
        } else {
            self.cursors.clear();
        }
    }

    /// Gives back what no thread has taken.
    pub(super) fn release_queued(&mut self) {
        let queued = std::mem::take(&mut self.queue);
        self.give_back(queued);
    }

    /// Takes back what threads are running; they keep their place until they return.
    pub(super) fn release_running(&mut self) {
        let running = self.attempts.lose_all(Loss::TakenAway);
        self.give_back(running.into_iter().map(|running| running.ticket));
    }

    /// Starts over under a new session: what was held under the old one belongs to others.
    pub(super) fn start_over(&mut self, session: SessionKey) {
        self.session = session;
        self.queue.clear();
        self.attempts.lose_all(Loss::TakenAway);
        let late = self.reports.drain(..).count() as u64;
        self.stats.late += late;
        self.meters.late(late);
        self.receipts = Receipts::default();
        self.expect_work();
        self.end_round();
    }
}

/// The failure of an attempt that took too long; another one may do better.
fn timed_out(limit: Duration) -> Failure {
    let message = format!("the step ran longer than its timeout of {} s", limit.as_secs_f64());
    let error = Json::of(&serde_json::json!({ "class": "Timeout", "message": message }));
    Failure { error: error.unwrap_or_else(|_| Json::empty_object()), permanent: false, retry_after: None }
}

/// The receipts under which what is reported was held.
fn receipts_of(reports: &[Report]) -> impl Iterator<Item = ReceiptId> {
    reports.iter().map(|report| report.assignment.receipt)
}

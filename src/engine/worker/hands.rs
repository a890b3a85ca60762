//! What a worker holds in memory, between its dispatcher and the host's threads.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::pace::Pace;
use super::{Ticket, WorkerStats};
use crate::domain::id::{LaneId, ReceiptId, SessionKey, TaskId};
use crate::domain::json::Json;
use crate::engine::transactions::intake::Assignment;
use crate::engine::transactions::settle::Report;
use crate::engine::transactions::verdict::{Failure, Outcome};
use crate::storage::rows::LaneCursor;

/// How often a lane is looked at from its beginning, where older tasks' steps may have returned.
const LOOK_FROM_START: Duration = Duration::from_secs(1);
/// The most reports that one transaction settles.
const BATCH: usize = 512;
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
    running: HashMap<u64, Running>,
    /// Taken from their threads, which have not come back yet.
    overdue: HashSet<u64>,
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
    receipts: HashMap<ReceiptId, usize>,
    /// Receipts that a commit without an answer may have written.
    doubtful: Vec<ReceiptId>,
    cursors: HashMap<LaneId, (i16, TaskId)>,
    from_start_at: Instant,
    expecting: bool,
    backlog: Option<i16>,
    round: u64,
    stats: WorkerStats,
}

struct Running {
    ticket: Ticket,
    since: Instant,
    deadline: Instant,
    timeout: Duration,
}

/// What the dispatcher is to do next.
pub(super) struct Round {
    pub(super) session: SessionKey,
    pub(super) reports: Vec<Report>,
    pub(super) finished_receipts: Vec<ReceiptId>,
    pub(super) doubtful: Vec<ReceiptId>,
    pub(super) limit: usize,
    pub(super) look: bool,
    pub(super) lanes: Vec<LaneCursor>,
    pub(super) keep_from: Option<i16>,
}

impl Hands {
    pub(super) fn new(session: SessionKey, threads: usize) -> Self {
        Self {
            session,
            lanes: HashSet::new(),
            settled: watch::Sender::new(0),
            pace: Pace::new(threads),
            queue: VecDeque::new(),
            running: HashMap::new(),
            overdue: HashSet::new(),
            reports: Vec::new(),
            settling: 0,
            batch: BATCH,
            alone: false,
            reserved: 0,
            claiming: 0,
            next_number: 0,
            receipts: HashMap::new(),
            doubtful: Vec::new(),
            cursors: HashMap::new(),
            from_start_at: Instant::now(),
            expecting: true,
            backlog: None,
            round: 0,
            stats: WorkerStats::default(),
        }
    }

    pub(super) fn stats(&self) -> WorkerStats {
        WorkerStats { queued: self.queue.len(), running: self.running.len() + self.overdue.len(), ..self.stats }
    }

    /// Whether nothing is claimed, running, reported or about to be claimed.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
            && self.running.is_empty()
            && self.reports.is_empty()
            && self.settling == 0
            && self.reserved == 0
            && self.claiming == 0
            && self.doubtful.is_empty()
    }

    /// Tells those who wait for this worker to have nothing left.
    pub(super) fn changed(&self) {
        self.settled.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn free(&self) -> usize {
        let held = self.queue.len() + self.running.len() + self.overdue.len() + self.reserved + self.claiming;
        self.pace.limit().saturating_sub(held)
    }

    /// Whether it is time to fetch more, though nothing was reported.
    pub(super) fn is_low(&self) -> bool {
        self.expecting && self.queue.len() * 2 <= self.free()
    }

    pub(super) fn take(&mut self) -> Option<Ticket> {
        let ticket = self.queue.pop_front()?;
        let timeout = ticket.assignment.step().map_or(Duration::MAX, |step| step.policy.timeout);
        let since = Instant::now();
        let deadline = since + timeout.min(Duration::from_secs(86_400 * 365));
        self.running.insert(ticket.number, Running { ticket: ticket.clone(), since, deadline, timeout });
        Some(ticket)
    }

    pub(super) fn report(&mut self, number: u64, outcome: Outcome) -> bool {
        let Some(running) = self.running.remove(&number) else {
            self.overdue.remove(&number);
            self.stats.late += 1;
            return false;
        };
        self.pace.observe(running.since.elapsed());
        self.stats.ran += 1;
        self.stats.failed += u64::from(matches!(outcome, Outcome::Failed(_)));
        self.reports.push(Report { assignment: running.ticket.assignment, outcome });
        true
    }

    pub(super) fn heartbeat(&mut self, number: u64) -> bool {
        let Some(running) = self.running.get_mut(&number) else { return false };
        running.deadline = Instant::now() + running.timeout;
        true
    }

    pub(super) fn is_overdue(&self, number: u64) -> bool {
        self.running.get(&number).is_none_or(|running| running.deadline <= Instant::now())
    }

    /// Reports every step whose time is up, and says when the next one's will be.
    pub(super) fn time_out(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let late: Vec<u64> =
            self.running.iter().filter(|(_, running)| running.deadline <= now).map(|(&number, _)| number).collect();
        for number in late {
            let Some(running) = self.running.remove(&number) else { continue };
            self.overdue.insert(number);
            self.pace.observe(running.since.elapsed());
            self.stats.ran += 1;
            self.stats.failed += 1;
            let outcome = Outcome::Failed(timed_out(running.timeout));
            self.reports.push(Report { assignment: running.ticket.assignment, outcome });
        }
        self.running.values().map(|running| running.deadline).min()
    }

    /// There may be work. Where a look goes on already, it goes on from where it is.
    pub(super) fn hear_of_work(&mut self) {
        self.expecting = true;
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
            self.expect_work();
        }
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
            *self.receipts.entry(assignment.receipt).or_default() += 1;
            let number = self.next_number;
            self.next_number += 1;
            self.queue.push_back(Ticket { number, assignment: Arc::new(assignment) });
        }
    }

    /// What there is to do now, if anything; its limit counts as held. Nothing is claimed unless
    /// `claim`.
    pub(super) fn next_round(&mut self, claim: bool) -> Option<Round> {
        let limit = if claim && !self.alone { self.free() } else { 0 };
        let look = limit > 0 && self.expecting && (self.is_low() || !self.reports.is_empty());
        if self.reports.is_empty() && self.doubtful.is_empty() && !look {
            return None;
        }
        if self.from_start_at.elapsed() > LOOK_FROM_START {
            self.cursors.clear();
            self.from_start_at = Instant::now();
        }
        self.round += 1;
        let fair = look && self.round.is_multiple_of(FAIR_ROUND);
        let rest = self.reports.split_off(self.reports.len().min(self.batch));
        let reports = std::mem::replace(&mut self.reports, rest);
        self.settling = reports.len();
        self.claiming = limit;
        Some(Round {
            session: self.session,
            finished_receipts: self.finished_receipts(&reports),
            doubtful: self.doubtful.clone(),
            reports,
            limit,
            look,
            lanes: self.lanes.iter().map(|&lane| LaneCursor { lane, from: self.cursors.get(&lane).copied() }).collect(),
            keep_from: (limit > 0 && !fair).then(|| self.backlog.unwrap_or(i16::MIN)),
        })
    }

    /// The receipts that these reports leave with nothing to settle.
    fn finished_receipts(&self, reports: &[Report]) -> Vec<ReceiptId> {
        let mut settled: HashMap<ReceiptId, usize> = HashMap::new();
        for report in reports {
            *settled.entry(report.assignment.receipt).or_default() += 1;
        }
        settled
            .into_iter()
            .filter(|(id, n)| self.receipts.get(id).is_none_or(|left| left <= n))
            .map(|(id, _)| id)
            .collect()
    }

    /// Has the next round look whether this receipt was written.
    pub(super) fn doubt(&mut self, session: SessionKey, receipt: ReceiptId) {
        if session == self.session {
            self.doubtful.push(receipt);
        }
    }

    /// Takes a committed round's reports off the books.
    pub(super) fn finish_round(&mut self, round: &Round, accepted: usize) {
        let Round { reports, doubtful, .. } = round;
        self.doubtful.retain(|receipt| !doubtful.contains(receipt));
        for report in reports {
            if let Some(left) = self.receipts.get_mut(&report.assignment.receipt) {
                *left -= 1;
                if *left == 0 {
                    self.receipts.remove(&report.assignment.receipt);
                }
            }
        }
        self.stats.late += (reports.len() - accepted) as u64;
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
    pub(super) fn looked(&mut self, taken: &[(LaneId, i16, TaskId)], more: bool) {
        self.expecting = more;
        self.backlog = if more { taken.last().map(|&(_, priority, _)| priority) } else { None };
        if more {
            self.cursors.extend(taken.iter().map(|&(lane, priority, task)| (lane, (priority, task))));
        } else {
            self.cursors.clear();
        }
    }

    /// Gives back what no thread has taken.
    pub(super) fn release_queued(&mut self) {
        let queued = std::mem::take(&mut self.queue);
        self.reports.extend(queued.into_iter().map(released));
    }

    /// Takes back what threads are running; they keep their place until they return.
    pub(super) fn release_running(&mut self) {
        let running = std::mem::take(&mut self.running);
        self.overdue.extend(running.keys());
        self.reports.extend(running.into_values().map(|running| released(running.ticket)));
    }

    /// Starts over under a new session: what was held under the old one belongs to others.
    pub(super) fn start_over(&mut self, session: SessionKey) {
        self.session = session;
        self.queue.clear();
        self.overdue.extend(self.running.drain().map(|(number, _)| number));
        self.stats.late += self.reports.drain(..).count() as u64;
        self.receipts.clear();
        self.doubtful.clear();
        self.expect_work();
        self.end_round();
    }
}

fn released(ticket: Ticket) -> Report {
    Report { assignment: ticket.assignment, outcome: Outcome::Released }
}

/// The failure of an attempt that took too long; another one may do better.
fn timed_out(limit: Duration) -> Failure {
    let message = format!("the step ran longer than its timeout of {} s", limit.as_secs_f64());
    let error = Json::of(&serde_json::json!({ "class": "Timeout", "message": message }));
    Failure { error: error.unwrap_or_else(|_| Json::empty_object()), permanent: false, retry_after: None }
}

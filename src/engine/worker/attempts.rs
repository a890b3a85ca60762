//! What the host's threads are running, and what was taken from them before they came back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{Ticket, Wake};
use crate::engine::transactions::intake::Assignment;

/// The longest that an attempt may take whatever its template says.
const LONGEST: Duration = Duration::from_secs(86_400 * 365);

/// See the module.
pub(super) struct Attempts {
    running: HashMap<u64, Running>,
    /// Taken from their threads, which have not come back yet.
    lost: HashMap<u64, Loss>,
    /// Those of them whose handlers the host is to interrupt, until it asks.
    to_interrupt: Vec<u64>,
    /// Has the host ask.
    wake: Wake,
    /// When the next time is over that whoever watches them knows of; none where they know of none.
    watched_until: Option<Instant>,
    /// Raised when one is over earlier.
    sooner: Arc<Notify>,
}

/// Why a step was taken from the thread that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its time was over.
    Expired,
    /// It was moved by hand, its task ended, or its worker gave it up or lost it.
    TakenAway,
}

/// An attempt in a thread's hands.
pub(super) struct Running {
    pub(super) ticket: Ticket,
    pub(super) since: Instant,
    pub(super) timeout: Duration,
    deadline: Instant,
}

impl Attempts {
    /// None; `wake` is called when there is something to interrupt.
    pub(super) fn new(wake: Wake) -> Self {
        Self {
            running: HashMap::new(),
            lost: HashMap::new(),
            to_interrupt: Vec::new(),
            wake,
            watched_until: None,
            sooner: Arc::default(),
        }
    }

    /// A thread has it from now on; gives that moment.
    pub(super) fn begin(&mut self, ticket: Ticket) -> Instant {
        let timeout = ticket.assignment.step().map_or(LONGEST, |step| step.policy.timeout).min(LONGEST);
        let since = Instant::now();
        let deadline = since + timeout;
        self.running.insert(ticket.number, Running { ticket, since, timeout, deadline });
        if self.watched_until.is_none_or(|watched| deadline < watched) {
            self.watched_until = Some(deadline);
            self.sooner.notify_one();
        }
        since
    }

    /// The thread is back. Gives the attempt unless it was taken from it.
    pub(super) fn end(&mut self, number: u64) -> Option<Running> {
        let running = self.running.remove(&number);
        if running.is_none() {
            self.lost.remove(&number);
        }
        running
    }

    /// Takes an attempt from its thread.
    pub(super) fn lose(&mut self, number: u64, loss: Loss) -> Option<Running> {
        let running = self.running.remove(&number)?;
        self.lost.insert(number, loss);
        if running.ticket.assignment.step().is_some_and(|step| step.policy.interrupt) {
            self.to_interrupt.push(number);
            (self.wake)();
        }
        Some(running)
    }

    /// Takes all of them.
    pub(super) fn lose_all(&mut self, loss: Loss) -> Vec<Running> {
        let numbers: Vec<u64> = self.running.keys().copied().collect();
        numbers.into_iter().filter_map(|number| self.lose(number, loss)).collect()
    }

    /// Takes those whose time is over.
    pub(super) fn time_out(&mut self) -> Vec<Running> {
        let now = Instant::now();
        let late = self.running.iter().filter(|(_, running)| running.deadline <= now);
        let late: Vec<u64> = late.map(|(&number, _)| number).collect();
        late.into_iter().filter_map(|number| self.lose(number, Loss::Expired)).collect()
    }

    /// Takes the attempts that are to be interrupted and were not asked for yet.
    pub(super) fn take_interrupts(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.to_interrupt)
    }

    /// The thread is back from an attempt that was taken from it, and reports nothing; false when it
    /// was not taken from it.
    pub(super) fn came_back(&mut self, number: u64) -> bool {
        self.lost.remove(&number).is_some()
    }

    /// When the next one's time is over, as far as is known now. Whoever asks watches until then.
    pub(super) fn watch(&mut self) -> Option<Instant> {
        self.watched_until = self.running.values().map(|running| running.deadline).min();
        self.watched_until
    }

    /// What is raised when an attempt began whose time is over before what [`Self::watch`] said.
    pub(super) fn sooner(&self) -> Arc<Notify> {
        self.sooner.clone()
    }

    pub(super) fn heartbeat(&mut self, number: u64) -> bool {
        let Some(running) = self.running.get_mut(&number) else { return false };
        running.deadline = Instant::now() + running.timeout;
        true
    }

    /// The step of an attempt that was not taken from its thread.
    pub(super) fn assignment(&self, number: u64) -> Option<&Assignment> {
        self.running.get(&number).map(|running| &*running.ticket.assignment)
    }

    pub(super) fn is_expired(&self, number: u64) -> bool {
        match self.running.get(&number) {
            Some(running) => running.deadline <= Instant::now(),
            None => self.lost.get(&number) == Some(&Loss::Expired),
        }
    }

    /// One that is not known has come back: nothing that is done for it now is recorded.
    pub(super) fn is_taken_away(&self, number: u64) -> bool {
        !self.running.contains_key(&number) && self.lost.get(&number) != Some(&Loss::Expired)
    }

    /// Whether no thread has anything that it could still report.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// How many threads are busy.
    pub(super) fn count(&self) -> usize {
        self.running.len() + self.lost.len()
    }

    pub(super) fn tickets(&self) -> impl Iterator<Item = &Ticket> {
        self.running.values().map(|running| &running.ticket)
    }
}

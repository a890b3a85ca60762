//! What handlers returned, held against their steps' output schemas: after the host's thread has gone
//! on, and before the transaction that records it. The host hears of a breach afterwards.

use parking_lot::Mutex;
use serde::Serialize;

use super::{Ticket, Worker};
use crate::domain::fault::{Fault, Faults};
use crate::domain::json::Json;
use crate::engine::transactions::settle::Report;
use crate::engine::transactions::verdict::{Failure, Outcome};
use crate::engine::transactions::work::Work;

/// The most breaches that are kept for a host that doesn't ask for them.
const MOST: usize = 1_000;

/// A result that is not what its step's output schema asks for.
pub struct Breach {
    /// The step, which no thread has any more.
    pub ticket: Ticket,
    /// Everything that is wrong with the result, each with its path below `result`.
    pub faults: Faults,
}

/// What the host has not heard of yet.
#[derive(Default)]
pub(super) struct Breaches(Mutex<Vec<Breach>>);

impl Worker {
    /// The breaches of output schemas since the last call: each is a step that fails for good. The host is woken when
    /// there are some; what is beyond a thousand is only recorded.
    pub fn breaches(&self) -> Vec<Breach> {
        std::mem::take(&mut self.breaches.0.lock())
    }

    /// Makes a permanent failure of every result that breaks its step's output schema.
    pub(super) fn refuse_breaches(&self, reports: &mut [Report]) {
        let found: Vec<Breach> = reports.iter_mut().filter_map(refuse_breach).collect();
        if found.is_empty() {
            return;
        }
        self.hands.lock().count_failed(found.len() as u64);
        {
            let mut kept = self.breaches.0.lock();
            let room = MOST.saturating_sub(kept.len());
            kept.extend(found.into_iter().take(room));
        }
        (self.options.wake)();
    }
}

/// The breach that the report's result is, if it is one: it is a report of a failure then.
fn refuse_breach(report: &mut Report) -> Option<Breach> {
    // A list's schema is that of what each of its items comes to.
    if matches!(report.assignment.work, Work::Gather { .. }) {
        return None;
    }
    let (Outcome::Succeeded(result) | Outcome::Decided(result, _)) = &report.outcome else { return None };
    let faults = report.assignment.step()?.check_result(result).err()?;
    report.outcome = Outcome::Failed(failure(&faults));
    Some(Breach { ticket: Ticket::given_back(report.assignment.clone()), faults })
}

/// The failure of a step that returned something else than its schema says. The same handler with the
/// same input would do so again.
fn failure(faults: &Faults) -> Failure {
    #[derive(Serialize)]
    struct Error<'a> {
        class: &'static str,
        message: String,
        faults: Vec<Told<'a>>,
    }
    #[derive(Serialize)]
    struct Told<'a> {
        path: &'a str,
        message: &'a str,
    }
    fn told(fault: &Fault) -> Told<'_> {
        Told { path: &fault.path, message: &fault.message }
    }
    let error = Error {
        class: "InvalidOutput",
        message: format!("the result is not what the step's output schema asks for: {faults}"),
        faults: faults.all().iter().map(told).collect(),
    };
    let error = Json::of(&error).unwrap_or_else(|_| Json::empty_object());
    Failure { error, permanent: true, retry_after: None }
}

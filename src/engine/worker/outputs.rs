//! What handlers returned, held against their steps' output schemas: after the host's thread has gone
//! on, and before the transaction that records it.

use serde::Serialize;

use crate::domain::fault::{Fault, Faults};
use crate::domain::json::Json;
use crate::engine::transactions::settle::Report;
use crate::engine::transactions::verdict::{Failure, Outcome};
use crate::engine::transactions::work::Work;

/// Makes a permanent failure of every result that breaks its step's output schema; gives their number.
pub(super) fn refuse_breaches(reports: &mut [Report]) -> u64 {
    let mut refused = 0;
    for report in reports {
        // A list's schema is that of what each of its items comes to.
        if matches!(report.assignment.work, Work::Gather { .. }) {
            continue;
        }
        let Some(step) = report.assignment.step() else { continue };
        if let Outcome::Succeeded(result) | Outcome::Decided(result, _) = &report.outcome
            && let Err(faults) = step.check_result(result)
        {
            report.outcome = Outcome::Failed(breach(&faults));
            refused += 1;
        }
    }
    refused
}

/// The failure of a step that returned something else than its schema says. The same handler with the
/// same input would do so again.
fn breach(faults: &Faults) -> Failure {
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

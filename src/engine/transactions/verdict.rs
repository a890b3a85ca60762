//! What becomes of a step that somebody held: the state table applied to one report.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::intake::Assignment;
use super::settle::Report;
use super::work::Work;
use crate::domain::fan_out::check_length;
use crate::domain::fault::Fault;
use crate::domain::id::{SessionId, StepIndex};
use crate::domain::json::Json;
use crate::domain::retry::attempts_left;
use crate::domain::state::{StepEvent, StepState};
use crate::domain::template::OnFailure;
use crate::domain::time::Timestamp;
use crate::storage::rows::{Hold, ReadyRow, StepMove, StepTransition};
use crate::storage::{Result, StoreError};

/// How many times a worker may die with a step in its hands before the step is in error.
pub const CRASH_BUDGET: u16 = 5;

/// What a handler's attempt came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It returned this.
    Succeeded(Json),
    /// It returned this and chose these branches of its step.
    Decided(Json, Vec<StepIndex>),
    /// The list for each of whose items the step is done.
    Expanded(Vec<Json>),
    /// The value that the host made for its limit: it is claimed again, with that.
    Keyed(Json),
    /// It failed.
    Failed(Failure),
    /// It was given back without having been tried to its end.
    Released,
}

/// How an attempt failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What went wrong: an object with class, message and more.
    pub error: Json,
    /// Whether no further attempt can cure it.
    pub permanent: bool,
    /// When to try again, where the handler said so; it wins over the backoff.
    pub retry_after: Option<Duration>,
}

/// What becomes of one step, ready to be written.
pub struct Verdict {
    /// The step as it was claimed.
    pub assignment: Arc<Assignment>,
    /// Its move.
    pub step_move: StepMove,
    /// What its history gains. Where its row tells that (`settled_by`), only those who listen are told.
    pub transitions: Vec<StepTransition>,
    /// How it stands in the queue when it runs again, and after what delay.
    pub again: Option<(ReadyRow, Duration)>,
    /// The branches that a decision chose.
    pub route: Option<Vec<StepIndex>>,
    /// The items of the list that it made; the step waits for them.
    pub items: Vec<Json>,
    /// What the host made for its limit.
    pub limit_key: Option<Json>,
}

impl Verdict {
    /// Applies the state table to a report.
    pub fn of(report: &Report, session: SessionId, now: Timestamp) -> Result<Self> {
        let held = &report.assignment;
        let attempt = held.attempt();
        let outcome = checked(held, &report.outcome);
        let (event, used, error, delay) = match &*outcome {
            Outcome::Succeeded(_) | Outcome::Decided(..) => (StepEvent::Succeed, attempt, None, None),
            Outcome::Expanded(_) => (StepEvent::Expand, attempt, None, None),
            Outcome::Released | Outcome::Keyed(_) => {
                (StepEvent::Release, held.row.attempts, None, Some(Duration::ZERO))
            }
            Outcome::Failed(failure) => {
                let (event, delay) = judge(failure, held);
                (event, attempt, Some(failure.error.clone()), delay)
            }
        };
        let limit_key = if let Outcome::Keyed(made) = &*outcome { Some(made.clone()) } else { None };
        let (result, route, items) = match outcome.into_owned() {
            Outcome::Succeeded(result) => (Some(result), None, Vec::new()),
            Outcome::Decided(result, route) => (Some(result), Some(route), Vec::new()),
            Outcome::Expanded(items) => (None, None, items),
            Outcome::Failed(_) | Outcome::Released | Outcome::Keyed(_) => (None, None, Vec::new()),
        };
        let settled = settle(StepState::InProgress, event)?;
        let mut step_move = StepMove {
            key: held.row.key,
            token: held.row.token,
            to: settled,
            attempts: used,
            crashed: 0,
            result,
            error: error.clone(),
            started_at: held.began_at(),
            next_retry_at: (settled == StepState::WaitingForRetry).then(|| now.after(delay.unwrap_or_default())),
            settled_by: None,
        };
        let transition = StepTransition {
            key: held.row.key,
            revision: held.task.stored.revision,
            seq: held.row.token.next().entered(),
            from: Some(StepState::InProgress),
            to: settled,
            attempt,
            by: Some(session),
            hold: Some(Hold { since: held.claimed_at, by: session }),
            detail: match &route {
                Some(route) => Some(object("route", &held.task.template().names(route).collect::<Vec<_>>())?),
                None if !items.is_empty() => Some(object("items", &items.len())?),
                None => error.as_ref().map(|error| object("error", error)).transpose()?,
            },
        };
        let is_plain = settled == StepState::Complete && transition.detail.is_none();
        step_move.settled_by = (is_plain && step_move.started_at.is_some()).then_some(session);
        let again = delay.map(|delay| {
            let token = held.row.token.next();
            (ReadyRow { token, attempts: used, state: settled, ..held.row.clone() }, delay)
        });
        let mut verdict =
            Self { assignment: held.clone(), step_move, transitions: vec![transition], again, route, items, limit_key };
        verdict.skip_if_optional()?;
        Ok(verdict)
    }

    /// A step whose worker's session ended without a word. `crashes` counts this one.
    pub fn lost(held: Arc<Assignment>, crashes: u16, session: SessionId) -> Result<Self> {
        let crashes_left = crashes < CRASH_BUDGET;
        let settled = settle(StepState::InProgress, StepEvent::LoseLease { crashes_left })?;
        let attempt = held.attempt();
        let message = format!("the worker that held this step ended without a word; this happened {crashes} times");
        let error = Json::of(&serde_json::json!({ "class": "WorkerCrashed", "message": message, "crashes": crashes }))
            .map_err(|error| StoreError::Data(error.to_string().into()))?;
        let token = held.row.token.next();
        let again = ReadyRow { token, state: settled, ..held.row.clone() };
        let mut verdict = Self {
            step_move: StepMove {
                key: held.row.key,
                token: held.row.token,
                to: settled,
                attempts: held.row.attempts,
                crashed: 1,
                result: None,
                error: (!crashes_left).then(|| error.clone()),
                started_at: held.began_at(),
                next_retry_at: None,
                settled_by: None,
            },
            transitions: vec![StepTransition {
                key: held.row.key,
                revision: held.task.stored.revision,
                seq: token.entered(),
                from: Some(StepState::InProgress),
                to: settled,
                attempt,
                by: Some(session),
                hold: Some(Hold { since: held.claimed_at, by: session }),
                detail: Some(object("error", &error)?),
            }],
            again: crashes_left.then_some((again, Duration::ZERO)),
            route: None,
            items: Vec::new(),
            limit_key: None,
            assignment: held,
        };
        verdict.skip_if_optional()?;
        Ok(verdict)
    }

    /// A failed step whose children may do without it is skipped at once. The skip takes the place
    /// that a claim under the new token would have in the history: there can be none.
    fn skip_if_optional(&mut self) -> Result<()> {
        let optional = self.assignment.step().is_some_and(|step| step.policy.on_failure == OnFailure::Skip);
        if self.step_move.to != StepState::Error || !optional {
            return Ok(());
        }
        let skipped = settle(StepState::Error, StepEvent::Skip)?;
        let last = self.transitions.last().map_or(0, |transition| transition.attempt);
        self.transitions.push(StepTransition {
            key: self.step_move.key,
            revision: self.assignment.task.stored.revision,
            seq: self.step_move.token.next().claimed(),
            from: Some(StepState::Error),
            to: skipped,
            attempt: last,
            by: None,
            hold: None,
            detail: Some(Json::from_trusted(r#"{"reason":"on_failure: skip"}"#)),
        });
        self.step_move.to = skipped;
        Ok(())
    }

    /// The error as the task keeps it.
    pub(super) fn task_error(&self) -> Option<Json> {
        with_step_name(self.step_move.error.as_ref()?, &self.assignment.step_name())
    }
}

/// The event that a failure is, and when the step runs again, if it does.
fn judge(failure: &Failure, held: &Assignment) -> (StepEvent, Option<Duration>) {
    let Some(step) = held.step().filter(|_| !failure.permanent) else { return (StepEvent::FailForGood, None) };
    let policy = &step.policy;
    if !attempts_left(held.attempt(), policy.retryable, policy.retry_limit) {
        return (StepEvent::Fail { attempts_left: false }, None);
    }
    let delay = failure.retry_after.unwrap_or_else(|| policy.backoff.delay(held.attempt(), fastrand::f64()));
    (StepEvent::Fail { attempts_left: true }, Some(delay))
}

/// The state after `event`; that a held step has no such move would be a fault of this library.
fn settle(state: StepState, event: StepEvent) -> Result<StepState> {
    state.settle(event).map_err(|refusal| StoreError::Database(refusal.to_string().into()))
}

/// `{"error": …}` and the like, as a transition keeps it.
pub(super) fn object<T: serde::Serialize>(key: &str, value: &T) -> Result<Json> {
    Json::of(&BTreeMap::from([(key, value)])).map_err(|error| StoreError::Data(error.to_string().into()))
}

/// The outcome, or the failure that it is: of a decision that chose nothing, of a step that chose what
/// is none of its branches, of a list that is too long. An empty list is done at once.
fn checked<'r>(held: &Assignment, outcome: &'r Outcome) -> Cow<'r, Outcome> {
    let route = |route| held.task.template().check_route(held.row.key.index, route);
    let checked = match (&held.work, outcome) {
        (_, Outcome::Failed(_) | Outcome::Released) | (Work::Key, Outcome::Keyed(_)) => Ok(()),
        (Work::Key, _) => {
            Err(Fault::new("limit.key", "the key of the limit was to be made, and a result was reported"))
        }
        (_, Outcome::Keyed(_)) => Err(Fault::new("limit.key", "no key was to be made, and one was reported")),
        (Work::List, Outcome::Expanded(items)) if items.is_empty() => {
            return Cow::Owned(Outcome::Succeeded(Json::from_trusted("[]")));
        }
        (Work::List, Outcome::Expanded(items)) => check_length(items.len()),
        (Work::List, _) => Err(Fault::new("each", "the step makes a list, and was reported with a result")),
        (_, Outcome::Expanded(_)) => Err(Fault::new("each", "the step makes no list, and was reported with one")),
        (_, Outcome::Succeeded(_)) => route(&[]),
        (_, Outcome::Decided(_, chosen)) => route(chosen),
    };
    match checked {
        Ok(()) => Cow::Borrowed(outcome),
        Err(fault) => Cow::Owned(Outcome::Failed(Failure::for_good(&fault))),
    }
}

impl Failure {
    /// What no further attempt can cure: what was reported breaks a rule.
    pub fn for_good(fault: &Fault) -> Self {
        let error = Json::of(&serde_json::json!({ "class": "ValidationError", "message": fault.to_string() }));
        Self { error: error.unwrap_or_else(|_| Json::empty_object()), permanent: true, retry_after: None }
    }
}

/// The error of a step as its task keeps it: with the step's name.
pub(super) fn with_step_name(error: &Json, step: &str) -> Option<Json> {
    let mut tree = error.tree().ok()?;
    tree.as_object_mut()?.insert("step".into(), step.into());
    Json::of(&tree).ok()
}

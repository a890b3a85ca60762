//! One step of a template, normalised.

use std::time::Duration;

use super::checks::{check_name, check_priority, check_queue, check_schema};
use super::input::{BackoffInput, OnFailure, StepInput, StepOptions};
use crate::domain::fault::{Fault, Faults};
use crate::domain::json::Json;
use crate::domain::limit::Limit;
use crate::domain::retry::Backoff;
use crate::domain::schema::Schema;
use crate::domain::time::seconds;

/// How many attempts a step has when nothing else was said.
pub const DEFAULT_RETRY_LIMIT: u16 = 3;
/// How long one attempt may take when nothing else was said, in seconds.
pub const DEFAULT_TIMEOUT: f64 = 300.0;

/// How a step is tried: what its attempts may cost and when they repeat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepPolicy {
    /// Whether a failure may be tried again.
    pub retryable: bool,
    /// How many attempts it has.
    pub retry_limit: u16,
    /// The delay between attempts.
    pub backoff: Backoff,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Whether the host interrupts its handler when nothing that it reports is recorded any more: its
    /// time is over, it was moved by hand, or its worker gave it up or lost it.
    pub interrupt: bool,
    /// What its final failure means to its children.
    pub on_failure: OnFailure,
}

/// One step of a template, normalised.
#[derive(Clone)]
pub struct StepTemplate {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// The name by which the host language finds the handler.
    pub handler: Option<String>,
    /// How it is tried.
    pub policy: StepPolicy,
    /// Its own queue, if it has one.
    pub queue: Option<String>,
    /// Its own priority, if it has one.
    pub priority: Option<i16>,
    /// Free values for the handler; an object.
    pub config: Json,
    /// How many attempts of it may run at once.
    pub limit: Option<Limit>,
    /// The schema of the result, compiled.
    pub output: Option<Schema>,
}

impl StepTemplate {
    /// What is wrong with the step goes to `faults`; what is wrong with the defaults that it goes by, to theirs.
    pub(super) fn build(input: &StepInput, defaults: &mut Defaults<'_>, path: &str, faults: &mut Vec<Fault>) -> Self {
        check_name(&input.name, &format!("{path}.name"), faults);
        let Defaults { options, faults: of_defaults } = defaults;
        let mut given = Given { path, faults, of_defaults };
        let retryable = input.retryable.or(options.retryable).unwrap_or(true);
        let retry_limit =
            given.checked(input.retry_limit, options.retry_limit.filter(|_| retryable), check_retry_limit);
        let timeout = given.checked(input.timeout, options.timeout, check_timeout);
        let backoff = given.checked(input.backoff.as_ref(), options.backoff.as_ref(), check_backoff);
        let mut config = given.checked(None, options.config.as_ref(), check_config).unwrap_or_default();
        config.extend(given.checked(input.config.as_ref(), None, check_config).unwrap_or_default());
        Self {
            name: input.name.clone(),
            description: input.description.clone(),
            handler: input.handler.clone(),
            policy: StepPolicy {
                retryable,
                // The first attempt at a step that is never tried again is its last, whatever else is said.
                retry_limit: if retryable { retry_limit.unwrap_or(DEFAULT_RETRY_LIMIT) } else { 1 },
                backoff: backoff.unwrap_or_default(),
                timeout: timeout.unwrap_or(Duration::from_secs_f64(DEFAULT_TIMEOUT)),
                interrupt: input.interrupt.or(options.interrupt).unwrap_or(false),
                on_failure: check_on_failure(input, options, path, faults),
            },
            queue: check_queue(input.queue.as_deref(), &format!("{path}.queue"), faults),
            priority: check_priority(input.priority, &format!("{path}.priority"), faults),
            config: Json::of(&config).unwrap_or_else(|_| Json::empty_object()),
            limit: input.limit.as_ref().map(|limit| Limit::build(limit, &format!("{path}.limit"), faults)),
            output: check_schema(input.output.as_ref(), &format!("{path}.output"), faults),
        }
    }

    /// Holds a result against the schema of this step's results, if it has one.
    ///
    /// # Errors
    /// Everything in it that breaks the schema, each with its path below `result`.
    pub fn check_result(&self, result: &Json) -> Result<(), Faults> {
        self.output.as_ref().map_or(Ok(()), |schema| schema.check(result, "result"))
    }
}

/// What a template says for every step.
pub(super) struct Defaults<'a> {
    options: &'a StepOptions,
    /// What is wrong with what steps go by: each once, however many steps do.
    pub faults: Vec<Fault>,
}

impl<'a> Defaults<'a> {
    pub fn new(options: &'a StepOptions) -> Self {
        Self { options, faults: Vec::new() }
    }
}

/// What a step has of its own or from the defaults, checked at the place where it stands.
struct Given<'a> {
    path: &'a str,
    faults: &'a mut Vec<Fault>,
    of_defaults: &'a mut Vec<Fault>,
}

impl Given<'_> {
    fn checked<T, U>(
        &mut self,
        own: Option<T>,
        default: Option<T>,
        check: impl FnOnce(T, &str, &mut Vec<Fault>) -> U,
    ) -> Option<U> {
        if let Some(own) = own {
            return Some(check(own, self.path, self.faults));
        }
        let mut found = Vec::new();
        let checked = check(default?, "defaults", &mut found);
        found.retain(|fault| !self.of_defaults.contains(fault));
        self.of_defaults.extend(found);
        Some(checked)
    }
}

fn check_retry_limit(limit: i64, path: &str, faults: &mut Vec<Fault>) -> u16 {
    u16::try_from(limit).ok().filter(|limit| (1..=10_000).contains(limit)).unwrap_or_else(|| {
        let message = "retry_limit counts the attempts, the first included: 1 to 10000 (for a step that is never tried again: retryable: false)";
        faults.push(Fault::new(format!("{path}.retry_limit"), message).with("1 to 10000", limit.to_string()));
        DEFAULT_RETRY_LIMIT
    })
}

fn check_timeout(timeout: f64, path: &str, faults: &mut Vec<Fault>) -> Duration {
    seconds(timeout).filter(|span| !span.is_zero()).unwrap_or_else(|| {
        faults.push(
            Fault::new(format!("{path}.timeout"), "timeout is a number of seconds above zero")
                .with("seconds above 0", timeout.to_string()),
        );
        Duration::from_secs_f64(DEFAULT_TIMEOUT)
    })
}

/// What the step's final failure means. Nobody would have chosen among the branches of a decision that
/// failed: it can't be left out, and what the template says for every step is not for it.
fn check_on_failure(input: &StepInput, defaults: &StepOptions, path: &str, faults: &mut Vec<Fault>) -> OnFailure {
    if input.branches.is_empty() {
        return input.on_failure.or(defaults.on_failure).unwrap_or_default();
    }
    if input.on_failure == Some(OnFailure::Skip) {
        let message = "a step with branches can't be skipped when it fails: nothing would have been chosen";
        faults.push(Fault::new(format!("{path}.on_failure"), message).with("fail", "skip"));
    }
    OnFailure::Fail
}

fn check_backoff(BackoffInput(figures): &BackoffInput, path: &str, faults: &mut Vec<Fault>) -> Backoff {
    let standard = Backoff::default();
    let mut figure = |name: &str, value: Option<f64>, standard: f64, most: f64| match value {
        Some(value) if value.is_finite() && (0.0..=most).contains(&value) => value,
        Some(value) => {
            let message = format!("{name} is a number from 0 to {most}");
            faults.push(
                Fault::new(format!("{path}.backoff.{name}"), message).with(format!("0 to {most}"), value.to_string()),
            );
            standard
        }
        None => standard,
    };
    const YEAR: f64 = 366.0 * 86_400.0;
    Backoff {
        kind: figures.kind.unwrap_or_default(),
        base: figure("base", figures.base, standard.base, YEAR),
        cap: figure("cap", figures.cap, standard.cap, YEAR),
        jitter: figure("jitter", figures.jitter, standard.jitter, 1.0),
    }
}

/// The keys of a config; those of a step's go over the template's.
fn check_config(config: &Json, path: &str, faults: &mut Vec<Fault>) -> serde_json::Map<String, serde_json::Value> {
    match config.tree() {
        Ok(serde_json::Value::Object(map)) => map,
        _ => {
            let fault = Fault::new(format!("{path}.config"), "config is an object");
            faults.push(fault.with("an object", config.as_str()));
            Default::default()
        }
    }
}

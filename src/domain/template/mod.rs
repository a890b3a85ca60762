//! The definition of a task. A [`TemplateInput`] is what a user wrote, through whichever door; a
//! [`Template`] is the one normalised, validated form of it that everything else reads.

mod difference;
mod input;

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

pub(crate) use input::one_or_many;
pub use input::{BackoffFigures, BackoffInput, OnFailure, StepInput, StepOptions, TemplateInput};

use super::branches::Branches;
use super::fan_out::{EachInput, Groups};
use super::fault::{Fault, Faults, hint};
use super::graph::Graph;
use super::id::StepIndex;
use super::identity::Identity;
use super::json::Json;
use super::limit::{Limit, LimitKey};
use super::retry::Backoff;
use super::schema::Schema;
use super::search;
use super::time::seconds;

/// The namespace of a template that names none.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The version of a template that names none.
pub const DEFAULT_VERSION: &str = "1.0.0";
/// The queue of a step for which nothing else was said.
pub const DEFAULT_QUEUE: &str = "default";
/// How many attempts a step has when nothing else was said.
pub const DEFAULT_RETRY_LIMIT: u16 = 3;
/// How long one attempt may take when nothing else was said, in seconds.
pub const DEFAULT_TIMEOUT: f64 = 300.0;
/// The most steps that one template may have.
pub const MAX_STEPS: usize = 100_000;
/// The longest version, in characters.
pub const MAX_VERSION: usize = 128;
/// The lowest priority.
pub const MIN_PRIORITY: i64 = -32_767;
/// The highest priority.
pub const MAX_PRIORITY: i64 = 32_767;
const MAX_NAME: usize = 128;

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

/// A template, normalised and valid.
#[derive(Clone)]
pub struct Template {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its semantic version.
    pub version: String,
    /// The schema of the context, compiled.
    pub input: Option<Schema>,
    /// How its tasks get their keys.
    pub identity: Identity,
    /// The queue of its steps unless a task or a step says otherwise.
    pub queue: Option<String>,
    /// The priority of its steps unless a task or a step says otherwise.
    pub priority: Option<i16>,
    /// The steps.
    pub steps: Vec<StepTemplate>,
    /// Who needs whom.
    pub graph: Graph,
    /// Which of the steps choose among others.
    pub branches: Branches,
    /// Which of the steps are done for each item of a list.
    pub groups: Groups,
    normal: TemplateInput,
    index_of: HashMap<String, StepIndex>,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({}/{} {}, {} steps)", self.namespace, self.name, self.version, self.steps.len())
    }
}

impl Template {
    /// Normalises and validates what a user wrote.
    ///
    /// # Errors
    /// Every fault in it, each with its path.
    pub fn build(input: TemplateInput) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let namespace = input.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.into());
        let version = input.version.clone().unwrap_or_else(|| DEFAULT_VERSION.into());
        check_name(&namespace, "namespace", &mut faults);
        check_name(&input.name, "name", &mut faults);
        if let Err(error) = semver::Version::parse(&version) {
            faults.push(
                Fault::new("version", format!("{version:?} is not a semantic version: {error}"))
                    .with("a version such as \"1.0.0\"", format!("{version:?}")),
            );
        }
        if version.len() > MAX_VERSION {
            let expected = format!("1 to {MAX_VERSION} characters");
            faults.push(Fault::new("version", format!("has {expected}")).with(expected, version.len().to_string()));
        }
        let schema = check_schema(input.input.as_ref(), "input", &mut faults);
        search::check_paths(&input.search, &mut faults);
        if input.steps.is_empty() {
            faults.push(Fault::new("steps", "a template has at least one step"));
        }
        if input.steps.len() > MAX_STEPS {
            faults.push(Fault::new("steps", format!("a template has at most {MAX_STEPS} steps")));
        }

        let defaults = &input.defaults;
        let queue = check_queue(defaults.queue.as_deref(), "defaults.queue", &mut faults);
        let priority = check_priority(defaults.priority, "defaults.priority", &mut faults);
        let limit = defaults.limit.as_ref().map(|limit| Limit::build(limit, "defaults.limit", &mut faults));
        let build = |(i, step): (usize, &StepInput)| {
            let step = StepTemplate::build(step, defaults, &format!("steps[{i}]"), &mut faults);
            StepTemplate { limit: step.limit.or_else(|| limit.clone()), ..step }
        };
        let steps: Vec<StepTemplate> = input.steps.iter().enumerate().map(build).collect();

        let edges: Vec<(&str, &[String])> =
            input.steps.iter().map(|step| (step.name.as_str(), step.depends_on.as_slice())).collect();
        let graph = Graph::build(&edges).unwrap_or_else(|found| {
            faults.extend(found);
            Graph::default()
        });
        let branches: Vec<(&str, &[String])> =
            input.steps.iter().map(|step| (step.name.as_str(), step.branches.as_slice())).collect();
        let branches = if graph.is_empty() { Ok(Branches::default()) } else { Branches::build(&graph, &branches) };
        let branches = branches.unwrap_or_else(|found| {
            faults.extend(found);
            Branches::default()
        });
        let groups = if graph.is_empty() { Ok(Groups::default()) } else { Groups::build(&graph, &input.steps) };
        let groups = groups.unwrap_or_else(|found| {
            faults.extend(found);
            Groups::default()
        });
        Faults::check(faults)?;

        let index_of = input.steps.iter().enumerate().map(|(i, step)| (step.name.clone(), i as StepIndex)).collect();
        let normal = TemplateInput { namespace: Some(namespace.clone()), version: Some(version.clone()), ..input };
        Ok(Self {
            namespace,
            name: normal.name.clone(),
            version,
            input: schema,
            identity: normal.identity.unwrap_or_default(),
            queue,
            priority,
            steps,
            graph,
            branches,
            groups,
            normal,
            index_of,
        })
    }

    /// The normalised form, under the keys that every door accepts; building it again gives the
    /// same template.
    pub fn normal(&self) -> &TemplateInput {
        &self.normal
    }

    /// The index of the step with this name.
    pub fn index(&self, step: &str) -> Option<StepIndex> {
        self.index_of.get(step).copied()
    }

    /// The definition of the step at this index; of an item's step that of its group.
    pub fn step(&self, index: StepIndex) -> Option<&StepTemplate> {
        self.steps.get(self.home(index) as usize)
    }

    /// ` (did you mean …?)` for a step that does not exist.
    pub fn step_hint(&self, wrong: &str) -> String {
        hint(wrong, self.steps.iter().map(|step| step.name.as_str()))
    }

    /// Whether creating a task looks into its context, beside its schema.
    pub fn looks_into_contexts(&self) -> bool {
        self.identity != Identity::AlwaysUnique || !self.search().is_empty()
    }

    /// The paths into contexts that its tasks can be searched by.
    pub fn search(&self) -> &[String] {
        &self.normal.search
    }

    /// The queue of a step of a task that asks for `of_task`.
    pub fn queue_of<'a>(&'a self, index: StepIndex, of_task: Option<&'a str>) -> &'a str {
        self.step(index)
            .and_then(|step| step.queue.as_deref())
            .or(of_task)
            .or(self.queue.as_deref())
            .unwrap_or(DEFAULT_QUEUE)
    }

    /// The priority of a step of a task that asks for `of_task`.
    pub fn priority_of(&self, index: StepIndex, of_task: Option<i16>) -> i16 {
        self.step(index).and_then(|step| step.priority).or(of_task).or(self.priority).unwrap_or(0)
    }

    /// The limit of a step; `None` where it has none. Of a step that is done for each item of a list, the
    /// items have it.
    pub fn limit(&self, index: StepIndex) -> Option<&Limit> {
        self.step(index).filter(|_| self.groups.each(index).is_none())?.limit.as_ref()
    }

    /// The limit of a step of a task with this context, with its key; see [`Limit::key`]. Versions of a template
    /// count together.
    pub fn limit_of(&self, index: StepIndex, context: &Json, made: Option<&Json>) -> Option<(LimitKey, usize)> {
        let limit = self.limit(index)?;
        let step = self.step(index).map_or("", |step| step.name.as_str());
        Some((limit.key(&format!("{}/{}/{step}", self.namespace, self.name), context, made), limit.running))
    }

    /// What a version fixes once a task uses it: the steps' names, their edges, branches and
    /// lists, the schemas. Of a list that the host makes it is fixed that there is one.
    pub fn fixed(&self) -> Fixed<'_> {
        let steps = self.normal.steps.iter().map(|step| {
            let mut depends_on: Vec<&str> = step.depends_on.iter().map(String::as_str).collect();
            depends_on.sort_unstable();
            let mut branches: Vec<&str> = step.branches.iter().map(String::as_str).collect();
            branches.sort_unstable();
            FixedStep { name: &step.name, depends_on, branches, each: step.each.as_ref(), output: step.output.as_ref() }
        });
        Fixed { input: self.normal.input.as_ref(), steps: steps.collect() }
    }
}

/// See [`Template::fixed`].
#[derive(Debug, Serialize)]
pub struct Fixed<'a> {
    input: Option<&'a Json>,
    steps: Vec<FixedStep<'a>>,
}

#[derive(Debug, Serialize)]
struct FixedStep<'a> {
    name: &'a str,
    depends_on: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    branches: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    each: Option<&'a EachInput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a Json>,
}

impl StepTemplate {
    fn build(input: &StepInput, defaults: &StepOptions, path: &str, faults: &mut Vec<Fault>) -> Self {
        check_name(&input.name, &format!("{path}.name"), faults);
        let retryable = input.retryable.or(defaults.retryable).unwrap_or(true);
        let retry_limit = match (input.retry_limit.or(defaults.retry_limit), retryable) {
            (limit, false) if limit.is_none_or(|limit| limit == 1) || input.retry_limit.is_none() => 1,
            (None, _) => DEFAULT_RETRY_LIMIT,
            (Some(limit), _) => u16::try_from(limit).ok().filter(|limit| (1..=10_000).contains(limit)).unwrap_or_else(|| {
                let message = "retry_limit counts the attempts, the first included: 1 to 10000 (for a step that is never tried again: retryable: false)";
                faults.push(Fault::new(format!("{path}.retry_limit"), message).with("1 to 10000", limit.to_string()));
                DEFAULT_RETRY_LIMIT
            }),
        };
        let timeout = input.timeout.or(defaults.timeout).unwrap_or(DEFAULT_TIMEOUT);
        let timeout = seconds(timeout).filter(|span| !span.is_zero()).unwrap_or_else(|| {
            faults.push(
                Fault::new(format!("{path}.timeout"), "timeout is a number of seconds above zero")
                    .with("seconds above 0", timeout.to_string()),
            );
            Duration::from_secs_f64(DEFAULT_TIMEOUT)
        });
        let config = merge_config(defaults.config.as_ref(), input.config.as_ref(), path, faults);
        Self {
            name: input.name.clone(),
            description: input.description.clone(),
            handler: input.handler.clone(),
            policy: StepPolicy {
                retryable,
                retry_limit,
                backoff: check_backoff(input.backoff.as_ref().or(defaults.backoff.as_ref()), path, faults),
                timeout,
                interrupt: input.interrupt.or(defaults.interrupt).unwrap_or(false),
                on_failure: check_on_failure(input, defaults, path, faults),
            },
            queue: check_queue(input.queue.as_deref(), &format!("{path}.queue"), faults),
            priority: check_priority(input.priority, &format!("{path}.priority"), faults),
            config,
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

/// A name: 1 to 128 characters, none of them a control character or `/` (a step's id is printed
/// as `task id/step name`).
pub fn check_name(name: &str, path: &str, faults: &mut Vec<Fault>) {
    let length = name.chars().count();
    if !(1..=MAX_NAME).contains(&length) {
        faults.push(
            Fault::new(path, format!("a name has 1 to {MAX_NAME} characters"))
                .with(format!("1 to {MAX_NAME} characters"), format!("{length}")),
        );
    } else if name.chars().any(|c| c.is_control() || c == '/') || name.trim() != name {
        let message = format!("{name:?} is not a name: no control character, no \"/\", no space at its ends");
        faults.push(Fault::new(path, message).with("a plain name", format!("{name:?}")));
    }
}

fn check_schema(source: Option<&Json>, path: &str, faults: &mut Vec<Fault>) -> Option<Schema> {
    Schema::compile(source?, path).map_err(|fault| faults.push(fault)).ok()
}

fn check_queue(queue: Option<&str>, path: &str, faults: &mut Vec<Fault>) -> Option<String> {
    if let Some(queue) = queue {
        check_name(queue, path, faults);
    }
    queue.map(str::to_owned)
}

/// A priority, higher first.
fn check_priority(priority: Option<i64>, path: &str, faults: &mut Vec<Fault>) -> Option<i16> {
    let priority = priority?;
    let found = i16::try_from(priority).ok().filter(|_| (MIN_PRIORITY..=MAX_PRIORITY).contains(&priority));
    if found.is_none() {
        let expected = format!("{MIN_PRIORITY} to {MAX_PRIORITY}");
        faults.push(Fault::new(path, format!("a priority is {expected}")).with(expected, priority.to_string()));
    }
    found
}

fn check_backoff(input: Option<&BackoffInput>, path: &str, faults: &mut Vec<Fault>) -> Backoff {
    let standard = Backoff::default();
    let Some(BackoffInput(figures)) = input else { return standard };
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

/// The step's config over the template's, key by key.
fn merge_config(defaults: Option<&Json>, own: Option<&Json>, path: &str, faults: &mut Vec<Fault>) -> Json {
    let mut merged = serde_json::Map::new();
    for (config, path) in [(defaults, "defaults.config".to_owned()), (own, format!("{path}.config"))] {
        match config.map(Json::tree) {
            None => {}
            Some(Ok(serde_json::Value::Object(map))) => merged.extend(map),
            Some(_) => {
                faults.push(Fault::new(path, "config is an object").with("an object", config.map_or("", Json::as_str)))
            }
        }
    }
    Json::of(&merged).unwrap_or_else(|_| Json::empty_object())
}

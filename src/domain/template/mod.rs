//! The definition of a task. A [`TemplateInput`] is what a user wrote, through whichever door; a
//! [`Template`] is the one normalised, validated form of it that everything else reads.
//!
//! * [`input`]: the keys. [`step`]: one step. [`checks`]: rules in common. [`fixed`]: what a version fixes, and
//!   [`difference`], what another definition has otherwise.

mod checks;
mod difference;
mod fixed;
mod input;
mod step;

use std::collections::HashMap;

pub use checks::{MAX_PRIORITY, MAX_VERSION, MIN_PRIORITY, check_name};
use checks::{check_priority, check_queue, check_schema, check_version};
pub use fixed::Fixed;
pub(crate) use input::one_or_many;
pub use input::{BackoffFigures, BackoffInput, OnFailure, StepInput, StepOptions, TemplateInput};
use step::Defaults;
pub use step::{DEFAULT_RETRY_LIMIT, DEFAULT_TIMEOUT, StepPolicy, StepTemplate};

use super::branches::Branches;
use super::fan_out::Groups;
use super::fault::{Fault, Faults, hint};
use super::graph::Graph;
use super::id::StepIndex;
use super::identity::Identity;
use super::json::Json;
use super::limit::{Limit, LimitKey};
use super::schema::Schema;
use super::search;

/// The namespace of a template that names none.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The version of a template that names none.
pub const DEFAULT_VERSION: &str = "1.0.0";
/// The queue of a step for which nothing else was said.
pub const DEFAULT_QUEUE: &str = "default";
/// The most steps that one template may have.
pub const MAX_STEPS: usize = 100_000;

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
        check_version(&version, "version", &mut faults);
        let schema = check_schema(input.input.as_ref(), "input", &mut faults);
        search::check_paths(&input.search, &mut faults);
        check_count(input.steps.len(), &mut faults);

        let defaults = &input.defaults;
        let queue = check_queue(defaults.queue.as_deref(), "defaults.queue", &mut faults);
        let priority = check_priority(defaults.priority, "defaults.priority", &mut faults);
        let steps = build_steps(&input, &mut faults);
        let (graph, branches, groups) = connect(&input.steps, &mut faults);
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
}

fn check_count(steps: usize, faults: &mut Vec<Fault>) {
    if steps == 0 {
        faults.push(Fault::new("steps", "a template has at least one step"));
    }
    if steps > MAX_STEPS {
        faults.push(Fault::new("steps", format!("a template has at most {MAX_STEPS} steps")));
    }
}

fn build_steps(input: &TemplateInput, faults: &mut Vec<Fault>) -> Vec<StepTemplate> {
    let limit = input.defaults.limit.as_ref().map(|limit| Limit::build(limit, "defaults.limit", faults));
    let (mut defaults, mut of_steps) = (Defaults::new(&input.defaults), Vec::new());
    let build = |(i, step): (usize, &StepInput)| {
        let step = StepTemplate::build(step, &mut defaults, &format!("steps[{i}]"), &mut of_steps);
        StepTemplate { limit: step.limit.or_else(|| limit.clone()), ..step }
    };
    let steps = input.steps.iter().enumerate().map(build).collect();
    faults.extend(defaults.faults);
    faults.extend(of_steps);
    steps
}

/// Who needs whom, who chooses among whom, who is done for a list's items. Of a graph that has faults nothing else is
/// asked.
fn connect(steps: &[StepInput], faults: &mut Vec<Fault>) -> (Graph, Branches, Groups) {
    let edges: Vec<(&str, &[String])> =
        steps.iter().map(|step| (step.name.as_str(), step.depends_on.as_slice())).collect();
    let graph = or_note(Graph::build(&edges), faults);
    if graph.is_empty() {
        return Default::default();
    }
    let branches: Vec<(&str, &[String])> =
        steps.iter().map(|step| (step.name.as_str(), step.branches.as_slice())).collect();
    let branches = or_note(Branches::build(&graph, &branches), faults);
    let groups = or_note(Groups::build(&graph, steps), faults);
    (graph, branches, groups)
}

fn or_note<T: Default>(built: Result<T, Vec<Fault>>, faults: &mut Vec<Fault>) -> T {
    built.unwrap_or_else(|found| {
        faults.extend(found);
        T::default()
    })
}

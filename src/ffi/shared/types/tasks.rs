//! What is asked of tasks: to create, to list and to count them.

use serde::Deserialize;
use serde_json::Value;
use validator::{Validate, ValidationError};

use super::moment::Moment;
use super::rules::{self, Context, Key, MAX_TAGS, Tag};
use crate::domain::fault::{Fault, Faults, hint};
use crate::domain::id::TaskId;
use crate::domain::json::Json;
use crate::domain::search::{self, Term};
use crate::domain::state::TaskState;
use crate::domain::template::{DEFAULT_NAMESPACE, MAX_PRIORITY, MIN_PRIORITY};
use crate::engine::intent::TaskIntent;
use crate::ffi::shared::reading::{Input, is_hidden};
use crate::ffi::shared::validation::{self, broken};
use crate::storage::rows::{Span, TaskFilter};

/// What to do when a key belongs to another task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// An error that names it.
    #[default]
    Raise,
    /// Give it back.
    Return,
}

/// `create_task`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct CreateTaskInput {
    #[validate(custom(function = "rules::name"))]
    name: String,
    #[serde(default)]
    #[validate(custom(function = "rules::name"))]
    namespace: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::version"))]
    version: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::object"))]
    context: Option<Json>,
    #[serde(default)]
    #[validate(custom(function = "rules::key"))]
    key: Option<String>,
    #[serde(default)]
    on_duplicate: Option<OnDuplicate>,
    #[serde(default)]
    #[validate(range(min = MIN_PRIORITY, max = MAX_PRIORITY))]
    priority: Option<i64>,
    #[serde(default)]
    #[validate(custom(function = "rules::name"))]
    queue: Option<String>,
    #[serde(default)]
    run_at: Option<Moment>,
    #[serde(default)]
    #[validate(length(max = MAX_TAGS), nested)]
    tags: Option<Vec<Tag>>,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    initiator: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    reason: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::headers"))]
    headers: Option<Json>,
}

/// `create_tasks`: as many tasks as there are contexts.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[validate(schema(function = "a_key_for_each_context", skip_on_field_errors = false))]
pub struct CreateTasksInput {
    #[validate(custom(function = "rules::name"))]
    name: String,
    #[serde(default)]
    #[validate(custom(function = "rules::name"))]
    namespace: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::version"))]
    version: Option<String>,
    #[validate(nested)]
    contexts: Vec<Context>,
    #[serde(default)]
    #[validate(nested)]
    keys: Option<Vec<Key>>,
    #[serde(default)]
    on_duplicate: Option<OnDuplicate>,
    #[serde(default)]
    #[validate(range(min = MIN_PRIORITY, max = MAX_PRIORITY))]
    priority: Option<i64>,
    #[serde(default)]
    #[validate(custom(function = "rules::name"))]
    queue: Option<String>,
    #[serde(default)]
    run_at: Option<Moment>,
    #[serde(default)]
    #[validate(length(max = MAX_TAGS), nested)]
    tags: Option<Vec<Tag>>,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    initiator: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::reason"))]
    reason: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::headers"))]
    headers: Option<Json>,
}

fn a_key_for_each_context(input: &CreateTasksInput) -> Result<(), ValidationError> {
    let contexts = input.contexts.len();
    match input.keys.as_ref().map(Vec::len) {
        Some(keys) if keys != contexts => {
            let message = format!("there are {keys} keys for {contexts} contexts; give one for each");
            Err(broken(Fault::new("keys", message).with(contexts.to_string(), keys.to_string())))
        }
        _ => Ok(()),
    }
}

/// The template that tasks are to run.
#[derive(Clone, Debug)]
pub struct WantedTemplate {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version; the highest where `None`.
    pub version: Option<String>,
}

/// `template`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct FindTemplateInput {
    #[serde(default)]
    #[validate(custom(function = "sought"))]
    namespace: Option<String>,
    #[validate(custom(function = "sought"))]
    name: String,
    #[serde(default)]
    #[validate(custom(function = "sought"))]
    version: Option<String>,
}

impl Input for FindTemplateInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl FindTemplateInput {
    /// The template that is meant.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_wanted(self) -> Result<WantedTemplate, Faults> {
        self.check()?;
        Ok(wanted(self.namespace, self.name, self.version))
    }
}

fn wanted(namespace: Option<String>, name: String, version: Option<String>) -> WantedTemplate {
    WantedTemplate { namespace: namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.into()), name, version }
}

/// A priority that its rule let pass.
fn narrow(priority: Option<i64>) -> Option<i16> {
    priority.and_then(|priority| i16::try_from(priority).ok())
}

fn plain(tags: Option<Vec<Tag>>) -> Vec<String> {
    tags.into_iter().flatten().map(|tag| tag.0).collect()
}

impl Input for CreateTaskInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl CreateTaskInput {
    /// The template and what is asked of it.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_intent(self) -> Result<(WantedTemplate, TaskIntent), Faults> {
        self.check()?;
        let intent = TaskIntent {
            context: self.context,
            key: self.key,
            return_existing: self.on_duplicate.unwrap_or_default() == OnDuplicate::Return,
            priority: narrow(self.priority),
            queue: self.queue,
            run_at: self.run_at.map(|moment| moment.0),
            tags: plain(self.tags),
            initiator: self.initiator,
            reason: self.reason,
            headers: self.headers,
        };
        Ok((wanted(self.namespace, self.name, self.version), intent))
    }
}

impl Input for CreateTasksInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }

    /// How many keys there ought to be is known only when the contexts are.
    fn follows(fault: &Fault, earlier: &[Fault]) -> bool {
        is_hidden(fault, earlier) || (fault.path == "keys" && earlier.iter().any(|other| other.path == "contexts"))
    }
}

impl CreateTasksInput {
    /// The template and what is asked of it, once for each context.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_intents(self) -> Result<(WantedTemplate, Vec<TaskIntent>), Faults> {
        self.check()?;
        let common = TaskIntent {
            return_existing: self.on_duplicate.unwrap_or_default() == OnDuplicate::Return,
            priority: narrow(self.priority),
            queue: self.queue,
            run_at: self.run_at.map(|moment| moment.0),
            tags: plain(self.tags),
            initiator: self.initiator,
            reason: self.reason,
            headers: self.headers,
            ..TaskIntent::default()
        };
        let keys = self.keys.into_iter().flatten().map(|key| key.0).chain(std::iter::repeat(None));
        let intents = self.contexts.into_iter().zip(keys);
        let intents = intents.map(|(context, key)| TaskIntent { context: Some(context.0), key, ..common.clone() });
        Ok((wanted(self.namespace, self.name, self.version), intents.collect()))
    }
}

/// `tasks` and `count`.
#[derive(Debug, Default, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct ListTasksInput {
    #[serde(default, deserialize_with = "crate::domain::template::one_or_many")]
    #[validate(custom(function = "states"))]
    status: Vec<String>,
    #[serde(default)]
    #[validate(custom(function = "sought"))]
    namespace: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "sought"))]
    name: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "sought"))]
    version: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "sought"))]
    key: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "sought"))]
    tag: Option<String>,
    /// With an annotation of this type.
    #[serde(default)]
    #[validate(custom(function = "sought"))]
    annotation: Option<String>,
    /// Values in the context, at paths that a template declares searchable.
    #[serde(default)]
    #[validate(custom(function = "rules::object"))]
    context: Option<Json>,
    /// At this moment or later.
    #[serde(default)]
    created_after: Option<Moment>,
    /// Earlier than this moment.
    #[serde(default)]
    created_before: Option<Moment>,
    /// See `created_after`.
    #[serde(default)]
    finished_after: Option<Moment>,
    /// See `created_before`.
    #[serde(default)]
    finished_before: Option<Moment>,
    /// The id of the last task of the page before this one.
    #[serde(default)]
    #[validate(custom(function = "task_id"))]
    before: Option<String>,
    #[serde(default)]
    #[validate(range(min = 1, max = 1_000))]
    limit: Option<i64>,
}

/// A page of tasks that is asked for.
#[derive(Debug)]
pub struct Page {
    /// Which tasks.
    pub filter: TaskFilter,
    /// The last task of the page before this one.
    pub before: Option<TaskId>,
    /// How many.
    pub limit: usize,
}

fn states(names: &[String]) -> Result<(), ValidationError> {
    let unknown: Vec<&String> = names.iter().filter(|name| TaskState::parse(name).is_none()).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let valid = TaskState::ALL.iter().map(|state| state.as_str());
    let told = unknown.iter().map(|name| format!("a task has no status {name:?}{}", hint(name, valid.clone())));
    let fault = Fault::new("", told.collect::<Vec<_>>().join("; "));
    Err(broken(fault.with(valid.collect::<Vec<_>>().join(", "), format!("{unknown:?}"))))
}

/// What a stored text may be compared with.
fn sought(text: &str) -> Result<(), ValidationError> {
    if text.is_empty() { Ok(()) } else { rules::key(text) }
}

fn task_id(text: &str) -> Result<(), ValidationError> {
    parse_task_id(text).map(|_| ()).map_err(|fault| broken(Fault { path: String::new(), ..fault }))
}

impl Input for ListTasksInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)?;
        self.terms().map(|_| ())
    }
}

impl ListTasksInput {
    /// What the context is searched for.
    fn terms(&self) -> Result<Vec<Term>, Faults> {
        match self.context.as_ref().map(Json::tree) {
            None => Ok(Vec::new()),
            Some(Ok(Value::Object(context))) => search::sought(&context, "context"),
            Some(_) => Err(Fault::new("context", "is an object of paths and values").into()),
        }
    }

    /// The filter alone.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_filter(self) -> Result<TaskFilter, Faults> {
        Ok(self.into_page()?.filter)
    }

    /// The filter of an operation on all tasks that match.
    ///
    /// # Errors
    /// Everything that breaks its rules; a page instead of conditions, or no condition.
    pub fn into_conditions(self) -> Result<TaskFilter, Faults> {
        let paged = [("limit", self.limit.is_some()), ("before", self.before.is_some())];
        let faults = paged.into_iter().filter(|(_, given)| *given).map(|(name, _)| {
            Fault::new(name, "is for listings; this is done to all tasks that match").with("nothing", "a value")
        });
        Faults::check(faults.collect())?;
        let filter = self.into_filter()?;
        if filter == TaskFilter::default() {
            let message = "say which tasks are meant, as with status: or namespace:";
            return Err(Fault::new("", message).with("a condition", "none").into());
        }
        Ok(filter)
    }

    /// The page; 100 tasks unless it says otherwise.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_page(self) -> Result<Page, Faults> {
        validation::check(&self)?;
        let terms = self.terms()?;
        let span = |from: Option<Moment>, before: Option<Moment>| Span {
            from: from.map(|moment| moment.0),
            before: before.map(|moment| moment.0),
        };
        let filter = TaskFilter {
            states: self.status.iter().filter_map(|name| TaskState::parse(name)).collect(),
            namespace: self.namespace,
            name: self.name,
            version: self.version,
            key: self.key,
            tag: self.tag,
            annotation: self.annotation,
            terms,
            created: span(self.created_after, self.created_before),
            finished: span(self.finished_after, self.finished_before),
        };
        let before = self.before.as_deref().map(parse_task_id).transpose()?;
        let limit = self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100);
        Ok(Page { filter, before, limit })
    }
}

/// A task's id given as text.
///
/// # Errors
/// When it is none.
pub fn parse_task_id(text: &str) -> Result<TaskId, Fault> {
    text.parse().map_err(|_| {
        Fault::new("id", format!("{text:?} is not a task's id"))
            .with("a UUID such as 0190a6e2-7c1b-7000-8000-000000000000", format!("{text:?}"))
    })
}

//! Typed outputs: snapshots of tasks, steps and their history. Each is also JSON, with the fields that every
//! language shows.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::moment::Moment;
use crate::domain::fault::Faults;
use crate::domain::id::{StepIndex, TaskId};
use crate::domain::json::Json;
use crate::domain::state::TaskState;
use crate::domain::template::{DEFAULT_QUEUE, StepTemplate, Template};
use crate::domain::time::Timestamp;
use crate::engine::catalog::StoredTemplate;
use crate::engine::creation::NewTasks;
use crate::storage::rows::{HistoryRow, NewTask, StepRow, TaskRow};

/// A snapshot of a task. There may be very many: it holds nothing that its template says, too.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// What is its own.
    pub row: TaskFacts,
    /// Its template.
    pub stored: Arc<StoredTemplate>,
}

/// A stored task without the names of its template. Its fields are those of [`TaskRow`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct TaskFacts {
    pub id: TaskId,
    pub state: TaskState,
    pub key: Option<Box<str>>,
    pub priority: Option<i16>,
    pub queue: Option<Box<str>>,
    pub tags: Box<[Box<str>]>,
    pub initiator: Option<Box<str>>,
    pub reason: Option<Box<str>>,
    pub run_at: Option<Timestamp>,
    pub context: Json,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub error: Option<Json>,
}

impl TaskView {
    /// A task as it is stored.
    pub(in crate::ffi::shared) fn of_stored(row: TaskRow, stored: Arc<StoredTemplate>) -> Self {
        let row = TaskFacts {
            id: row.id,
            state: row.state,
            key: row.key.map(Into::into),
            priority: row.priority,
            queue: row.queue.map(Into::into),
            tags: row.tags.into_iter().map(Into::into).collect(),
            initiator: row.initiator.map(Into::into),
            reason: row.reason.map(Into::into),
            run_at: row.run_at,
            context: row.context,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            error: row.error,
        };
        Self { row, stored }
    }

    /// A task as it was committed by [`crate::engine::Engine::create`].
    pub(in crate::ffi::shared) fn of_new(planned: NewTask, stored: Arc<StoredTemplate>, made: &NewTasks) -> Self {
        let started = made.started.contains(&planned.id);
        let mut view = Self::of_planned(planned, stored);
        view.row.created_at = made.at;
        if started {
            view.row.state = TaskState::InProgress;
            view.row.started_at = Some(made.claimed_at);
        }
        view
    }

    /// A task that is to be created. When it will be is not known: it says when it got its id.
    pub(in crate::ffi::shared) fn of_planned(planned: NewTask, stored: Arc<StoredTemplate>) -> Self {
        let row = TaskFacts {
            id: planned.id,
            state: TaskState::Pending,
            key: planned.key.map(Into::into),
            priority: planned.priority,
            queue: planned.queue.map(Into::into),
            tags: planned.tags.into_iter().map(Into::into).collect(),
            initiator: planned.initiator.map(Into::into),
            reason: planned.reason.map(Into::into),
            run_at: planned.run_at,
            context: planned.context,
            created_at: planned.id.made_at(),
            started_at: None,
            finished_at: None,
            error: None,
        };
        Self { row, stored }
    }

    /// Its template.
    pub fn template(&self) -> &Template {
        &self.stored.template
    }

    /// Its priority, its own or the template's.
    pub fn priority(&self) -> i16 {
        self.row.priority.or(self.template().priority).unwrap_or(0)
    }

    /// Its queue, its own or the template's.
    pub fn queue(&self) -> &str {
        self.row.queue.as_deref().or(self.template().queue.as_deref()).unwrap_or(DEFAULT_QUEUE)
    }

    /// How many bytes of memory it owns outside of itself. Its template is shared and not counted.
    pub fn heap_bytes(&self) -> usize {
        let row = &self.row;
        let texts = [&row.key, &row.queue, &row.initiator, &row.reason].into_iter().flatten();
        let tags = size_of_val(&*row.tags);
        let texts: usize = texts.chain(&*row.tags).map(|text| text.len()).sum();
        texts + tags + json_bytes([Some(&row.context), row.error.as_ref()])
    }
}

/// A snapshot of a step.
#[derive(Clone, Debug)]
pub struct StepView {
    /// Its task as it was at the same time.
    pub task: Arc<TaskView>,
    /// What is stored.
    pub row: StepRow,
}

impl StepView {
    /// `task id/step name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.task.row.id, self.name())
    }

    /// Its definition.
    pub fn definition(&self) -> Option<&StepTemplate> {
        self.task.template().step(self.row.index)
    }

    /// Holds a result that is given to it by hand against its output schema. A list's is that of what each
    /// of its items comes to.
    ///
    /// # Errors
    /// Everything in it that breaks the schema.
    pub fn check_result(&self, result: &Json) -> Result<(), Faults> {
        let is_list = self.task.template().groups.each(self.row.index).is_some();
        let definition = self.definition().filter(|_| !is_list);
        definition.map_or(Ok(()), |step| step.check_result(result))
    }

    /// Its name.
    pub fn name(&self) -> Cow<'_, str> {
        self.task.template().name_of(self.row.index).unwrap_or_default()
    }

    /// Of an item's step, the name of the step with the list.
    pub fn item_of(&self) -> Option<&str> {
        let template = self.task.template();
        let (&group, _) = template.groups.item(self.row.index)?;
        Some(template.step(group)?.name.as_str())
    }

    /// Its priority: its own, else its task's.
    pub fn priority(&self) -> i16 {
        self.task.template().priority_of(self.row.index, self.task.row.priority)
    }

    /// Its queue: its own, else its task's.
    pub fn queue(&self) -> &str {
        self.task.template().queue_of(self.row.index, self.task.row.queue.as_deref())
    }

    /// The names of the steps it needs.
    pub fn depends_on(&self) -> impl Iterator<Item = &str> {
        let template = self.task.template();
        template
            .parents(self.row.index)
            .iter()
            .filter_map(|&index: &StepIndex| Some(template.step(index)?.name.as_str()))
    }

    /// The names of the branches that it chose, once it has.
    pub fn route(&self) -> Option<impl Iterator<Item = &str>> {
        self.row.route.as_deref().map(|route| self.task.template().names(route))
    }

    /// How many bytes of memory it owns outside of itself, with its part of the task that it shares with the other
    /// steps of the same look.
    pub fn heap_bytes(&self) -> usize {
        let shared = size_of::<TaskView>() + self.task.heap_bytes();
        shared / Arc::strong_count(&self.task).max(1)
            + json_bytes([&self.row.result, &self.row.error, &self.row.checkpoint, &self.row.item].map(Option::as_ref))
    }
}

/// A recorded transition, with the names of its task and step.
#[derive(Clone, Debug)]
pub struct HistoryView {
    /// The task.
    pub task: TaskId,
    /// The step's name; `None` for the task itself.
    pub step: Option<String>,
    /// What is stored.
    pub row: HistoryRow,
}

impl HistoryView {
    /// How many bytes of memory it owns outside of itself.
    pub fn heap_bytes(&self) -> usize {
        let states = self.row.from.as_ref().map_or(0, String::capacity) + self.row.to.capacity();
        states + self.step.as_ref().map_or(0, String::capacity) + json_bytes([self.row.detail.as_ref()])
    }

    /// What is noted with it under this name, where that is a text.
    fn noted(&self, name: &str) -> Option<String> {
        let tree = self.row.detail.as_ref()?.tree().ok()?;
        Some(tree.get(name)?.as_str()?.to_owned())
    }

    /// Who asked for it by hand.
    pub fn by(&self) -> Option<String> {
        self.noted("by")
    }

    /// Why.
    pub fn reason(&self) -> Option<String> {
        self.noted("reason")
    }

    /// The failure that led to it.
    pub fn error(&self) -> Option<Json> {
        let tree = self.row.detail.as_ref()?.tree().ok()?;
        Json::of(tree.get("error")?).ok()
    }

    /// The attempt it belongs to; `None` for the task itself.
    pub fn attempt(&self) -> Option<u16> {
        self.step.as_ref().map(|_| self.row.attempt)
    }
}

/// The bytes of texts, with the two counters before each.
pub(super) fn json_bytes<'a>(texts: impl IntoIterator<Item = Option<&'a Json>>) -> usize {
    texts.into_iter().flatten().map(|json| json.as_str().len() + 2 * size_of::<usize>()).sum()
}

#[derive(Serialize)]
struct TaskFields<'a> {
    id: TaskId,
    namespace: &'a str,
    name: &'a str,
    version: &'a str,
    status: &'a str,
    context: &'a Json,
    key: Option<&'a str>,
    priority: i16,
    queue: &'a str,
    tags: &'a [Box<str>],
    initiator: Option<&'a str>,
    reason: Option<&'a str>,
    run_at: Option<Moment>,
    created_at: Moment,
    started_at: Option<Moment>,
    finished_at: Option<Moment>,
    error: Option<&'a Json>,
}

impl Serialize for TaskView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (row, template) = (&self.row, self.template());
        let fields = TaskFields {
            id: row.id,
            namespace: &template.namespace,
            name: &template.name,
            version: &template.version,
            status: row.state.as_str(),
            context: &row.context,
            key: row.key.as_deref(),
            priority: self.priority(),
            queue: self.queue(),
            tags: &row.tags,
            initiator: row.initiator.as_deref(),
            reason: row.reason.as_deref(),
            run_at: row.run_at.map(Moment),
            created_at: Moment(row.created_at),
            started_at: row.started_at.map(Moment),
            finished_at: row.finished_at.map(Moment),
            error: row.error.as_ref(),
        };
        fields.serialize(serializer)
    }
}

#[derive(Serialize)]
struct StepFields<'a> {
    id: String,
    task_id: TaskId,
    name: &'a str,
    status: &'a str,
    result: Option<&'a Json>,
    attempts: u16,
    error: Option<&'a Json>,
    depends_on: Vec<&'a str>,
    queue: &'a str,
    priority: i16,
    started_at: Option<Moment>,
    finished_at: Option<Moment>,
    next_retry_at: Option<Moment>,
    config: Option<&'a Json>,
    checkpoint: Option<&'a Json>,
    route: Option<Vec<&'a str>>,
    item: Option<&'a Json>,
}

impl Serialize for StepView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (row, name) = (&self.row, self.name());
        let fields = StepFields {
            id: self.id(),
            task_id: self.task.row.id,
            name: &name,
            status: row.state.as_str(),
            result: row.result.as_ref(),
            attempts: row.attempts,
            error: row.error.as_ref(),
            depends_on: self.depends_on().collect(),
            queue: self.queue(),
            priority: self.priority(),
            started_at: row.started_at.map(Moment),
            finished_at: row.finished_at.map(Moment),
            next_retry_at: row.next_retry_at.map(Moment),
            config: self.definition().map(|step| &step.config),
            checkpoint: row.checkpoint.as_ref(),
            route: self.route().map(Iterator::collect),
            item: row.item.as_ref(),
        };
        fields.serialize(serializer)
    }
}

#[derive(Serialize)]
struct HistoryFields<'a> {
    task_id: TaskId,
    step_name: Option<&'a str>,
    from: Option<&'a str>,
    to: &'a str,
    at: Moment,
    by: Option<String>,
    reason: Option<String>,
    attempt: Option<u16>,
    error: Option<Json>,
    session_id: Option<String>,
    metadata: Option<&'a Json>,
}

impl Serialize for HistoryView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = &self.row;
        let fields = HistoryFields {
            task_id: self.task,
            step_name: self.step.as_deref(),
            from: row.from.as_deref(),
            to: &row.to,
            at: Moment(row.at),
            by: self.by(),
            reason: self.reason(),
            attempt: self.attempt(),
            error: self.error(),
            session_id: row.by.map(|session| session.0.to_string()),
            metadata: row.detail.as_ref(),
        };
        fields.serialize(serializer)
    }
}

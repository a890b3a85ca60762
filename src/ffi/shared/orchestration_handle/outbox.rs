//! Tasks whose ids are known before they are created: held back until a transaction of the host's is committed, or
//! written into an outbox as text.

use std::sync::Arc;

use super::OrchestrationHandle;
use crate::domain::id::TaskId;
use crate::engine::error::{EngineError, Result};
use crate::engine::intent::TaskIntent;
use crate::engine::outbox::Letter;
use crate::engine::transactions::create::TaskPlan;
use crate::ffi::shared::call::Call;
use crate::ffi::shared::types::{CreateTaskInput, CreateTasksInput, TaskView, WantedTemplate, parse_task_id};

/// Tasks that were checked, and have ids, and are not created yet.
pub struct PreparedTasks {
    plans: Vec<TaskPlan>,
}

impl PreparedTasks {
    fn new(plans: Vec<TaskPlan>) -> Self {
        let promised = |plan| TaskPlan { promised: true, ..plan };
        Self { plans: plans.into_iter().map(promised).collect() }
    }

    /// Their ids.
    pub fn ids(&self) -> impl Iterator<Item = TaskId> {
        self.plans.iter().map(|plan| plan.row.id)
    }

    /// Each as it is to be created. When that will be is not known: what it says of that is when it was prepared.
    pub fn views(&self) -> impl Iterator<Item = TaskView> {
        self.plans.iter().map(|plan| TaskView::of_planned(plan.row.clone(), plan.stored.clone()))
    }

    /// Each as text, for an outbox.
    ///
    /// # Errors
    /// When a context is no JSON.
    pub fn letters(&self) -> Result<Vec<String>> {
        let letter = |plan| Letter::write(plan).map_err(|error| EngineError::internal(error.to_string()));
        self.plans.iter().map(letter).collect()
    }
}

impl OrchestrationHandle {
    /// Checks a task as [`OrchestrationHandle::create_task`] does.
    pub fn prepare_task(self: &Arc<Self>, input: CreateTaskInput) -> Call<PreparedTasks> {
        let asked = input.into_intent();
        self.run(|engine, handle| async move {
            let (wanted, intent) = asked?;
            let stored = handle.template(&engine, &wanted).await?;
            Ok(PreparedTasks::new(vec![intent.plan(&stored, "context", handle.limits().of_context())?]))
        })
    }

    /// Checks tasks as [`OrchestrationHandle::create_tasks`] does.
    pub fn prepare_tasks(self: &Arc<Self>, input: CreateTasksInput) -> Call<PreparedTasks> {
        let asked: Result<(WantedTemplate, Vec<TaskIntent>), _> = input.into_intents();
        self.run(|engine, handle| async move {
            let (wanted, intents) = asked?;
            Ok(PreparedTasks::new(handle.plans(&engine, &wanted, intents).await?))
        })
    }

    /// Creates what was prepared, in one transaction, unless it is there already.
    pub fn create_prepared(self: &Arc<Self>, prepared: &PreparedTasks) -> Call<Vec<TaskId>> {
        let plans = prepared.plans.clone();
        self.run(|engine, _| async move {
            if plans.is_empty() { Ok(Vec::new()) } else { Ok(engine.create(plans).await?.ids) }
        })
    }

    /// Creates the task that a row of an outbox asks for, unless it is there already.
    pub fn create_from_outbox(self: &Arc<Self>, id: &str, text: &str) -> Call<TaskId> {
        let read = parse_task_id(id).map_err(EngineError::from).and_then(|id| {
            let unreadable = |error| EngineError::Configuration(format!("a row of an outbox can't be read: {error}"));
            Ok((id, Letter::read(text).map_err(unreadable)?))
        });
        self.run(|engine, handle| async move {
            let (id, letter) = read?;
            let version = Some(letter.version.clone());
            let wanted = WantedTemplate { namespace: letter.namespace.clone(), name: letter.name.clone(), version };
            let stored = handle.template(&engine, &wanted).await?;
            let made = engine.create(vec![letter.plan(id, &stored)?]).await?;
            made.ids.first().copied().ok_or_else(|| EngineError::internal("a task was created without an id"))
        })
    }

    /// Makes tasks of these rows of the outbox in this handle's database, or of all that are due; each row
    /// with its task.
    pub fn expand_outbox(self: &Arc<Self>, ids: Option<Vec<String>>) -> Call<Vec<(TaskId, TaskId)>> {
        let ids = ids.map(|ids| ids.iter().map(|id| parse_task_id(id)).collect::<Result<Vec<_>, _>>()).transpose();
        self.run(|engine, _| async move { engine.expand_outbox(ids?).await })
    }

    /// Which table the outbox is, among those of all servers; `None` where this handle's database has none.
    pub fn outbox_place(self: &Arc<Self>) -> Call<Option<String>> {
        self.run(|engine, _| async move { engine.outbox_place().await })
    }
}

//! What is done through a handle: each operation is one call, begun on the host's thread and carried
//! out on the runtime.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::OrchestrationHandle;
use crate::domain::fault::{Faults, MOST_FAULTS};
use crate::domain::id::{StepIndex, TaskId};
use crate::domain::operation::{Operation, StepOperation, TaskOperation};
use crate::domain::template::{Template, TemplateInput};
use crate::engine::Engine;
use crate::engine::catalog::StoredTemplate;
use crate::engine::error::{EngineError, Missing, Result};
use crate::engine::intent::TaskIntent;
use crate::engine::operating::Bulk;
use crate::engine::transactions::create::TaskPlan;
use crate::engine::transactions::look::{CountTasks, History, ListTasks, Steps, Tasks};
use crate::engine::transactions::operate::Note;
use crate::engine::worker::{Worker, WorkerOptions};
use crate::ffi::shared::call::Call;
use crate::ffi::shared::event_bridge::{Subscription, Wake};
use crate::ffi::shared::process::Process;
use crate::ffi::shared::started_worker::StartedWorker;
use crate::ffi::shared::types::{
    BulkInput, CreateTaskInput, CreateTasksInput, FindTemplateInput, HistoryView, ListTasksInput, Page, StepView,
    SubscribeInput, TaskView, Wanted, WantedTemplate, parse_task_id,
};
use crate::storage::Store;

/// What somebody asks for by hand, read from an input.
type Asked<T> = Result<(T, Note), Faults>;

impl OrchestrationHandle {
    /// Stores a template and registers it.
    pub fn register(self: &Arc<Self>, input: TemplateInput) -> Call<Arc<StoredTemplate>> {
        self.run(|engine, handle| async move {
            let template = Template::build(input)?;
            engine.register(&handle.registry, template).await
        })
    }

    /// Checks a template as [`OrchestrationHandle::register`] does, against the database too; nothing is stored.
    pub fn compare(self: &Arc<Self>, input: TemplateInput) -> Call<()> {
        self.run(|engine, _| async move { engine.compare(&Template::build(input)?).await })
    }

    /// A template that is registered on this handle, or the latest of that name in the database.
    pub fn find_template(self: &Arc<Self>, input: FindTemplateInput) -> Call<Arc<StoredTemplate>> {
        self.run(|engine, handle| async move { handle.template(&engine, &input.into_wanted()?).await })
    }

    /// Creates one task and gives its first snapshot.
    pub fn create_task(self: &Arc<Self>, input: CreateTaskInput) -> Call<TaskView> {
        let asked = input.into_intent();
        self.run(|engine, handle| async move {
            let (wanted, intent) = asked?;
            let stored = handle.template(&engine, &wanted).await?;
            let plan = intent.plan(&stored, "context", handle.limits().of_context())?;
            let planned = plan.row.clone();
            let made = engine.create(vec![plan]).await?;
            match made.ids.first() {
                Some(id) if *id == planned.id => Ok(TaskView::of_new(planned, stored, &made)),
                Some(existing) => find(&engine, *existing).await,
                None => Err(EngineError::internal("a task was created without an id")),
            }
        })
    }

    /// Creates tasks in one transaction, all or none.
    pub fn create_tasks(self: &Arc<Self>, input: CreateTasksInput) -> Call<Vec<TaskId>> {
        let asked = input.into_intents();
        self.run(|engine, handle| async move {
            let (wanted, intents) = asked?;
            let plans = handle.plans(&engine, &wanted, intents).await?;
            if plans.is_empty() { Ok(Vec::new()) } else { Ok(engine.create(plans).await?.ids) }
        })
    }

    /// The plans of tasks of one template, or all faults of their contexts.
    pub(super) async fn plans(
        &self,
        engine: &Engine,
        wanted: &WantedTemplate,
        intents: Vec<TaskIntent>,
    ) -> Result<Vec<TaskPlan>> {
        let stored = self.template(engine, wanted).await?;
        let bounds = self.limits().of_context();
        let mut plans = Vec::with_capacity(intents.len());
        let mut faults = Vec::new();
        for (i, intent) in intents.into_iter().enumerate() {
            match intent.plan(&stored, &format!("contexts[{i}]"), bounds) {
                Ok(plan) => plans.push(plan),
                Err(found) => faults.extend(found.all().iter().cloned()),
            }
        }
        Faults::check(faults).map_err(|faults| faults.at_most(MOST_FAULTS, false))?;
        Ok(plans)
    }

    pub(super) async fn template(&self, engine: &Engine, wanted: &WantedTemplate) -> Result<Arc<StoredTemplate>> {
        engine.template(&self.registry, &wanted.namespace, &wanted.name, wanted.version.as_deref()).await
    }

    /// A task.
    pub fn task(self: &Arc<Self>, id: &str) -> Call<TaskView> {
        let id = parse_task_id(id);
        self.run(|engine, _| async move { find(&engine, id?).await })
    }

    /// A page of tasks, newest first.
    pub fn tasks(self: &Arc<Self>, input: ListTasksInput) -> Call<Vec<TaskView>> {
        self.run(|engine, handle| async move {
            let Page { filter, before, limit } = input.into_page()?;
            engine.check_search(&handle.registry, &filter).await?;
            let catalog = engine.catalog().clone();
            let found = engine.store().read(ListTasks { filter, before, limit, catalog }).await?;
            Ok(found.into_iter().map(|(row, stored)| TaskView::of_stored(row, stored)).collect())
        })
    }

    /// How many tasks match.
    pub fn count(self: &Arc<Self>, input: ListTasksInput) -> Call<u64> {
        self.run(|engine, handle| async move {
            let filter = input.into_filter()?;
            engine.check_search(&handle.registry, &filter).await?;
            Ok(engine.store().read(CountTasks { filter }).await?)
        })
    }

    /// Checks that what a filter searches for is declared searchable.
    pub fn check_search(self: &Arc<Self>, input: ListTasksInput) -> Call<()> {
        self.run(|engine, handle| async move { engine.check_search(&handle.registry, &input.into_filter()?).await })
    }

    /// The steps of a task, in the order of its template.
    pub fn steps(self: &Arc<Self>, task: TaskId) -> Call<Vec<StepView>> {
        self.run(move |engine, _| async move { steps_of(&engine, task).await })
    }

    /// The transitions of a task and its steps, oldest first.
    pub fn history(self: &Arc<Self>, task: TaskId) -> Call<Vec<HistoryView>> {
        self.run(move |engine, _| async move {
            let view = find(&engine, task).await?;
            history_of(&engine, &view).await
        })
    }

    /// The transitions of one step, oldest first.
    pub fn step_history(self: &Arc<Self>, step: &StepView) -> Call<Vec<HistoryView>> {
        let (task, index) = (step.task.clone(), step.row.index);
        self.run(move |engine, _| async move {
            let mut history = history_of(&engine, &task).await?;
            history.retain(|transition| transition.row.index == Some(index));
            Ok(history)
        })
    }

    /// Carries out an operation on a task; gives it as it is then.
    pub fn operate(self: &Arc<Self>, task: TaskId, asked: Asked<TaskOperation>) -> Call<TaskView> {
        self.run(move |engine, _| async move {
            let (operation, note) = asked?;
            engine.operate(task, Operation::Task(operation), note).await?;
            find(&engine, task).await
        })
    }

    /// Runs a task again from one of its steps on.
    pub fn restart_from(self: &Arc<Self>, task: TaskId, asked: Asked<String>) -> Call<TaskView> {
        self.run(move |engine, _| async move {
            let (step, note) = asked?;
            let view = find(&engine, task).await?;
            let of_template = view.template().index(&step);
            let index = match of_template.or_else(|| view.template().item_named(&step)) {
                Some(index) if of_template.is_some() || has_step(&engine, task, index).await? => index,
                _ => return Err(no_step(&view, &step)),
            };
            engine.operate(task, Operation::Task(TaskOperation::RestartFrom(index)), note).await?;
            find(&engine, task).await
        })
    }

    /// Carries out an operation on a step; gives it as it is then.
    pub fn operate_on_step(self: &Arc<Self>, step: &StepView, asked: Asked<StepOperation>) -> Call<StepView> {
        let (task, index, id) = (step.task.row.id, step.row.index, step.id());
        let asked = asked.and_then(|(operation, note)| {
            if let StepOperation::Resolve(result) | StepOperation::Decide(result, _) = &operation {
                step.check_result(result)?;
            }
            Ok((operation, note))
        });
        let is_item = step.row.item.is_some();
        self.run(move |engine, _| async move {
            let (operation, note) = asked?;
            let gone = || EngineError::not_found(Missing::Step, &id, format!("there is no step {id}"));
            // The step of an item goes when its list is made anew.
            if is_item && !has_step(&engine, task, index).await? {
                return Err(gone());
            }
            engine.operate(task, Operation::Step(index, operation), note).await?;
            let found = steps_of(&engine, task).await?.into_iter().find(|step| step.row.index == index);
            found.ok_or_else(gone)
        })
    }

    /// Carries out an operation on every task that matches, or tells on which it would be.
    pub fn operate_on_many(
        self: &Arc<Self>,
        filter: ListTasksInput,
        operation: TaskOperation,
        asked: BulkInput,
    ) -> Call<Bulk> {
        self.run(|engine, handle| async move {
            let (note, dry_run) = asked.into_asked()?;
            let filter = filter.into_conditions()?;
            engine.check_search(&handle.registry, &filter).await?;
            engine.operate_on_many(filter, operation, note, dry_run).await
        })
    }

    /// Waits until a task has ended, whichever process ends it, and gives it as it is then. Closing
    /// the handle ends the wait.
    pub fn wait(self: &Arc<Self>, task: TaskId, timeout: Option<Duration>) -> Call<TaskView> {
        let waited = self.run(move |engine, handle| async move {
            let mut closed = handle.closed.subscribe();
            tokio::select! {
                ended = engine.wait(task, timeout) => ended?,
                // The sender lives as long as this handle: it is never an error.
                _ = closed.wait_for(|closed| *closed) => return Err(EngineError::HandleClosed),
            }
            find(&engine, task).await
        });
        waited.mere_wait()
    }

    /// Starts a worker for the templates registered on this handle, now and later.
    pub fn worker(self: &Arc<Self>, options: WorkerOptions) -> Call<StartedWorker> {
        self.run(|engine, handle| async move {
            Ok(StartedWorker::new(Worker::start(engine, handle.registry.clone(), options).await?))
        })
    }

    /// Subscribes to what this process commits to the database, through whichever handle, from now on.
    /// `wake` is called when there is something to take. Closing this handle ends it, unless it is
    /// `lasting`.
    pub fn subscribe(self: &Arc<Self>, input: SubscribeInput, wake: Wake) -> Call<Arc<Subscription>> {
        self.run(|engine, handle| async move {
            let Wanted { kinds, capacity, lasting } = input.into_wanted()?;
            let subscription = Subscription::start(&engine, kinds, capacity, wake);
            let mut state = handle.state.lock();
            match state.attachment {
                Some(_) if lasting => {}
                Some(_) => {
                    state.subscriptions.retain(|other| other.strong_count() > 0);
                    state.subscriptions.push(Arc::downgrade(&subscription));
                }
                None => subscription.finish(),
            }
            drop(state);
            Ok(subscription)
        })
    }

    /// A number that the handles on one open database of this process have in common.
    pub fn engine_id(self: &Arc<Self>) -> Call<u64> {
        self.run(|engine, _| async move { Ok(engine.id()) })
    }

    /// Has `worker` stopped when this handle is closed; at once if it is closed by now.
    pub fn adopt(&self, worker: &Arc<Worker>) {
        let mut state = self.state.lock();
        match &state.attachment {
            Some(_) => {
                state.workers.retain(|worker| worker.strong_count() > 0);
                state.workers.push(Arc::downgrade(worker));
            }
            None => {
                let worker = worker.clone();
                if let Some(process) = Process::known() {
                    process.runtime().spawn(async move { worker.stop(Duration::ZERO).await });
                }
            }
        }
    }
}

async fn steps_of(engine: &Engine, task: TaskId) -> Result<Vec<StepView>> {
    let view = Arc::new(find(engine, task).await?);
    let rows = engine.store().read(Steps { task }).await?;
    Ok(rows.into_iter().map(|row| StepView { task: view.clone(), row }).collect())
}

async fn history_of(engine: &Engine, task: &TaskView) -> Result<Vec<HistoryView>> {
    let id = task.row.id;
    let (created_at, steps) = (task.row.created_at, task.template().graph.len());
    let rows = engine.store().read(History { task: id, created_at, steps }).await?;
    let name = |index| task.template().name_of(index).map(Cow::into_owned);
    Ok(rows.into_iter().map(|row| HistoryView { task: id, step: row.index.and_then(name), row }).collect())
}

/// Whether the task has this step now.
async fn has_step(engine: &Engine, task: TaskId, index: StepIndex) -> Result<bool> {
    Ok(engine.store().read(Steps { task }).await?.iter().any(|step| step.index == index))
}

fn no_step(task: &TaskView, name: &str) -> EngineError {
    let template = task.template();
    let message = format!("the task {} has no step {name:?}{}", template.name, template.step_hint(name));
    EngineError::not_found(Missing::Step, name, message)
}

async fn find(engine: &Engine, id: TaskId) -> Result<TaskView> {
    let found = engine.store().read(Tasks { ids: vec![id], catalog: engine.catalog().clone() }).await?;
    let found = found.into_iter().next();
    let (row, stored) = found.ok_or_else(|| no_task(id))?;
    Ok(TaskView::of_stored(row, stored))
}

pub(super) fn no_task(id: TaskId) -> EngineError {
    EngineError::not_found(Missing::Task, id.to_string(), format!("there is no task {id}"))
}

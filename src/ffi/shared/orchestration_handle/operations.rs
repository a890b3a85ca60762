//! What is done through a handle: each operation is one call, begun on the host's thread and carried
//! out on the runtime.

use std::sync::Arc;
use std::time::Duration;

use super::OrchestrationHandle;
use crate::domain::fault::{Faults, MOST_FAULTS};
use crate::domain::id::TaskId;
use crate::domain::template::{Template, TemplateInput};
use crate::engine::Engine;
use crate::engine::catalog::StoredTemplate;
use crate::engine::error::{EngineError, Missing, Result};
use crate::engine::transactions::look::{CountTasks, History, ListTasks, Steps, Tasks};
use crate::engine::worker::{Worker, WorkerOptions};
use crate::ffi::shared::call::Call;
use crate::ffi::shared::event_bridge::{Subscription, Wake};
use crate::ffi::shared::process::Process;
use crate::ffi::shared::types::{
    CreateTaskInput, CreateTasksInput, HistoryView, ListTasksInput, Page, StepView, SubscribeInput, TaskView, Wanted,
    WantedTemplate, parse_task_id,
};
use crate::storage::Store;

impl OrchestrationHandle {
    /// Stores a template and registers it.
    pub fn register(self: &Arc<Self>, input: TemplateInput) -> Call<Arc<StoredTemplate>> {
        self.run(|engine, handle| async move {
            let template = Template::build(input)?;
            engine.register(&handle.registry, template).await
        })
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
            let stored = handle.template(&engine, &wanted).await?;
            let bounds = handle.limits().of_context();
            let mut plans = Vec::with_capacity(intents.len());
            let mut faults = Vec::new();
            for (i, intent) in intents.into_iter().enumerate() {
                match intent.plan(&stored, &format!("contexts[{i}]"), bounds) {
                    Ok(plan) => plans.push(plan),
                    Err(found) => faults.extend(found.all().iter().cloned()),
                }
            }
            Faults::check(faults).map_err(|faults| faults.at_most(MOST_FAULTS, false))?;
            if plans.is_empty() { Ok(Vec::new()) } else { Ok(engine.create(plans).await?.ids) }
        })
    }

    async fn template(&self, engine: &Engine, wanted: &WantedTemplate) -> Result<Arc<StoredTemplate>> {
        engine.template(&self.registry, &wanted.namespace, &wanted.name, wanted.version.as_deref()).await
    }

    /// A task.
    pub fn task(self: &Arc<Self>, id: &str) -> Call<TaskView> {
        let id = parse_task_id(id);
        self.run(|engine, _| async move { find(&engine, id?).await })
    }

    /// A page of tasks, newest first.
    pub fn tasks(self: &Arc<Self>, input: ListTasksInput) -> Call<Vec<TaskView>> {
        self.run(|engine, _| async move {
            let Page { filter, before, limit } = input.into_page()?;
            let catalog = engine.catalog().clone();
            let found = engine.store().read(ListTasks { filter, before, limit, catalog }).await?;
            Ok(found.into_iter().map(|(row, stored)| TaskView::of_stored(row, stored)).collect())
        })
    }

    /// How many tasks match.
    pub fn count(self: &Arc<Self>, input: ListTasksInput) -> Call<u64> {
        self.run(|engine, _| async move { Ok(engine.store().read(CountTasks { filter: input.into_filter()? }).await?) })
    }

    /// The steps of a task, in the order of its template.
    pub fn steps(self: &Arc<Self>, task: TaskId) -> Call<Vec<StepView>> {
        self.run(move |engine, _| async move {
            let view = Arc::new(find(&engine, task).await?);
            let rows = engine.store().read(Steps { task }).await?;
            Ok(rows.into_iter().map(|row| StepView { task: view.clone(), row }).collect())
        })
    }

    /// The transitions of a task and its steps, oldest first.
    pub fn history(self: &Arc<Self>, task: TaskId) -> Call<Vec<HistoryView>> {
        self.run(move |engine, _| async move {
            let view = find(&engine, task).await?;
            let rows = engine.store().read(History { task }).await?;
            let name = |index| view.template().step(index).map(|step| step.name.clone());
            Ok(rows.into_iter().map(|row| HistoryView { task, step: row.index.and_then(name), row }).collect())
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
    pub fn worker(self: &Arc<Self>, options: WorkerOptions) -> Call<Arc<Worker>> {
        self.run(|engine, handle| async move { Worker::start(engine, handle.registry.clone(), options).await })
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

async fn find(engine: &Engine, id: TaskId) -> Result<TaskView> {
    let found = engine.store().read(Tasks { ids: vec![id], catalog: engine.catalog().clone() }).await?;
    let found = found.into_iter().next();
    let (row, stored) =
        found.ok_or_else(|| EngineError::not_found(Missing::Task, id.to_string(), format!("there is no task {id}")))?;
    Ok(TaskView::of_stored(row, stored))
}

//! What is asked of a handle about how things go: each is one look at the database.

use std::sync::Arc;

use super::OrchestrationHandle;
use super::operations::no_task;
use crate::engine::transactions::analyse::{Analyse, Analysed};
use crate::engine::transactions::sum_up::{CountAll, Summed};
use crate::ffi::shared::call::Call;
use crate::ffi::shared::types::{
    Analytics, Dependencies, SlowStep, SlowTask, SystemHealth, TaskExecutionContext, ViableSteps, WindowInput,
    parse_task_id,
};
use crate::storage::Store;

impl OrchestrationHandle {
    /// Where a task stands.
    pub fn task_execution_context(self: &Arc<Self>, id: &str) -> Call<TaskExecutionContext> {
        self.analyse(id, TaskExecutionContext::of)
    }

    /// What of a task may run now, and why the rest may not.
    pub fn viable_steps(self: &Arc<Self>, id: &str) -> Call<ViableSteps> {
        self.analyse(id, ViableSteps::of)
    }

    /// The graph of a task.
    pub fn dependencies(self: &Arc<Self>, id: &str) -> Call<Dependencies> {
        self.analyse(id, Dependencies::of)
    }

    /// How the whole database is.
    pub fn system_health(self: &Arc<Self>) -> Call<SystemHealth> {
        self.run(|engine, _| async move {
            let pool = engine.store().facts();
            let (census, now) = engine.store().read(CountAll).await?;
            Ok(SystemHealth::of(&census, now, &pool))
        })
    }

    /// How the tasks that ended in a window ended and took.
    pub fn analytics(self: &Arc<Self>, input: WindowInput) -> Call<Analytics> {
        self.sum_up(input, true, |found, _| Analytics::of(found))
    }

    /// The steps that ran the longest, of the tasks that ended in a window.
    pub fn slowest_steps(self: &Arc<Self>, input: WindowInput) -> Call<Vec<SlowStep>> {
        self.sum_up(input, true, SlowStep::slowest)
    }

    /// The tasks that ran the longest, of those that ended in a window.
    pub fn slowest_tasks(self: &Arc<Self>, input: WindowInput) -> Call<Vec<SlowTask>> {
        self.sum_up(input, false, SlowTask::slowest)
    }

    fn sum_up<T: Send + 'static>(
        self: &Arc<Self>,
        input: WindowInput,
        steps: bool,
        say: fn(&Summed, usize) -> T,
    ) -> Call<T> {
        self.run(move |engine, _| async move {
            let (question, limit) = input.into_question(steps, engine.catalog().clone())?;
            Ok(say(&engine.store().read(question).await?, limit))
        })
    }

    fn analyse<T: Send + 'static>(self: &Arc<Self>, id: &str, say: fn(&Analysed) -> T) -> Call<T> {
        let task = parse_task_id(id);
        self.run(move |engine, _| async move {
            let task = task?;
            let found = engine.store().read(Analyse { task, catalog: engine.catalog().clone() }).await?;
            Ok(say(&found.ok_or_else(|| no_task(task))?))
        })
    }
}

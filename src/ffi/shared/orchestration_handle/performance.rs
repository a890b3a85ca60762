//! What is asked of a handle about how things go: each is one look at the database.

use std::sync::Arc;

use super::OrchestrationHandle;
use super::operations::no_task;
use crate::engine::transactions::analyse::{Analyse, Analysed};
use crate::ffi::shared::call::Call;
use crate::ffi::shared::types::{Dependencies, TaskExecutionContext, ViableSteps, parse_task_id};
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

    fn analyse<T: Send + 'static>(self: &Arc<Self>, id: &str, say: fn(&Analysed) -> T) -> Call<T> {
        let task = parse_task_id(id);
        self.run(move |engine, _| async move {
            let task = task?;
            let found = engine.store().read(Analyse { task, catalog: engine.catalog().clone() }).await?;
            Ok(say(&found.ok_or_else(|| no_task(task))?))
        })
    }
}

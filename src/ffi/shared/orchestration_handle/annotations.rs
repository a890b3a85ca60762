//! Remarks on tasks, as they are made and read through a handle.

use std::sync::Arc;

use super::OrchestrationHandle;
use crate::domain::id::TaskId;
use crate::engine::error::{EngineError, Missing};
use crate::engine::transactions::annotate::Annotate;
use crate::engine::transactions::look::{Annotations, Tasks};
use crate::ffi::shared::call::Call;
use crate::ffi::shared::types::{AnnotateInput, AnnotationView, AnnotationsInput};
use crate::storage::Store;
use crate::storage::rows::AnnotationRow;

impl OrchestrationHandle {
    /// Annotates a task, in whatever state it is.
    pub fn annotate(self: &Arc<Self>, task: TaskId, input: AnnotateInput) -> Call<AnnotationView> {
        self.run(move |engine, _| async move {
            let new = input.into_annotation(task)?;
            let row = AnnotationRow {
                kind: new.kind.clone(),
                value: new.value.clone(),
                by: new.by.clone(),
                at: engine.store().write(Annotate { new }).await?.ok_or_else(|| no_task(task))?,
            };
            Ok(AnnotationView { task, row })
        })
    }

    /// The annotations of a task, oldest first.
    pub fn annotations(self: &Arc<Self>, task: TaskId, input: AnnotationsInput) -> Call<Vec<AnnotationView>> {
        self.run(move |engine, _| async move {
            let rows = engine.store().read(Annotations { task, kind: input.into_kind()? }).await?;
            if rows.is_empty() {
                let found = Tasks { ids: vec![task], catalog: engine.catalog().clone() };
                engine.store().read(found).await?.first().ok_or_else(|| no_task(task))?;
            }
            Ok(rows.into_iter().map(|row| AnnotationView { task, row }).collect())
        })
    }
}

fn no_task(id: TaskId) -> EngineError {
    EngineError::not_found(Missing::Task, id.to_string(), format!("there is no task {id}"))
}

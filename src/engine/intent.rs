//! What a caller asks to create, checked and made into plans.

use std::sync::Arc;

use super::catalog::StoredTemplate;
use super::transactions::create::TaskPlan;
use crate::domain::fault::{Fault, Faults};
use crate::domain::json::Json;
use crate::domain::schema::Bounds;
use crate::domain::search;
use crate::domain::time::Timestamp;
use crate::storage::rows::NewTask;

/// One task that a caller asks for.
#[derive(Clone, Debug, Default)]
pub struct TaskIntent {
    /// Its input, an object; an empty one when left out.
    pub context: Option<Json>,
    /// What its handlers are given beside it, an object.
    pub headers: Option<Json>,
    /// What makes it the same task as another one of its template; it wins over what the template says.
    pub key: Option<String>,
    /// Whether a task that has the key already is given back, instead of an error.
    pub return_existing: bool,
    /// Its priority.
    pub priority: Option<i16>,
    /// Its queue.
    pub queue: Option<String>,
    /// Not before this moment.
    pub run_at: Option<Timestamp>,
    /// Free words to find it by.
    pub tags: Vec<String>,
    /// Who asks for it.
    pub initiator: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl TaskIntent {
    /// Fills in the defaults of the template's schema, checks the context, derives the key where the
    /// template says how, copies out what it is found by, and makes the plan. `path` is
    /// where the context stands for the caller.
    ///
    /// # Errors
    /// What in it breaks the schema, or is declared searchable and can't be searched for; defaults that would make it deeper or larger than `bounds`.
    pub fn plan(self, stored: &Arc<StoredTemplate>, path: &str, bounds: Bounds) -> Result<TaskPlan, Faults> {
        let template = &stored.template;
        let mut context = self.context.unwrap_or_else(Json::empty_object);
        let mut tree = None;
        // A tree is made only where something is to look into it.
        if let Some(schema) = &template.input {
            let admitted = schema.admit(context, path, bounds)?;
            (context, tree) = (admitted.json, Some(admitted.tree));
        } else if template.looks_into_contexts() {
            tree = Some(context.tree().map_err(|error| Fault::new(path, format!("is not JSON: {error}")))?);
        }
        let terms = tree.as_ref().map_or(Ok(Vec::new()), |tree| search::terms(template.search(), tree, path))?;
        let own = || template.identity.key(&template.namespace, &template.name, tree.as_ref()?);
        let row = NewTask {
            key: self.key.or_else(own),
            priority: self.priority,
            queue: self.queue,
            tags: self.tags,
            initiator: self.initiator,
            reason: self.reason,
            headers: self.headers.filter(|headers| headers.as_str() != "{}"),
            run_at: self.run_at,
            ..NewTask::new(stored.named_task, stored.revision, context)
        };
        Ok(TaskPlan { row, stored: stored.clone(), return_existing: self.return_existing, terms, promised: false })
    }
}

//! What a caller asks to create, checked and made into plans.

use std::sync::Arc;
use std::time::Duration;

use super::catalog::StoredTemplate;
use super::transactions::create::TaskPlan;
use crate::domain::fault::{Fault, Faults};
use crate::domain::json::Json;
use crate::domain::template::{check_name, check_priority};
use crate::domain::time::Timestamp;
use crate::storage::rows::NewTask;

const MAX_KEY: usize = 512;
const MAX_WORDS: usize = 1_024;

/// One task that a caller asks for.
#[derive(Clone, Debug, Default)]
pub struct TaskIntent {
    /// Its input; an empty object when left out.
    pub context: Option<Json>,
    /// What makes it the same task as another one of its template.
    pub key: Option<String>,
    /// Whether a task that has the key already is given back, instead of an error.
    pub return_existing: bool,
    /// Its priority.
    pub priority: Option<i64>,
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
    /// Checks everything and makes the plan. `path` is where the context stands for the caller.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn plan(self, stored: &Arc<StoredTemplate>, path: &str) -> Result<TaskPlan, Faults> {
        let mut faults = Vec::new();
        let context = self.context.unwrap_or_else(Json::empty_object);
        if !context.is_object() {
            faults.push(Fault::new(path, "a context is an object").with("an object", shown(context.as_str())));
        } else if let Some(Err(found)) = stored.template.input.as_ref().map(|schema| schema.check(&context, path)) {
            faults.extend(found.all().iter().cloned());
        }
        check_words(self.key.as_deref(), "key", MAX_KEY, &mut faults);
        check_words(self.initiator.as_deref(), "initiator", MAX_WORDS, &mut faults);
        check_words(self.reason.as_deref(), "reason", MAX_WORDS, &mut faults);
        for (i, tag) in self.tags.iter().enumerate() {
            check_words(Some(tag), &format!("tags[{i}]"), MAX_KEY, &mut faults);
        }
        if let Some(queue) = &self.queue {
            check_name(queue, "queue", &mut faults);
        }
        let priority = check_priority(self.priority, "priority", &mut faults);
        Faults::check(faults)?;
        let row = NewTask {
            key: self.key,
            priority,
            queue: self.queue,
            tags: self.tags,
            initiator: self.initiator,
            reason: self.reason,
            run_at: self.run_at,
            ..NewTask::new(stored.named_task, stored.revision, context)
        };
        Ok(TaskPlan { row, stored: stored.clone(), return_existing: self.return_existing })
    }
}

fn check_words(words: Option<&str>, path: &str, most: usize, faults: &mut Vec<Fault>) {
    let Some(words) = words else { return };
    let length = words.chars().count();
    if !(1..=most).contains(&length) {
        faults.push(
            Fault::new(path, format!("has 1 to {most} characters"))
                .with(format!("1 to {most} characters"), format!("{length}")),
        );
    } else if words.contains('\0') {
        faults.push(Fault::new(path, "holds a NUL character").with("text without NUL", shown(words)));
    }
}

/// The beginning of a text, for a message.
fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// How long `wait` and the like may take, as spans.
pub fn timeout(seconds: Option<f64>) -> Result<Option<Duration>, Fault> {
    let Some(value) = seconds else { return Ok(None) };
    let span = crate::domain::time::seconds(value);
    span.map(Some).ok_or_else(|| Fault::new("timeout", format!("is a number of seconds, not {value}")))
}

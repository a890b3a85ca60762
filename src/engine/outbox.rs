//! Tasks that an application asks for within a transaction of its own: one row is written with its connection, and a
//! task made of it after the commit, under the row's id, however often somebody tries.
//!
//! Where the application's database is the engine's own, every worker looks for rows with its poll, and whoever just
//! committed some has them expanded at once ([`Engine::expand_outbox`]). Where it is another one, the host reads the
//! rows, and has tasks made of them ([`Letter`], [`Engine::create`]) before it deletes them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Engine;
use super::catalog::StoredTemplate;
use super::creation::may_be_of_one;
use super::error::Result;
use super::intent::TaskIntent;
use super::transactions::create::TaskPlan;
use super::transactions::outbox::{DueRows, ExpandOutbox, Expanded, OutboxPlace, RefuseOutbox};
use crate::domain::fault::Faults;
use crate::domain::id::TaskId;
use crate::domain::json::Json;
use crate::domain::schema::Bounds;
use crate::domain::time::Timestamp;
use crate::panics::caught;
use crate::storage::{Store, StoreError};

/// How many rows one transaction takes.
const BATCH: usize = 100;

/// A context was held to the limits of whoever wrote it.
const AS_WRITTEN: Bounds = Bounds { depth: 100, bytes: 256 << 20 };

/// What a row says of its task. The template's version is fixed when it is written, as everything else that was checked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// The template's namespace.
    pub namespace: String,
    /// The template's name.
    pub name: String,
    /// The template's version.
    pub version: String,
    context: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    headers: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    return_existing: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<i16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    /// In microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initiator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Letter {
    /// The text of a row that asks for a planned task.
    ///
    /// # Errors
    /// When its context is no JSON.
    pub fn write(plan: &TaskPlan) -> serde_json::Result<String> {
        let (row, template) = (&plan.row, &plan.stored.template);
        serde_json::to_string(&Self {
            namespace: template.namespace.clone(),
            name: template.name.clone(),
            version: template.version.clone(),
            context: raw(&row.context)?,
            headers: row.headers.as_ref().map(raw).transpose()?,
            key: row.key.clone(),
            return_existing: plan.return_existing,
            priority: row.priority,
            queue: row.queue.clone(),
            run_at: row.run_at.map(|at| at.0),
            tags: row.tags.clone(),
            initiator: row.initiator.clone(),
            reason: row.reason.clone(),
        })
    }

    /// Reads a row.
    ///
    /// # Errors
    /// When it is none that [`Letter::write`] wrote.
    pub fn read(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// The template's name, for people.
    pub fn template(&self) -> String {
        format!("{:?} {} in the namespace {:?}", self.name, self.version, self.namespace)
    }

    /// The plan of the task with this id.
    ///
    /// # Errors
    /// What breaks the template's schema.
    pub fn plan(self, id: TaskId, stored: &Arc<StoredTemplate>) -> std::result::Result<TaskPlan, Faults> {
        let intent = TaskIntent {
            context: Some(Json::from_trusted(self.context.get())),
            headers: self.headers.map(|headers| Json::from_trusted(headers.get())),
            key: self.key,
            return_existing: self.return_existing,
            priority: self.priority,
            queue: self.queue,
            run_at: self.run_at.map(Timestamp),
            tags: self.tags,
            initiator: self.initiator,
            reason: self.reason,
        };
        let mut plan = intent.plan(stored, "context", AS_WRITTEN)?;
        plan.row.id = id;
        plan.promised = true;
        Ok(plan)
    }
}

fn raw(json: &Json) -> serde_json::Result<Box<RawValue>> {
    RawValue::from_string(json.as_str().to_owned())
}

impl Engine {
    /// Makes tasks of these rows, or of all that are due; gives each row with its task. Those of which none can be made
    /// stay, and are told of as troubles.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expand_outbox(&self, only: Option<Vec<TaskId>>) -> Result<Vec<(TaskId, TaskId)>> {
        let mut tasks = Vec::new();
        loop {
            let limit = only.as_ref().map_or(BATCH, Vec::len);
            let expanded = match self.expand_some(only.clone(), limit).await {
                Err(error) if may_be_of_one(&error) => self.expand_singly(only.clone()).await?,
                other => other?,
            };
            let more = only.is_none() && expanded.found == BATCH;
            tasks.extend(expanded.tasks);
            if !more {
                return Ok(tasks);
            }
        }
    }

    async fn expand_some(&self, only: Option<Vec<TaskId>>, limit: usize) -> std::result::Result<Expanded, StoreError> {
        let transaction = ExpandOutbox { only, limit, catalog: self.catalog.clone() };
        let mut expanded = self.store.write(transaction).await?;
        for row in &expanded.refused {
            self.troubles().add(format!(
                "the task {} can't be made of its row in the outbox, and will be tried again: {}",
                row.id, row.error
            ));
        }
        if let Some(created) = expanded.created.take() {
            self.catalog.keep_lanes(created.lanes);
            if created.made_ready {
                self.ready_for_others();
            }
        }
        Ok(expanded)
    }

    /// Each row by itself, since the database refused one of them.
    async fn expand_singly(&self, only: Option<Vec<TaskId>>) -> std::result::Result<Expanded, StoreError> {
        let ids = match only {
            Some(ids) => ids,
            None => self.store.write(DueRows { limit: BATCH }).await?,
        };
        let mut all = Expanded { found: ids.len(), ..Expanded::default() };
        for id in ids {
            match self.expand_some(Some(vec![id]), 1).await {
                Ok(expanded) => all.tasks.extend(expanded.tasks),
                Err(error) if may_be_of_one(&error) => {
                    let error = error.to_string();
                    self.troubles().add(format!(
                        "the task {id} can't be made of its row in the outbox, and will be tried again: {error}"
                    ));
                    self.store.write(RefuseOutbox { id, error }).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// The same beside whatever else is done, unless it is under way.
    pub(super) fn expand_beside(self: &Arc<Self>) {
        if self.expanding.swap(true, Ordering::AcqRel) {
            return;
        }
        let engine = self.clone();
        tokio::spawn(async move {
            match caught(engine.expand_outbox(None)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => engine.troubles().add(format!("the outbox could not be read: {error}")),
                Err(panic) => engine.troubles().fault("making tasks of the outbox", panic),
            }
            engine.expanding.store(false, Ordering::Release);
        });
    }

    /// Which table the outbox is, among those of all servers; `None` where there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox_place(&self) -> Result<Option<String>> {
        Ok(self.store.read(OutboxPlace).await?)
    }
}

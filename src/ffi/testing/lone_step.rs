//! One step as its handler sees it, without a database: its task, its parents' results and its
//! attempt are what the test says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use validator::Validate;

use crate::domain::fan_out::MAX_ITEMS;
use crate::domain::fault::{Fault, Faults, hint};
use crate::domain::id::{LaneId, NamedTaskId, ReceiptId, RevisionId, StepIndex, StepKey, Token};
use crate::domain::json::Json;
use crate::domain::state::StepState;
use crate::domain::template::{Template, TemplateInput};
use crate::domain::time::Timestamp;
use crate::engine::catalog::StoredTemplate;
use crate::engine::intent::TaskIntent;
use crate::engine::transactions::intake::Assignment;
use crate::engine::transactions::work::Work;
use crate::engine::worker::Ticket;
use crate::ffi::shared::limits::Limits;
use crate::ffi::shared::reading::Input;
use crate::ffi::shared::types::rules;
use crate::ffi::shared::validation;
use crate::storage::rows::ReadyRow;

/// See the module.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct LoneStepInput {
    template: TemplateInput,
    step: String,
    /// An empty object when left out.
    #[serde(default)]
    #[validate(custom(function = "rules::object"))]
    context: Option<Json>,
    /// What its task was created with beside it.
    #[serde(default)]
    #[validate(custom(function = "rules::headers"))]
    headers: Option<Json>,
    /// By name. A parent that is left out was skipped.
    #[serde(default)]
    results: BTreeMap<String, Json>,
    /// What an earlier attempt saved.
    #[serde(default)]
    checkpoint: Option<Json>,
    /// 1 when left out.
    #[serde(default)]
    attempt: Option<i64>,
    /// The item, of a step that is done for each of a list.
    #[serde(default)]
    item: Option<Json>,
    /// Its place in the list; 0 when left out.
    #[serde(default)]
    item_index: Option<i64>,
}

impl Input for LoneStepInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl LoneStepInput {
    /// The step as a worker's thread would take it.
    ///
    /// # Errors
    /// When the template is wrong, or has no such step; when the context is not what its schema says;
    /// when a result is not a parent's, or the attempt none that the step has.
    pub fn into_ticket(self) -> Result<Ticket, Faults> {
        self.check()?;
        let template = Template::build(self.template)?;
        let index = template.index(&self.step).ok_or_else(|| {
            let message = format!("there is no step {:?}{}", self.step, template.step_hint(&self.step));
            Fault::new("step", message)
        })?;
        let parents = parents(&template, index, &self.results)?;
        let (index, work) = match (self.item, template.groups.each(index)) {
            (Some(item), Some(_)) => item_step(&template, index, item, self.item_index.unwrap_or(0))?,
            (None, None) => (index, Work::Handle),
            (Some(_), None) => return Err(Fault::new("item", "the step is not done for each item of a list").into()),
            (None, Some(_)) => return Err(Fault::new("item", "is missing: the step is done for each of a list").into()),
        };
        let limit = template.step(index).map_or(1, |step| step.policy.retry_limit);
        let attempt = self.attempt.unwrap_or(1);
        let attempts = u16::try_from(attempt).ok().filter(|n| (1..=limit).contains(n)).ok_or_else(|| {
            let message = format!("the step {:?} has the attempts 1 to {limit}, as its retry_limit says", self.step);
            Fault::new("attempt", message).with(format!("1 to {limit}"), attempt.to_string())
        })?;
        let stored = Arc::new(StoredTemplate { template, named_task: NamedTaskId(0), revision: RevisionId(0) });
        let plan = TaskIntent { context: self.context, headers: self.headers, ..TaskIntent::default() }.plan(
            &stored,
            "context",
            Limits::default().of_context(),
        )?;
        let row = ReadyRow {
            lane: LaneId(0),
            priority: stored.template.priority_of(index, None),
            key: StepKey { task: plan.row.id, index },
            token: Token(0),
            attempts: attempts - 1,
            state: if attempts > 1 { StepState::WaitingForRetry } else { StepState::Pending },
        };
        let claimed_at = Timestamp(0).after(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let (checkpoint, receipt) = (self.checkpoint, ReceiptId::generate());
        let (task, waited, limit_key) = (plan.info(), Duration::ZERO, None);
        let assignment = Assignment { row, task, parents, checkpoint, receipt, claimed_at, waited, work, limit_key };
        Ok(Ticket::new(0, assignment))
    }
}

/// The step of an item, and what there is to do for it.
fn item_step(template: &Template, group: StepIndex, item: Json, place: i64) -> Result<(StepIndex, Work), Faults> {
    let found = StepIndex::try_from(place).ok().and_then(|at| Some((at, template.groups.item_index(group, at)?)));
    let (position, index) = found.ok_or_else(|| {
        let expected = format!("0 to {}", MAX_ITEMS - 1);
        Fault::new("item_index", format!("is the item's place in its list: {expected}"))
            .with(expected, place.to_string())
    })?;
    Ok((index, Work::Item { position, item }))
}

/// The results of the step's parents, in their order.
fn parents(
    template: &Template,
    index: StepIndex,
    results: &BTreeMap<String, Json>,
) -> Result<Vec<(StepIndex, Option<Json>)>, Faults> {
    let named = |parent: StepIndex| template.step(parent).map_or("", |step| step.name.as_str());
    let parents = template.graph.parents(index);
    let names = parents.iter().map(|&parent| named(parent));
    let unknown = results.keys().filter(|name| !names.clone().any(|parent| parent == name.as_str()));
    let faults = unknown.map(|name| {
        let message = format!("the step {:?} does not depend on {name:?}{}", named(index), hint(name, names.clone()));
        Fault::new(format!("results.{name}"), message)
    });
    Faults::check(faults.collect())?;
    Ok(parents.iter().map(|&parent| (parent, results.get(named(parent)).cloned())).collect())
}

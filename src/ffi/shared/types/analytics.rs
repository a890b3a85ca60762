//! Typed outputs: what there is to say of many tasks; and what is asked for it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use validator::Validate;

use super::moment::Moment;
use super::rules;
use crate::domain::analysis::figures::{Spread, Took, rate};
use crate::domain::analysis::score::Signs;
use crate::domain::fault::Faults;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;
use crate::engine::catalog::Catalog;
use crate::engine::transactions::sum_up::{StepRun, SumUp, Summed, TaskRun};
use crate::ffi::shared::reading::Input;
use crate::ffi::shared::validation;
use crate::storage::rows::{Census, StoreFacts};

/// `analytics`, `slowest_steps` and `slowest_tasks`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct WindowInput {
    #[serde(default)]
    since: Option<Moment>,
    #[serde(default)]
    #[validate(custom(function = "rules::key"))]
    namespace: Option<String>,
    #[serde(default)]
    #[validate(custom(function = "rules::key"))]
    name: Option<String>,
    /// How many of the slowest; 10 where left out.
    #[serde(default)]
    #[validate(range(min = 1, max = 1_000))]
    limit: Option<i64>,
}

impl Input for WindowInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl WindowInput {
    /// What to sum up, and how many of the slowest to tell.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_question(self, steps: bool, catalog: std::sync::Arc<Catalog>) -> Result<(SumUp, usize), Faults> {
        self.check()?;
        let limit = self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10);
        let since = self.since.map(|since| since.0);
        Ok((SumUp { since, namespace: self.namespace, name: self.name, steps, catalog }, limit))
    }
}

/// How a whole database is.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct SystemHealth {
    pub at: Moment,
    pub total_tasks: u64,
    pub tasks: TaskCounts,
    pub ready_steps: u64,
    pub in_backoff: u64,
    pub scheduled_steps: u64,
    pub leases_held: u64,
    pub leases_expired: u64,
    pub oldest_ready_seconds: Option<f64>,
    pub workers: u64,
    pub pool: PoolUse,
    pub score: f64,
}

/// How many tasks are in each state.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct TaskCounts {
    pub pending: u64,
    pub in_progress: u64,
    pub paused: u64,
    pub complete: u64,
    pub error: u64,
    pub cancelled: u64,
    pub resolved_manually: u64,
}

/// How a pool is used.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct PoolUse {
    pub size: u32,
    pub idle: u32,
    pub in_use: u32,
    pub max: u32,
}

impl SystemHealth {
    /// What was counted at a time, through a pool that looked like this before.
    pub fn of(census: &Census, now: Timestamp, pool: &StoreFacts) -> Self {
        let count = |state: TaskState| census.tasks[state as usize];
        let ended = TaskState::ALL.iter().filter(|state| state.is_ended()).map(|state| count(*state)).sum();
        let oldest_ready = census.ready_since.map(|since| now.since(since));
        let in_use = pool.size.saturating_sub(pool.idle);
        let signs = Signs {
            failed: count(TaskState::Error),
            ended,
            held: census.held,
            expired: census.expired,
            oldest_ready,
            connections: in_use,
            most_connections: pool.max,
        };
        Self {
            at: Moment(now),
            total_tasks: census.tasks.iter().sum(),
            tasks: TaskCounts {
                pending: count(TaskState::Pending),
                in_progress: count(TaskState::InProgress),
                paused: count(TaskState::Paused),
                complete: count(TaskState::Complete),
                error: count(TaskState::Error),
                cancelled: count(TaskState::Cancelled),
                resolved_manually: count(TaskState::ResolvedManually),
            },
            ready_steps: census.ready,
            in_backoff: census.retrying,
            scheduled_steps: census.scheduled,
            leases_held: census.held,
            leases_expired: census.expired,
            oldest_ready_seconds: oldest_ready.map(|age| age.as_secs_f64()),
            workers: census.sessions,
            pool: PoolUse { size: pool.size, idle: pool.idle, in_use, max: pool.max },
            score: signs.score(),
        }
    }
}

/// Durations of many, in seconds.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Durations {
    pub count: usize,
    pub mean: Option<f64>,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub max: Option<f64>,
}

impl Durations {
    fn of(durations: impl Iterator<Item = Duration>) -> Self {
        let spread = Spread::of(durations.collect());
        let seconds = |of: fn(&Spread) -> Duration| spread.as_ref().map(|spread| of(spread).as_secs_f64());
        Self {
            count: spread.map_or(0, |spread| spread.count),
            mean: seconds(|spread| spread.mean),
            p50: seconds(|spread| spread.p50),
            p95: seconds(|spread| spread.p95),
            p99: seconds(|spread| spread.p99),
            max: seconds(|spread| spread.max),
        }
    }
}

/// How tasks ended and took, and their steps.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Outcomes {
    pub ended: usize,
    pub completed: usize,
    pub failed: usize,
    pub cancelled: usize,
    pub completion_rate: Option<f64>,
    pub error_rate: Option<f64>,
    pub throughput: f64,
    pub step_throughput: f64,
    pub task_running: Durations,
    pub task_waiting: Durations,
    pub step_running: Durations,
    pub step_waiting: Durations,
}

impl Outcomes {
    fn of(tasks: &[&TaskRun], steps: &[&StepRun], span: Duration) -> Self {
        let count = |states: &[TaskState]| tasks.iter().filter(|run| states.contains(&run.task.state)).count();
        let (completed, failed) =
            (count(&[TaskState::Complete, TaskState::ResolvedManually]), count(&[TaskState::Error]));
        let per_second = |count: usize| if span.is_zero() { 0.0 } else { count as f64 / span.as_secs_f64() };
        Self {
            ended: tasks.len(),
            completed,
            failed,
            cancelled: count(&[TaskState::Cancelled]),
            completion_rate: rate(completed, tasks.len()),
            error_rate: rate(failed, tasks.len()),
            throughput: per_second(tasks.len()),
            step_throughput: per_second(steps.len()),
            task_running: Durations::of(tasks.iter().filter_map(|run| Some(run.took?.running))),
            task_waiting: Durations::of(tasks.iter().filter_map(|run| Some(run.took?.waiting))),
            step_running: Durations::of(steps.iter().map(|run| run.took.running)),
            step_waiting: Durations::of(steps.iter().map(|run| run.took.waiting)),
        }
    }
}

/// How the tasks that ended in a window ended and took.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Analytics {
    pub since: Moment,
    pub until: Moment,
    pub outcomes: Outcomes,
    pub templates: Vec<TemplateAnalytics>,
}

/// The same of one template version.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct TemplateAnalytics {
    pub namespace: String,
    pub name: String,
    pub version: String,
    pub outcomes: Outcomes,
    pub by_step: Vec<StepAnalytics>,
}

/// How the steps of one name took.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct StepAnalytics {
    pub name: String,
    pub completed: usize,
    pub failed: usize,
    pub attempts: u64,
    pub running: Durations,
    pub waiting: Durations,
}

impl Analytics {
    /// Of what was found.
    pub fn of(found: &Summed) -> Self {
        let span = found.until.since(found.since);
        let tasks: Vec<&TaskRun> = found.tasks.iter().collect();
        let steps: Vec<&StepRun> = found.steps.iter().collect();
        let key = |run: &TaskRun| {
            let template = &run.stored.template;
            (template.namespace.clone(), template.name.clone(), template.version.clone())
        };
        let mut templates: BTreeMap<_, (Vec<&TaskRun>, Vec<&StepRun>)> = BTreeMap::new();
        found.tasks.iter().for_each(|run| templates.entry(key(run)).or_default().0.push(run));
        found.steps.iter().for_each(|run| templates.entry(key(&found.tasks[run.task])).or_default().1.push(run));
        let template = |((namespace, name, version), (tasks, steps)): ((String, String, String), (Vec<_>, Vec<_>))| {
            let outcomes = Outcomes::of(&tasks, &steps, span);
            TemplateAnalytics { namespace, name, version, outcomes, by_step: StepAnalytics::of(found, &steps) }
        };
        Self {
            since: Moment(found.since),
            until: Moment(found.until),
            outcomes: Outcomes::of(&tasks, &steps, span),
            templates: templates.into_iter().map(template).collect(),
        }
    }
}

impl StepAnalytics {
    /// Of steps of one template version, in its order.
    fn of(found: &Summed, steps: &[&StepRun]) -> Vec<Self> {
        let mut named: BTreeMap<(u32, bool), Vec<&StepRun>> = BTreeMap::new();
        for &run in steps {
            let home = found.tasks[run.task].stored.template.home(run.step.index);
            named.entry((home, home != run.step.index)).or_default().push(run);
        }
        let step = |runs: Vec<&StepRun>| {
            let count = |state| runs.iter().filter(|run| run.step.state == state).count();
            Self {
                name: runs.first().map_or_else(String::new, |run| found.kind_of(run)),
                completed: count(StepState::Complete),
                failed: count(StepState::Error),
                attempts: runs.iter().map(|run| u64::from(run.step.attempts)).sum(),
                running: Durations::of(runs.iter().map(|run| run.took.running)),
                waiting: Durations::of(runs.iter().map(|run| run.took.waiting)),
            }
        };
        named.into_values().map(step).collect()
    }
}

/// A task that took long.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct SlowTask {
    pub task_id: String,
    pub namespace: String,
    pub name: String,
    pub version: String,
    pub status: &'static str,
    pub running_seconds: f64,
    pub waiting_seconds: f64,
    pub created_at: Moment,
    pub started_at: Option<Moment>,
    pub finished_at: Moment,
}

/// A step that took long.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct SlowStep {
    pub task_id: String,
    pub step_name: String,
    pub namespace: String,
    pub name: String,
    pub version: String,
    pub status: &'static str,
    pub attempts: u16,
    pub running_seconds: f64,
    pub waiting_seconds: f64,
    pub started_at: Option<Moment>,
    pub finished_at: Option<Moment>,
}

impl SlowTask {
    /// The tasks that ran the longest.
    pub fn slowest(found: &Summed, limit: usize) -> Vec<Self> {
        let mut ran: Vec<(&TaskRun, &Took)> =
            found.tasks.iter().filter_map(|run| Some((run, run.took.as_ref()?))).collect();
        ran.sort_by_key(|(run, took)| (Reverse(took.running), run.task.id));
        ran.truncate(limit);
        ran.into_iter().map(|(run, took)| Self::of(run, took)).collect()
    }

    fn of(run: &TaskRun, took: &Took) -> Self {
        let (task, template) = (&run.task, &run.stored.template);
        Self {
            task_id: task.id.to_string(),
            namespace: template.namespace.clone(),
            name: template.name.clone(),
            version: template.version.clone(),
            status: task.state.as_str(),
            running_seconds: took.running.as_secs_f64(),
            waiting_seconds: took.waiting.as_secs_f64(),
            created_at: Moment(task.created_at),
            started_at: task.started_at.map(Moment),
            finished_at: Moment(task.finished_at),
        }
    }
}

impl SlowStep {
    /// The steps that ran the longest.
    pub fn slowest(found: &Summed, limit: usize) -> Vec<Self> {
        let mut ran: Vec<&StepRun> = found.steps.iter().collect();
        ran.sort_by_key(|run| (Reverse(run.took.running), found.tasks[run.task].task.id, run.step.index));
        ran.truncate(limit);
        ran.into_iter().map(|run| Self::of(&found.tasks[run.task], run)).collect()
    }

    fn of(task: &TaskRun, run: &StepRun) -> Self {
        let template = &task.stored.template;
        Self {
            task_id: task.task.id.to_string(),
            step_name: template.name_of(run.step.index).unwrap_or_default().into_owned(),
            namespace: template.namespace.clone(),
            name: template.name.clone(),
            version: template.version.clone(),
            status: run.step.state.as_str(),
            attempts: run.step.attempts,
            running_seconds: run.took.running.as_secs_f64(),
            waiting_seconds: run.took.waiting.as_secs_f64(),
            started_at: run.step.started_at.map(Moment),
            finished_at: run.step.finished_at.map(Moment),
        }
    }
}

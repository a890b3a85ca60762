//! Typed outputs: what there is to say of one task, as it stands at one moment.

use serde::{Serialize, Serializer};

use super::moment::Moment;
use crate::domain::analysis::ran_alone;
use crate::domain::analysis::readiness::{Readiness, readiness, unfinished_parents};
use crate::domain::analysis::shape::Shape;
use crate::domain::analysis::standing::Standing;
use crate::domain::id::StepIndex;
use crate::domain::state::StepState;
use crate::engine::transactions::analyse::Analysed;

/// Where a task stands.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct TaskExecutionContext {
    pub task_id: String,
    pub status: &'static str,
    pub total_steps: usize,
    pub steps: StepCounts,
    pub ready_steps: usize,
    pub completion_percentage: f64,
    pub execution_status: &'static str,
    pub recommended_action: &'static str,
    pub health_status: &'static str,
    pub next_retry_at: Option<Moment>,
    pub critical_path: Vec<String>,
    pub bottlenecks: Vec<String>,
}

/// How many steps are in each state.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct StepCounts {
    pub pending: usize,
    pub in_progress: usize,
    pub waiting_for_retry: usize,
    pub complete: usize,
    pub error: usize,
    pub skipped: usize,
    pub cancelled: usize,
    pub resolved_manually: usize,
}

/// What may run now, and why the rest may not.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ViableSteps {
    pub task_id: String,
    pub status: &'static str,
    pub viable: Vec<String>,
    pub steps: Vec<StepReadiness>,
}

/// Whether one step may run now, or why not.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct StepReadiness {
    pub name: String,
    pub status: &'static str,
    pub viable: bool,
    pub reason: &'static str,
    pub waits_for: Vec<String>,
    pub not_before: Option<Moment>,
    pub attempts: u16,
    pub retry_limit: u16,
}

/// The graph of a task.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Dependencies {
    pub task_id: String,
    pub total_steps: usize,
    #[serde(serialize_with = "as_map")]
    pub levels: Vec<(String, u32)>,
    pub depth: usize,
    pub parallel_width: usize,
    pub roots: Vec<String>,
    pub leaves: Vec<String>,
    pub edges: Vec<(String, String)>,
    pub critical_path: Vec<String>,
    pub critical_path_seconds: f64,
}

/// Pairs as a map, in their order.
fn as_map<S: Serializer>(pairs: &[(String, u32)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

fn names(task: &Analysed, steps: impl IntoIterator<Item = StepIndex>) -> Vec<String> {
    steps.into_iter().map(|step| task.name(step).into_owned()).collect()
}

/// The path on which the steps ran the longest.
fn critical_path(task: &Analysed, shape: &Shape) -> (Vec<String>, f64) {
    let (path, took) = shape.longest_path(|step| ran_alone(step, &task.steps, shape));
    (names(task, path), took.as_secs_f64())
}

impl TaskExecutionContext {
    /// Of a task.
    pub fn of(task: &Analysed) -> Self {
        let shape = task.shape();
        let standing = Standing::of(task.facts(), &task.steps, &shape, task.now);
        let count = |state: StepState| standing.counts[state as usize];
        Self {
            task_id: task.row.id.to_string(),
            status: task.row.state.as_str(),
            total_steps: task.steps.len(),
            steps: StepCounts {
                pending: count(StepState::Pending),
                in_progress: count(StepState::InProgress),
                waiting_for_retry: count(StepState::WaitingForRetry),
                complete: count(StepState::Complete),
                error: count(StepState::Error),
                skipped: count(StepState::Skipped),
                cancelled: count(StepState::Cancelled),
                resolved_manually: count(StepState::ResolvedManually),
            },
            ready_steps: standing.ready,
            completion_percentage: standing.completion,
            execution_status: standing.execution.as_str(),
            recommended_action: standing.execution.recommended_action(),
            health_status: standing.health.as_str(),
            next_retry_at: standing.next_retry_at.map(Moment),
            critical_path: critical_path(task, &shape).0,
            bottlenecks: names(task, standing.bottlenecks),
        }
    }
}

impl ViableSteps {
    /// Of a task.
    pub fn of(task: &Analysed) -> Self {
        let shape = task.shape();
        let readiness = readiness(task.facts(), &task.steps, &shape, task.now);
        let step = |(index, reason): (usize, Readiness)| StepReadiness::of(task, &shape, index as StepIndex, reason);
        let steps: Vec<StepReadiness> = readiness.into_iter().enumerate().map(step).collect();
        Self {
            task_id: task.row.id.to_string(),
            status: task.row.state.as_str(),
            viable: steps.iter().filter(|step| step.viable).map(|step| step.name.clone()).collect(),
            steps,
        }
    }
}

impl StepReadiness {
    fn of(task: &Analysed, shape: &Shape, index: StepIndex, reason: Readiness) -> Self {
        let step = &task.steps[index as usize];
        let waits = matches!(reason, Readiness::WaitingForParents | Readiness::BlockedByFailure);
        let waits_for = unfinished_parents(index, &task.steps, shape).filter(|_| waits);
        Self {
            name: task.name(index).into_owned(),
            status: step.state.as_str(),
            viable: reason == Readiness::Ready,
            reason: reason.as_str(),
            waits_for: names(task, waits_for),
            not_before: match reason {
                Readiness::WaitingForRetry => step.next_retry_at.map(Moment),
                Readiness::WaitingForStart => task.row.run_at.map(Moment),
                _ => None,
            },
            attempts: step.attempts,
            retry_limit: task.definition(index).map_or(1, |step| step.policy.retry_limit),
        }
    }
}

impl Dependencies {
    /// Of a task.
    pub fn of(task: &Analysed) -> Self {
        let shape = task.shape();
        let (critical_path, critical_path_seconds) = critical_path(task, &shape);
        let levels = shape.levels().iter().enumerate();
        Self {
            task_id: task.row.id.to_string(),
            total_steps: task.steps.len(),
            levels: levels.map(|(step, &level)| (task.name(step as StepIndex).into_owned(), level)).collect(),
            depth: shape.depth(),
            parallel_width: shape.width(),
            roots: names(task, shape.roots()),
            leaves: names(task, shape.leaves()),
            edges: shape
                .edges()
                .map(|(parent, child)| (task.name(parent).into_owned(), task.name(child).into_owned()))
                .collect(),
            critical_path,
            critical_path_seconds,
        }
    }
}

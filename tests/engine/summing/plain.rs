//! What is to be said of a history, worked out in the plainest way.

use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::ffi::shared::types::{Durations, Outcomes};

use super::history::{Step, Task};

/// (running, waiting) in microseconds.
pub type Spans = (i64, i64);

impl Task {
    pub fn is_of(&self, since: i64, namespace: Option<&str>, name: Option<&str>) -> bool {
        self.finished.is_some_and(|finished| finished >= since)
            && namespace.is_none_or(|wanted| self.namespace == wanted)
            && name.is_none_or(|wanted| self.name == wanted)
    }

    /// From when it might have begun.
    fn from(&self) -> i64 {
        self.run_at.map_or(self.created, |run_at| run_at.max(self.created))
    }

    pub fn spans(&self) -> Option<Spans> {
        let (started, finished) = (self.started?, self.finished?);
        Some(((finished - started).max(0), (started - self.from()).max(0)))
    }

    /// Its steps that ran and ended, with how long.
    pub fn ran(&self) -> impl Iterator<Item = (&Step, Spans)> {
        self.steps.iter().filter_map(|step| {
            let (started, finished) = (step.started?, step.finished?);
            let parents = self.steps.iter().filter(|other| step.parents.contains(&other.name));
            let might = parents.filter_map(|parent| parent.finished).max().unwrap_or(self.from());
            Some((step, ((finished - started).max(0), (started - might).max(0))))
        })
    }
}

/// count, mean, p50, p95, p99, max in microseconds.
type Spread = (usize, [Option<i64>; 5]);

fn spread(all: &[i64]) -> Spread {
    let percentile = |percent: usize| {
        let reaches = |most: &&i64| all.iter().filter(|one| one <= most).count() * 100 >= all.len() * percent;
        all.iter().filter(reaches).min().copied()
    };
    let mean = (!all.is_empty()).then(|| all.iter().sum::<i64>() / all.len() as i64);
    (all.len(), [mean, percentile(50), percentile(95), percentile(99), all.iter().max().copied()])
}

pub fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

fn said(durations: &Durations) -> Spread {
    let Durations { count, mean, p50, p95, p99, max } = *durations;
    (count, [mean, p50, p95, p99, max].map(|seconds| seconds.map(micros)))
}

pub fn check_spans(running: &Durations, waiting: &Durations, spans: &[Spans]) {
    assert_eq!(said(running), spread(&spans.iter().map(|(running, _)| *running).collect::<Vec<_>>()), "running");
    assert_eq!(said(waiting), spread(&spans.iter().map(|(_, waiting)| *waiting).collect::<Vec<_>>()), "waiting");
}

/// What is said of these tasks, of a window of so many microseconds.
pub fn check_outcomes(said: &Outcomes, tasks: &[&Task], window: i64) {
    let count = |states: &[TaskState]| tasks.iter().filter(|task| states.contains(&task.state)).count();
    let part = |some: usize| (!tasks.is_empty()).then(|| some as f64 / tasks.len() as f64);
    let completed = count(&[TaskState::Complete, TaskState::ResolvedManually]);
    let failed = count(&[TaskState::Error]);
    assert_eq!((said.ended, said.completed, said.failed), (tasks.len(), completed, failed));
    assert_eq!(said.cancelled, count(&[TaskState::Cancelled]));
    assert_eq!((said.completion_rate, said.error_rate), (part(completed), part(failed)));
    let task_spans: Vec<Spans> = tasks.iter().filter_map(|task| task.spans()).collect();
    let step_spans: Vec<Spans> = tasks.iter().flat_map(|task| task.ran()).map(|(_, spans)| spans).collect();
    check_spans(&said.task_running, &said.task_waiting, &task_spans);
    check_spans(&said.step_running, &said.step_waiting, &step_spans);
    let rate = |count: usize| if window == 0 { 0.0 } else { count as f64 * 1e6 / window as f64 };
    assert!((said.throughput - rate(tasks.len())).abs() <= rate(tasks.len()) * 1e-9);
    assert!((said.step_throughput - rate(step_spans.len())).abs() <= rate(step_spans.len()) * 1e-9);
}

/// How many steps came to this state.
pub fn steps_in(runs: &[(&Step, Spans)], state: StepState) -> usize {
    runs.iter().filter(|(step, _)| step.state == state).count()
}

//! Durations, summed up exactly: no estimate, every percentile is a duration that was measured.

use std::time::Duration;

use super::StepFacts;
use super::shape::Shape;
use crate::domain::time::Timestamp;

/// What many durations have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many there are.
    pub count: usize,
    /// Their mean, to the microsecond below.
    pub mean: Duration,
    /// The least that half of them don't exceed.
    pub p50: Duration,
    /// The least that 95 % don't exceed.
    pub p95: Duration,
    /// The least that 99 % don't exceed.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Spread {
    /// Of these; `None` of none. A percentile is by nearest rank: the smallest duration which that part of all does not
    /// exceed.
    pub fn of(mut durations: Vec<Duration>) -> Option<Self> {
        durations.sort_unstable();
        let max = *durations.last()?;
        let count = durations.len();
        let percentile = |percent: usize| durations[(count * percent).div_ceil(100).max(1) - 1];
        let sum: u128 = durations.iter().map(Duration::as_micros).sum();
        let mean = Duration::from_micros(u64::try_from(sum / count as u128).unwrap_or(u64::MAX));
        Some(Self { count, mean, p50: percentile(50), p95: percentile(95), p99: percentile(99), max })
    }
}

/// How long something ran, and how long it could have and did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// From the begin of the last attempt to its end.
    pub running: Duration,
    /// From when it might have begun to when that attempt did: earlier attempts and what lies between them are in it.
    pub waiting: Duration,
}

/// How long a task took: from its first claim to its end, and before that from its creation or `run_at`. `None` for one
/// of which nothing was ever claimed.
pub fn task_took(
    created_at: Timestamp,
    run_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    finished_at: Timestamp,
) -> Option<Took> {
    let started = started_at?;
    let might = run_at.map_or(created_at, |run_at| run_at.max(created_at));
    Some(Took { running: finished_at.since(started), waiting: started.since(might) })
}

/// How long each step took that ran, by place. It might have begun when the last of its parents had ended, one without
/// parents at `from`.
pub fn steps_took(from: Timestamp, steps: &[StepFacts], shape: &Shape) -> Vec<Option<Took>> {
    let took = |(place, step): (u32, &StepFacts)| {
        let (started, finished) = (step.started_at?, step.finished_at?);
        let parents = shape.parents(place).iter().filter_map(|&parent| steps[parent as usize].finished_at);
        let might = parents.max().unwrap_or(from);
        Some(Took { running: finished.since(started), waiting: started.since(might) })
    };
    (0..).zip(steps).map(took).collect()
}

/// The part of `count` in `of`, 0 to 1; `None` of nothing.
pub fn rate(count: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| count as f64 / of as f64)
}

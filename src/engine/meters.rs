//! What this process counts of its work, for those who watch it from outside. Counts only grow, for as long as the
//! database is open, whichever workers come and go.
//!
//! Counting stands on the hot path: it looks a step up by two numbers and adds, and takes memory only the first time a
//! step is met. What names they have is looked up by whoever reads.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::catalog::{Catalog, StoredTemplate};
use super::transactions::intake::Assignment;
use super::transactions::settle::Report;
use super::transactions::verdict::Outcome;
use crate::domain::id::{LaneId, NamedTaskId, StepIndex, StepKey};
use crate::domain::state::StepState;

/// The upper bounds of what a [`Histogram`] tells apart, in seconds.
pub const BOUNDS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0];

/// How often something took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many were within each of [`BOUNDS`] and above the one before; the last counts those above all.
    pub counts: [u64; BOUNDS.len() + 1],
    /// The sum of all.
    pub sum: Duration,
}

impl Histogram {
    fn observe(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        self.counts[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        self.sum = self.sum.saturating_add(took);
    }

    fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// What an attempt brought its step to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its result is recorded.
    Complete,
    /// It failed and will be tried again.
    Retry,
    /// It failed for good.
    Error,
    /// It failed for good and was skipped.
    Skipped,
    /// It was given back untried, or not to its end.
    Released,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Complete, Self::Retry, Self::Error, Self::Skipped, Self::Released];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Retry => "retry",
            Self::Error => "error",
            Self::Skipped => "skipped",
            Self::Released => "released",
        }
    }

    /// What a recorded report came to. Nothing where a list or the key of a limit was made: the step itself is still
    /// to be done.
    fn of(outcome: &Outcome, to: StepState) -> Option<Self> {
        match (outcome, to) {
            (Outcome::Released, _) => Some(Self::Released),
            (_, StepState::Complete) => Some(Self::Complete),
            (_, StepState::WaitingForRetry) => Some(Self::Retry),
            (_, StepState::Error) => Some(Self::Error),
            (_, StepState::Skipped) => Some(Self::Skipped),
            _ => None,
        }
    }
}

/// What is counted of one step of a template; of those made for a list's items, of all together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepCounts {
    /// Recorded attempts, in the order of [`Ending::ALL`].
    pub endings: [u64; Ending::ALL.len()],
    /// Attempts that ran out of time; they ended in one of these ways, too.
    pub timeouts: u64,
    /// How long handlers had the step, whatever came of it.
    pub took: Histogram,
}

impl StepCounts {
    fn add(&mut self, other: &Self) {
        self.endings.iter_mut().zip(other.endings).for_each(|(count, more)| *count += more);
        self.timeouts += other.timeouts;
        self.took.add(&other.took);
    }
}

/// See the module.
#[derive(Default)]
pub struct Meters {
    tally: Mutex<Tally>,
    late: AtomicU64,
    sessions_lost: AtomicU64,
    recovered: AtomicU64,
}

#[derive(Default)]
struct Tally {
    templates: HashMap<NamedTaskId, OfTemplate>,
    waits: HashMap<LaneId, Histogram>,
}

struct OfTemplate {
    stored: Arc<StoredTemplate>,
    /// Of each step of the template, and behind it of those of its items.
    steps: Vec<Option<Box<StepCounts>>>,
}

impl Tally {
    fn step(&mut self, held: &Assignment) -> Option<&mut StepCounts> {
        let stored = &held.task.stored;
        let of_template = self.templates.entry(stored.named_task).or_insert_with(|| OfTemplate {
            stored: stored.clone(),
            steps: vec![None; stored.template.steps.len() * 2],
        });
        let index = held.row.key.index;
        let home = stored.template.home(index);
        let place = usize::try_from(home).ok()? * 2 + usize::from(home != index);
        Some(of_template.steps.get_mut(place)?.get_or_insert_default())
    }
}

impl Meters {
    /// A thread has taken a step that had been held for `held_for`.
    pub(super) fn taken(&self, held: &Assignment, held_for: Duration) {
        self.tally.lock().waits.entry(held.row.lane).or_default().observe(held.waited + held_for);
    }

    /// A handler is done with a step, or lost it because its time was over.
    pub(super) fn ran(&self, held: &Assignment, took: Duration, timed_out: bool) {
        if let Some(counts) = self.tally.lock().step(held) {
            counts.took.observe(took);
            counts.timeouts += u64::from(timed_out);
        }
    }

    /// Reports were recorded, but of those steps that are missing in `accepted`: they came too late.
    pub(super) fn settled(&self, reports: &[Report], accepted: &HashMap<StepKey, StepState>) {
        self.late((reports.len() - accepted.len().min(reports.len())) as u64);
        let mut tally = self.tally.lock();
        for Report { assignment, outcome } in reports {
            let ending = accepted.get(&assignment.row.key).and_then(|to| Ending::of(outcome, *to));
            if let Some((ending, counts)) = ending.zip(tally.step(assignment)) {
                counts.endings[ending as usize] += 1;
            }
        }
    }

    /// So many reports came too late.
    pub(super) fn late(&self, reports: u64) {
        self.late.fetch_add(reports, Ordering::Relaxed);
    }

    /// This process's session was ended by another one.
    pub(super) fn session_lost(&self) {
        self.sessions_lost.fetch_add(1, Ordering::Relaxed);
    }

    /// This process has given back so many steps of sessions that had ended without a word.
    pub(super) fn recovered(&self, steps: usize) {
        self.recovered.fetch_add(steps as u64, Ordering::Relaxed);
    }

    /// What was counted until now.
    pub fn read(&self, catalog: &Catalog) -> Counted {
        let tally = self.tally.lock();
        let mut counted = Counted {
            late: self.late.load(Ordering::Relaxed),
            sessions_lost: self.sessions_lost.load(Ordering::Relaxed),
            recovered: self.recovered.load(Ordering::Relaxed),
            ..Counted::default()
        };
        for OfTemplate { stored, steps } in tally.templates.values() {
            for (place, counts) in steps.iter().enumerate() {
                let Some(counts) = counts else { continue };
                let Ok(home) = StepIndex::try_from(place / 2) else { continue };
                counted.steps.entry(step_name(stored, home, place % 2 == 1)).or_default().add(counts);
            }
        }
        let queues = catalog.queues();
        for (lane, waits) in &tally.waits {
            if let Some(queue) = queues.get(lane) {
                counted.waits.entry(queue.clone()).or_default().add(waits);
            }
        }
        counted
    }
}

fn step_name(stored: &StoredTemplate, home: StepIndex, of_items: bool) -> StepName {
    let template = &stored.template;
    let name = template.step(home).map_or("", |step| step.name.as_str());
    StepName {
        namespace: template.namespace.clone(),
        template: template.name.clone(),
        step: if of_items { format!("{name}[]") } else { name.to_owned() },
    }
}

/// A step of a template, of any version; `parcel[]` stands for each of a list's items.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepName {
    /// The template's namespace.
    pub namespace: String,
    /// Its name.
    pub template: String,
    /// The step's.
    pub step: String,
}

/// What was counted, under its names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// By step.
    pub steps: BTreeMap<StepName, StepCounts>,
    /// How long steps were ready before a thread took them, by queue.
    pub waits: BTreeMap<String, Histogram>,
    /// Reports that came too late.
    pub late: u64,
    /// Sessions of this process that others ended.
    pub sessions_lost: u64,
    /// Steps of dead processes that this one gave back.
    pub recovered: u64,
}

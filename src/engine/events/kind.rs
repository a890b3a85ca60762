//! What an event can be: one name for each, which is also its name in every language.

use crate::domain::fault::{Fault, Faults, hint};
use crate::domain::state::{StepState, TaskState};

/// Declares the kinds with their names.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind { $($(#[$doc])* $variant,)+ }

        impl EventKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

kinds! {
    /// A task was created.
    TaskCreated = "task.created",
    /// A task went back to the beginning.
    TaskPending = "task.pending",
    /// Its first step was claimed, or it goes on.
    TaskInProgress = "task.in_progress",
    /// It is held back by hand.
    TaskPaused = "task.paused",
    /// Every step is done.
    TaskComplete = "task.complete",
    /// Nothing can run and a step is in error.
    TaskError = "task.error",
    /// It was given up by hand.
    TaskCancelled = "task.cancelled",
    /// It was declared done by hand.
    TaskResolvedManually = "task.resolved_manually",
    /// Its priority or its queue was changed.
    TaskUpdated = "task.updated",
    /// A step was created, with its task.
    StepCreated = "step.created",
    /// A step was given back, or is to run afresh.
    StepPending = "step.pending",
    /// A worker claimed it.
    StepInProgress = "step.in_progress",
    /// An attempt failed and another one will follow.
    StepWaitingForRetry = "step.waiting_for_retry",
    /// Its result is recorded.
    StepComplete = "step.complete",
    /// It failed for good.
    StepError = "step.error",
    /// It was left out.
    StepSkipped = "step.skipped",
    /// It ended with its task.
    StepCancelled = "step.cancelled",
    /// It was given its result by hand.
    StepResolvedManually = "step.resolved_manually",
    /// A template, with its steps' handlers, was registered.
    HandlerRegistered = "handler.registered",
    /// A process was found dead: its lease is past its end.
    LeaseExpired = "lease.expired",
    /// Steps of a dead process were returned.
    LeaseRecovered = "lease.recovered",
    /// A worker of this process began to claim.
    WorkerStarted = "worker.started",
    /// A worker of this process has ended.
    WorkerStopped = "worker.stopped",
}

impl EventKind {
    /// The transition of a task.
    pub fn of_task(from: Option<TaskState>, to: TaskState) -> Self {
        match to {
            TaskState::Pending if from.is_none() => Self::TaskCreated,
            _ if from == Some(to) => Self::TaskUpdated,
            TaskState::Pending => Self::TaskPending,
            TaskState::InProgress => Self::TaskInProgress,
            TaskState::Paused => Self::TaskPaused,
            TaskState::Complete => Self::TaskComplete,
            TaskState::Error => Self::TaskError,
            TaskState::Cancelled => Self::TaskCancelled,
            TaskState::ResolvedManually => Self::TaskResolvedManually,
        }
    }

    /// The transition of a step.
    pub fn of_step(from: Option<StepState>, to: StepState) -> Self {
        match to {
            StepState::Pending if from.is_none() => Self::StepCreated,
            StepState::Pending => Self::StepPending,
            StepState::InProgress => Self::StepInProgress,
            StepState::WaitingForRetry => Self::StepWaitingForRetry,
            StepState::Complete => Self::StepComplete,
            StepState::Error => Self::StepError,
            StepState::Skipped => Self::StepSkipped,
            StepState::Cancelled => Self::StepCancelled,
            StepState::ResolvedManually => Self::StepResolvedManually,
        }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u32);

impl Kinds {
    /// The kinds that any of the patterns names. In a pattern `*` stands for any characters.
    ///
    /// # Errors
    /// For each pattern that names nothing, with the nearest name.
    pub fn matching<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, Faults> {
        let mut kinds = Self::default();
        let mut faults = Vec::new();
        for (index, pattern) in patterns.into_iter().enumerate() {
            let named = EventKind::ALL.iter().filter(|kind| is_match(pattern, kind.name()));
            let named = named.fold(Self::default(), |named, &kind| named.with(kind));
            if named.is_empty() {
                let hint = hint(pattern, EventKind::ALL.iter().map(|kind| kind.name()));
                let fault = Fault::new(format!("patterns[{index}]"), format!("no event is called {pattern:?}{hint}"));
                faults.push(fault.with("an event's name, or a pattern such as \"step.*\"", format!("{pattern:?}")));
            }
            kinds = kinds.and(named);
        }
        Faults::check(faults).map(|()| kinds)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `kind` is one of them.
    pub fn has(self, kind: EventKind) -> bool {
        self.0 & Self::default().with(kind).0 != 0
    }

    /// Both sets.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn with(self, kind: EventKind) -> Self {
        Self(self.0 | 1 << kind as u32)
    }

    /// As a number, for an atomic.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// From [`Kinds::bits`].
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

/// Whether `name` is as the pattern says.
fn is_match(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> Vec<&'static str> {
        let kinds = Kinds::matching([pattern]).unwrap_or_default();
        EventKind::ALL.iter().filter(|kind| kinds.has(**kind)).map(|kind| kind.name()).collect()
    }

    #[test]
    fn a_pattern_names_what_it_says() {
        assert_eq!(names("task.complete"), ["task.complete"]);
        assert_eq!(names("worker.*"), ["worker.started", "worker.stopped"]);
        assert_eq!(names("*.complete"), ["task.complete", "step.complete"]);
        assert_eq!(names("*.*_*y"), ["task.resolved_manually", "step.waiting_for_retry", "step.resolved_manually"]);
        assert_eq!(names("*").len(), EventKind::ALL.len());
        assert_eq!(names("task.complete*task.complete"), [""; 0], "a part is not matched twice");
    }

    #[test]
    fn a_pattern_that_names_nothing_is_refused_with_the_nearest_name() {
        let refused = Kinds::matching(["step.*", "step.completed", ""]).expect_err("two are wrong");
        let faults: Vec<_> = refused.all().iter().map(|fault| (fault.path.as_str(), fault.message.as_str())).collect();
        assert_eq!(
            faults[0],
            ("patterns[1]", "no event is called \"step.completed\" (did you mean \"step.complete\"?)")
        );
        assert_eq!(faults[1].0, "patterns[2]");
    }
}

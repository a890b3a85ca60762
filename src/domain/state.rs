//! The states of steps and tasks, and the two tables that say which event leads where.
//!
//! Nothing else decides a move: the transactions, the operations, the model checker and the
//! (state × operation) test all ask [`StepState::settle`] and [`TaskState::settle`].

use std::fmt;

/// Declares a state enum with its stored names, which are also its names in every language.
macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every state, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The state's name, in SQL and in every language.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The state with this name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

states! {
    /// Where a step is.
    StepState {
        /// Waiting for parents or for a worker.
        Pending = "pending",
        /// Held by a worker. Never a stored column: a step is in progress while a receipt names it.
        InProgress = "in_progress",
        /// Failed, to be tried again at a set time.
        WaitingForRetry = "waiting_for_retry",
        /// Done; the result is recorded.
        Complete = "complete",
        /// Failed for good.
        Error = "error",
        /// Left out: its children see a null result.
        Skipped = "skipped",
        /// Ended with its task.
        Cancelled = "cancelled",
        /// Given its result by a person.
        ResolvedManually = "resolved_manually",
    }
}

states! {
    /// Where a task is.
    TaskState {
        /// No step was claimed yet.
        Pending = "pending",
        /// At least one step was claimed.
        InProgress = "in_progress",
        /// Held back by hand.
        Paused = "paused",
        /// Every step is done.
        Complete = "complete",
        /// Nothing can run and a step is in error.
        Error = "error",
        /// Given up by hand.
        Cancelled = "cancelled",
        /// Declared done by hand.
        ResolvedManually = "resolved_manually",
    }
}

/// What can happen to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepEvent {
    /// A worker takes it: its parents are done and it is due.
    Claim,
    /// Its handler returned a result.
    Succeed,
    /// Its handler failed, or ran out of time, in a way that another attempt may cure.
    Fail {
        /// Whether an attempt is left.
        attempts_left: bool,
    },
    /// Its handler failed for good.
    FailForGood,
    /// Its worker's session ended without a word.
    LoseLease {
        /// Whether the crash budget allows another try.
        crashes_left: bool,
    },
    /// Its worker gives it back unfinished.
    Release,
    /// It made a list, and waits for the steps of the items; it is claimed once more when they are done.
    Expand,
    /// It is left out, by a decision or by hand.
    Skip,
    /// It is tried afresh, by hand.
    Retry,
    /// It is given a result, by hand.
    Resolve,
    /// Its task ends.
    Cancel,
    /// It, or a step before it, is run again in a new run.
    Restart,
}

/// What can happen to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskEvent {
    /// The first of its steps is claimed.
    Start,
    /// The last of its steps is done.
    Finish,
    /// Nothing in it can run any more and a step is in error.
    Stall,
    /// It is held back by hand.
    Pause,
    /// It goes on after a pause; `started` tells whether any step was ever claimed.
    Resume {
        /// Whether a step was claimed before the pause.
        started: bool,
    },
    /// Its failed steps are tried again by hand.
    Retry,
    /// It is run again from one of its steps on.
    RestartFrom,
    /// It is given up by hand.
    Cancel,
    /// It is declared done by hand.
    Resolve,
    /// Something of it is changed by hand, a step or a setting, for which it need not move itself.
    Change,
}

/// A move that the tables do not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} is not allowed in the state {state}")]
pub struct Refusal<S: fmt::Debug + fmt::Display, E: fmt::Debug> {
    /// The state it was in.
    pub state: S,
    /// What was asked.
    pub event: E,
}

impl StepState {
    /// The state after `event`.
    ///
    /// # Errors
    /// A [`Refusal`] when the table has no such move.
    pub fn settle(self, event: StepEvent) -> Result<Self, Refusal<Self, StepEvent>> {
        use StepEvent as E;
        use StepState as S;
        match (event, self) {
            (E::Claim, S::Pending | S::WaitingForRetry) => Ok(S::InProgress),
            (E::Succeed, S::InProgress) => Ok(S::Complete),
            (E::Fail { attempts_left: true }, S::InProgress) => Ok(S::WaitingForRetry),
            (E::Fail { attempts_left: false } | E::FailForGood, S::InProgress) => Ok(S::Error),
            (E::LoseLease { crashes_left: true } | E::Release | E::Expand, S::InProgress) => Ok(S::Pending),
            (E::LoseLease { crashes_left: false }, S::InProgress) => Ok(S::Error),
            (E::Skip, S::Pending | S::WaitingForRetry | S::Error) => Ok(S::Skipped),
            (E::Retry, S::WaitingForRetry | S::Error) => Ok(S::Pending),
            (E::Resolve, state) if !matches!(state, S::Complete | S::Skipped) => Ok(S::ResolvedManually),
            (E::Cancel, S::Pending | S::WaitingForRetry | S::InProgress | S::Error) => Ok(S::Cancelled),
            (E::Restart, S::Complete | S::Skipped | S::Error | S::Cancelled | S::ResolvedManually) => Ok(S::Pending),
            (event, state) => Err(Refusal { state, event }),
        }
    }

    /// Whether the step's children may go on: they use its result, or null when it was skipped.
    pub fn satisfies_children(self) -> bool {
        matches!(self, Self::Complete | Self::Skipped | Self::ResolvedManually)
    }

    /// Whether it is still ready, held, waiting or blocked.
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Pending | Self::InProgress | Self::WaitingForRetry)
    }
}

impl TaskState {
    /// The state after `event`.
    ///
    /// # Errors
    /// A [`Refusal`] when the table has no such move.
    pub fn settle(self, event: TaskEvent) -> Result<Self, Refusal<Self, TaskEvent>> {
        use TaskEvent as E;
        use TaskState as S;
        match (event, self) {
            (E::Start, S::Pending) => Ok(S::InProgress),
            (E::Finish, S::InProgress) => Ok(S::Complete),
            (E::Stall, S::InProgress) => Ok(S::Error),
            (E::Pause, S::Pending | S::InProgress) => Ok(S::Paused),
            (E::Resume { started: true }, S::Paused) => Ok(S::InProgress),
            (E::Resume { started: false }, S::Paused) => Ok(S::Pending),
            (E::Retry, S::Error) => Ok(S::InProgress),
            (E::RestartFrom, S::Complete | S::Error | S::Cancelled | S::ResolvedManually) => Ok(S::InProgress),
            (E::Cancel, S::Pending | S::InProgress | S::Paused | S::Error) => Ok(S::Cancelled),
            (E::Resolve, state) if state != S::Complete => Ok(S::ResolvedManually),
            (E::Change, S::Pending | S::InProgress | S::Paused | S::Error) => Ok(self),
            (event, state) => Err(Refusal { state, event }),
        }
    }

    /// Whether the task ended: nothing of it will run unless someone asks for it.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Complete | Self::Error | Self::Cancelled | Self::ResolvedManually)
    }
}

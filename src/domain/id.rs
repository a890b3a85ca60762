//! Identities: newtypes, so that no two of them can be mixed up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::time::Timestamp;

/// A task's id: a UUIDv7 made by the creating process, so it is known before the commit and
/// sorts by time of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub Uuid);

impl TaskId {
    /// A fresh id, later in order than any this process made before.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// When it was made, by the clock of the process that made it, to the millisecond.
    pub fn made_at(self) -> Timestamp {
        let milliseconds = self.0.as_u64_pair().0 >> 16;
        Timestamp(i64::try_from(milliseconds).unwrap_or(0).saturating_mul(1_000))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TaskId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

/// A step's place in its task: its position in the template's list of steps.
pub type StepIndex = u32;

/// One step of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepKey {
    /// The task it belongs to.
    pub task: TaskId,
    /// Its place in that task.
    pub index: StepIndex,
}

/// The fence of a step: it grows whenever the step leaves a worker's hands or is moved by hand,
/// and never shrinks. Whoever reports a result must show the token that its claim carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub i32);

impl Token {
    /// The token after the next settlement.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Where the transition *into* the state that began with this token stands in the step's
    /// history. Two places per token make every transition's place known without reading, and
    /// the history's primary key refuses to record anything twice.
    pub fn entered(self) -> i32 {
        self.0 * 2
    }

    /// Where the claim under this token stands in the step's history.
    pub fn claimed(self) -> i32 {
        self.0 * 2 + 1
    }
}

/// A worker process's session with a database: who holds which leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub Uuid);

/// A session together with the epoch in which it may act. Recovery raises the stored epoch,
/// which shuts the old holder out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// The session.
    pub id: SessionId,
    /// The epoch that its holder knows.
    pub epoch: i32,
}

/// A claimed batch of steps: one row that says which session holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptId(pub Uuid);

impl ReceiptId {
    /// A fresh id. The claimer makes it, so a claim whose commit went unanswered can be found.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

/// A (template version, queue) pair: what a worker says it can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub i32);

/// A stored template version: (namespace, name, version).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedTaskId(pub i64);

/// One registration's settings of a template version: what may change under the same version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevisionId(pub i64);

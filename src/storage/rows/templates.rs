//! Stored templates: versions, revisions, and the lanes of their queues.

use crate::domain::id::{LaneId, NamedTaskId, RevisionId, StepIndex};
use crate::domain::json::Json;

/// A template version to store.
#[derive(Clone, Debug)]
pub struct NewNamedTask {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What the version fixes once a task uses it.
    pub fixed: Json,
    /// Names of its steps by index.
    pub steps: Vec<String>,
    /// (parent, child) pairs.
    pub edges: Vec<(StepIndex, StepIndex)>,
}

/// A stored template version.
#[derive(Clone, Debug)]
pub struct NamedTaskRow {
    /// Its id.
    pub id: NamedTaskId,
    /// What the version fixes.
    pub fixed: Json,
    /// Its latest settings.
    pub latest: Option<(RevisionId, Json)>,
}

/// One stored version of a template name.
#[derive(Clone, Debug)]
pub struct VersionRow {
    /// Its id.
    pub id: NamedTaskId,
    /// The version.
    pub version: String,
    /// Its latest settings.
    pub revision: RevisionId,
}

/// A stored revision.
#[derive(Clone, Debug)]
pub struct RevisionRow {
    /// Its id.
    pub id: RevisionId,
    /// The template version it belongs to.
    pub named_task: NamedTaskId,
    /// The normalised template.
    pub template: Json,
}

/// A stored lane.
#[derive(Clone, Debug)]
pub struct LaneRow {
    /// Its id.
    pub id: LaneId,
    /// The template version.
    pub named_task: NamedTaskId,
    /// The queue.
    pub queue: String,
}

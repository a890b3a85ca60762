//! What tasks are listed and found by, and remarks on them.

use uuid::Uuid;

use crate::domain::id::TaskId;
use crate::domain::json::Json;
use crate::domain::search::Term;
use crate::domain::state::TaskState;
use crate::domain::time::Timestamp;

/// Which tasks to list. Every condition must hold; an empty list or `None` asks nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskFilter {
    /// In one of these states.
    pub states: Vec<TaskState>,
    /// Of this namespace.
    pub namespace: Option<String>,
    /// Of this template name.
    pub name: Option<String>,
    /// Of this version.
    pub version: Option<String>,
    /// With this key.
    pub key: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// With an annotation of this type.
    pub annotation: Option<String>,
    /// Found by all of these.
    pub terms: Vec<Term>,
    /// Created within this span.
    pub created: Span,
    /// Ended within this span.
    pub finished: Span,
}

impl TaskFilter {
    /// All that the task must be found by.
    pub fn all_terms(&self) -> Vec<Term> {
        let annotation = self.annotation.as_deref().map(Term::annotation);
        let tag = self.tag.as_deref().map(Term::tag);
        self.terms.iter().cloned().chain(annotation).chain(tag).collect()
    }

    /// Whether it asks for states in which few tasks are: those are indexed.
    pub(in crate::storage) fn has_rare_states_only(&self) -> bool {
        use TaskState::{Complete, InProgress, Pending};
        let is_common = |state: &TaskState| matches!(state, Pending | InProgress | Complete);
        !self.states.is_empty() && !self.states.iter().any(is_common)
    }

    /// Whether nothing is asked but what tasks are found by: then they need not be looked at to be counted.
    pub(in crate::storage) fn asks_for_terms_only(&self) -> bool {
        Self { terms: Vec::new(), tag: None, annotation: None, ..self.clone() } == Self::default()
    }
}

/// As many tasks of a term are counted to see which of several has the fewest.
pub(in crate::storage) const MANY: i64 = 1_000;

/// A span of time; without an end where there is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// At this moment or later.
    pub from: Option<Timestamp>,
    /// Earlier than this moment.
    pub before: Option<Timestamp>,
}

/// What a task is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermRow {
    /// The task.
    pub task: TaskId,
    /// The term.
    pub term: Term,
}

/// An annotation to store.
#[derive(Clone, Debug)]
pub struct NewAnnotation {
    /// Made by whoever annotates: storing it twice stores it once.
    pub id: Uuid,
    /// The task.
    pub task: TaskId,
    /// What kind of remark it is.
    pub kind: String,
    /// What it says.
    pub value: Json,
    /// Who made it.
    pub by: Option<String>,
}

/// A stored annotation.
#[derive(Clone, Debug)]
pub struct AnnotationRow {
    /// What kind of remark it is.
    pub kind: String,
    /// What it says.
    pub value: Json,
    /// Who made it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

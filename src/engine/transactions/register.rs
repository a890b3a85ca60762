//! Registering a template: the same one again, from any process, changes nothing; other settings
//! under a version become its latest; another graph or schema is refused once a task uses it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::id::{LaneId, NamedTaskId, RevisionId, StepIndex};
use crate::domain::json::Json;
use crate::domain::template::Template;
use crate::storage::rows::NewNamedTask;
use crate::storage::{Result, Transaction, Tx};

/// See the module.
pub struct Register {
    /// The template.
    pub template: Arc<Template>,
    /// Its normalised form.
    pub normal: Json,
    /// What its version fixes.
    pub fixed: Json,
}

/// What became of a registration.
pub enum Registered {
    /// It stands.
    Done {
        /// The version's id.
        named_task: NamedTaskId,
        /// The id of its settings.
        revision: RevisionId,
        /// The lanes of its steps.
        lanes: Vec<((NamedTaskId, String), LaneId)>,
    },
    /// A task uses this version with another graph or schema.
    InUse {
        /// What the version fixes.
        fixed: Json,
    },
}

impl Transaction for Register {
    type Output = Registered;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Registered> {
        let template = &*self.template;
        let stored = tx.lock_named_task(&template.namespace, &template.name, &template.version).await?;
        let (named_task, latest) = match stored {
            Some(stored) if same(&stored.fixed, &self.fixed) => (stored.id, stored.latest),
            Some(stored) if tx.is_used(stored.id).await? => return Ok(Registered::InUse { fixed: stored.fixed }),
            Some(stored) => {
                tx.delete_named_task(stored.id).await?;
                (tx.insert_named_task(&self.new_named_task()).await?, None)
            }
            None => (tx.insert_named_task(&self.new_named_task()).await?, None),
        };
        let revision = match latest {
            Some((revision, normal)) if same(&normal, &self.normal) => revision,
            _ => {
                tx.declare_paths(named_task, template.search()).await?;
                tx.insert_revision(named_task, &self.normal).await?
            }
        };
        let queues: BTreeSet<&str> =
            (0..template.steps.len()).map(|i| template.queue_of(i as StepIndex, None)).collect();
        let wanted: Vec<(NamedTaskId, String)> =
            queues.into_iter().map(|queue| (named_task, queue.to_owned())).collect();
        let lanes = tx.ensure_lanes(&wanted).await?;
        Ok(Registered::Done { named_task, revision, lanes: wanted.into_iter().zip(lanes).collect() })
    }
}

impl Register {
    fn new_named_task(&self) -> NewNamedTask {
        NewNamedTask {
            namespace: self.template.namespace.clone(),
            name: self.template.name.clone(),
            version: self.template.version.clone(),
            fixed: self.fixed.clone(),
            steps: self.template.steps.iter().map(|step| step.name.clone()).collect(),
            edges: self.template.graph.edges().collect(),
        }
    }
}

/// Whether two texts are the same JSON, whatever the order of keys.
pub(in crate::engine) fn same(a: &Json, b: &Json) -> bool {
    a == b || matches!((a.tree(), b.tree()), (Ok(a), Ok(b)) if a == b)
}

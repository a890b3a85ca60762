//! Templates in memory: what was registered on a handle ([`Registry`]), and every revision that
//! this process has met ([`Catalog`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::error::{EngineError, Missing};
use crate::domain::fault::hint;
use crate::domain::id::{LaneId, NamedTaskId, RevisionId};
use crate::domain::template::{Template, TemplateInput};
use crate::storage::rows::RevisionRow;
use crate::storage::{self, StoreError, Tx};

/// A template as the database knows it.
#[derive(Debug)]
pub struct StoredTemplate {
    /// The template.
    pub template: Template,
    /// Its version's id.
    pub named_task: NamedTaskId,
    /// The id of these settings.
    pub revision: RevisionId,
}

/// Lanes by (template version, queue).
pub type Lanes = HashMap<(NamedTaskId, String), LaneId>;

/// The lane of a pair that was asked for with [`Catalog::lanes`].
///
/// # Errors
/// When it was not.
pub fn lane_of(lanes: &Lanes, named_task: NamedTaskId, queue: String) -> storage::Result<LaneId> {
    let key = (named_task, queue);
    lanes.get(&key).copied().ok_or_else(|| StoreError::Database(format!("the queue {:?} has no lane", key.1).into()))
}

/// Every revision and lane that this process has met. Both are immutable once stored.
#[derive(Default)]
pub struct Catalog {
    revisions: RwLock<HashMap<RevisionId, Arc<StoredTemplate>>>,
    lanes: RwLock<Lanes>,
    /// Grows with every new lane.
    version: AtomicU64,
}

impl Catalog {
    /// Keeps a template.
    pub fn keep(&self, stored: Arc<StoredTemplate>) {
        self.revisions.write().insert(stored.revision, stored);
    }

    /// The template of a revision that this process has met.
    pub fn known(&self, revision: RevisionId) -> Option<Arc<StoredTemplate>> {
        self.revisions.read().get(&revision).cloned()
    }

    /// The templates of these revisions, read where this process has not met them.
    ///
    /// # Errors
    /// When the database fails, or holds a template that this version cannot read.
    pub async fn revisions<T: Tx>(
        &self,
        tx: &mut T,
        ids: impl Iterator<Item = RevisionId>,
    ) -> storage::Result<HashMap<RevisionId, Arc<StoredTemplate>>> {
        let mut found = HashMap::new();
        let mut missing = Vec::new();
        {
            let known = self.revisions.read();
            for id in ids {
                match known.get(&id) {
                    Some(stored) => {
                        found.insert(id, stored.clone());
                    }
                    None if !missing.contains(&id) => missing.push(id),
                    None => {}
                }
            }
        }
        if !missing.is_empty() {
            for row in tx.revisions(&missing).await? {
                let stored = Arc::new(read_template(&row)?);
                self.keep(stored.clone());
                found.insert(stored.revision, stored);
            }
        }
        Ok(found)
    }

    /// The lanes of these (template version, queue) pairs, made in the database where missing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lanes<T: Tx>(
        &self,
        tx: &mut T,
        wanted: impl Iterator<Item = (NamedTaskId, &str)>,
    ) -> storage::Result<Lanes> {
        let mut found = HashMap::new();
        let mut missing: Vec<(NamedTaskId, String)> = Vec::new();
        {
            let known = self.lanes.read();
            for (named_task, queue) in wanted {
                let key = (named_task, queue.to_owned());
                match known.get(&key) {
                    Some(&lane) => {
                        found.insert(key, lane);
                    }
                    None if !missing.contains(&key) => missing.push(key),
                    None => {}
                }
            }
        }
        if !missing.is_empty() {
            let made = tx.ensure_lanes(&missing).await?;
            found.extend(missing.into_iter().zip(made));
        }
        Ok(found)
    }

    /// Whether this process has met the lanes of all these (template version, queue) pairs.
    pub fn knows_lanes<'a>(&self, mut wanted: impl Iterator<Item = (NamedTaskId, &'a str)>) -> bool {
        let known = self.lanes.read();
        wanted.all(|(named_task, queue)| known.contains_key(&(named_task, queue.to_owned())))
    }

    /// Keeps lanes that a committed transaction made or read.
    pub fn keep_lanes(&self, lanes: impl IntoIterator<Item = ((NamedTaskId, String), LaneId)>) {
        let mut lanes = lanes.into_iter().peekable();
        if lanes.peek().is_none() {
            return;
        }
        let mut known = self.lanes.write();
        let before = known.len();
        known.extend(lanes);
        if known.len() > before {
            self.version.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The queues of the lanes that this process has met.
    pub(super) fn queues(&self) -> HashMap<LaneId, String> {
        self.lanes.read().iter().map(|((_, queue), &lane)| (lane, queue.clone())).collect()
    }

    /// Changes when a lane was met for the first time.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }
}

/// Reads back a stored template.
pub(super) fn read_template(row: &RevisionRow) -> storage::Result<StoredTemplate> {
    let unreadable = |why: String| StoreError::Database(format!("a stored template cannot be read: {why}").into());
    let input: TemplateInput =
        serde_json::from_str(row.template.as_str()).map_err(|error| unreadable(error.to_string()))?;
    let template = Template::build(input).map_err(|faults| unreadable(faults.to_string()))?;
    Ok(StoredTemplate { template, named_task: row.named_task, revision: row.id })
}

/// The templates registered on one handle; a refreshed handle hands them on.
#[derive(Default)]
pub struct Registry {
    by_name: RwLock<HashMap<(String, String), ByVersion>>,
    /// Grows with every registration.
    version: AtomicU64,
}

type ByVersion = HashMap<String, Arc<StoredTemplate>>;

impl Registry {
    /// Adds a template, in place of an earlier registration of the same version.
    pub fn add(&self, stored: Arc<StoredTemplate>) {
        let template = &stored.template;
        let key = (template.namespace.clone(), template.name.clone());
        self.by_name.write().entry(key).or_default().insert(template.version.clone(), stored);
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes out a template version that was deleted.
    pub fn remove(&self, namespace: &str, name: &str, version: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        let mut by_name = self.by_name.write();
        if let Some(versions) = by_name.get_mut(&key) {
            versions.remove(version);
            if versions.is_empty() {
                by_name.remove(&key);
            }
            self.version.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Changes with every registration and removal.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// The template of this name and version, or its highest version by semantic version.
    pub fn find(&self, namespace: &str, name: &str, version: Option<&str>) -> Option<Arc<StoredTemplate>> {
        let by_name = self.by_name.read();
        let versions = by_name.get(&(namespace.to_owned(), name.to_owned()))?;
        match version {
            Some(version) => versions.get(version).cloned(),
            None => highest(versions.values().map(|stored| (stored.template.version.as_str(), stored))).cloned(),
        }
    }

    /// Every template.
    pub fn all(&self) -> Vec<Arc<StoredTemplate>> {
        self.by_name.read().values().flat_map(HashMap::values).cloned().collect()
    }
}

/// The candidate with the highest semantic version.
pub(super) fn highest<'a, V>(candidates: impl Iterator<Item = (&'a str, V)>) -> Option<V> {
    candidates
        .filter_map(|(version, value)| Some((semver::Version::parse(version).ok()?, value)))
        .max_by(|a, b| a.0.cmp(&b.0))
        .map(|(_, value)| value)
}

/// The error for a template name that nobody registered.
pub(super) fn unknown_template(namespace: &str, name: &str, known: &[(String, String)]) -> EngineError {
    if let Some((elsewhere, _)) = known.iter().find(|(other, known)| known == name && other != namespace) {
        let message = format!(
            "there is no template {name:?} in the namespace {namespace:?}, but there is one in the namespace {elsewhere:?}"
        );
        return EngineError::not_found(Missing::Template, name, message);
    }
    let here: Vec<&str> = known.iter().filter(|(other, _)| other == namespace).map(|(_, name)| name.as_str()).collect();
    let hint = hint(name, here.iter().copied());
    let message =
        format!("there is no template {name:?} in the namespace {namespace:?}{hint}; register its template first");
    EngineError::not_found(Missing::Template, name, message)
}

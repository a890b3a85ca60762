//! What a database is, as it stands before it is opened.

use serde::{Deserialize, Serialize, Serializer};
use validator::Validate;

use crate::domain::fault::Faults;
use crate::engine::error::Result;
use crate::ffi::shared::reading::Input;
use crate::ffi::shared::validation;
use crate::storage::examination::{Examination, OpenTransaction};
use crate::storage::url::DatabaseUrl;

/// `examine`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct ExamineInput {
    url: String,
    /// How many commits are measured; none when left out.
    #[serde(default)]
    #[validate(range(min = 0, max = 1_000))]
    commits: Option<i64>,
}

impl Input for ExamineInput {
    fn check(&self) -> std::result::Result<(), Faults> {
        validation::check(self)
    }
}

impl ExamineInput {
    /// Which database, and how many commits.
    ///
    /// # Errors
    /// Everything that breaks its rules; a URL that can't be used.
    pub fn into_question(self) -> Result<(DatabaseUrl, usize)> {
        self.check()?;
        let commits = self.commits.and_then(|commits| usize::try_from(commits).ok()).unwrap_or(0);
        Ok((DatabaseUrl::parse(&self.url)?, commits))
    }
}

/// A database as a host sees it.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct DatabaseState {
    pub product: &'static str,
    pub version: String,
    pub schema: Option<i64>,
    pub newest_schema: i64,
    #[serde(serialize_with = "as_map")]
    pub settings: Vec<(&'static str, String)>,
    pub max_connections: Option<u32>,
    pub connections: Option<u32>,
    pub oldest_transaction: Option<OpenTransaction>,
    /// Half of the measured commits took no longer, in seconds.
    pub commit_seconds: Option<f64>,
}

/// Pairs as a map, in their order.
fn as_map<S: Serializer>(pairs: &[(&str, String)], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

impl DatabaseState {
    /// Of what was found.
    pub fn of(found: Examination) -> Self {
        Self {
            product: found.product,
            version: found.version,
            schema: found.schema,
            newest_schema: found.newest_schema,
            settings: found.settings,
            max_connections: found.max_connections,
            connections: found.connections,
            oldest_transaction: found.oldest_transaction,
            commit_seconds: found.commits.get(found.commits.len() / 2).map(std::time::Duration::as_secs_f64),
        }
    }
}

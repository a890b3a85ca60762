//! Whether a template may be stored, told without storing it.

use super::catalog::StoredTemplate;
use super::error::{EngineError, Result};
use super::transactions::look::{IsUsed, Revision, Versions};
use super::transactions::register::same;
use super::{Engine, Template};
use crate::domain::json::Json;
use crate::storage::Store;

impl Engine {
    /// Checks that no task uses the version of this template with another graph or other schemas.
    ///
    /// # Errors
    /// [`EngineError::Validation`], with every difference, as [`Engine::register`] would give it.
    pub async fn compare(&self, template: &Template) -> Result<()> {
        let asked = Versions { namespace: template.namespace.clone(), name: template.name.clone() };
        let versions = self.store.read(asked).await?;
        let Some(row) = versions.iter().find(|row| row.version == template.version) else { return Ok(()) };
        let asked = Revision { id: row.revision, catalog: self.catalog.clone() };
        let Some(stored) = self.store.read(asked).await? else { return Ok(()) };
        let used = fixed(&stored)?;
        let json = |value: serde_json::Result<Json>| value.map_err(|error| EngineError::internal(error.to_string()));
        if same(&used, &json(Json::of(&template.fixed()))?) || !self.store.read(IsUsed { id: row.id }).await? {
            return Ok(());
        }
        Err(template.conflict(&used).into())
    }
}

fn fixed(stored: &StoredTemplate) -> Result<Json> {
    Json::of(&stored.template.fixed()).map_err(|error| EngineError::internal(error.to_string()))
}

//! Whether what is searched for was declared searchable.

use super::Engine;
use super::catalog::Registry;
use super::error::Result;
use super::transactions::look::DeclaredPaths;
use crate::domain::search::check_declared;
use crate::domain::template::Template;
use crate::storage::Store;
use crate::storage::rows::TaskFilter;

impl Engine {
    /// Checks that every path into contexts that `filter` searches by is declared by a template which it
    /// allows. The database is asked only for what the handle does not know.
    ///
    /// # Errors
    /// A fault for every path that is not, with the nearest one.
    pub async fn check_search(&self, registry: &Registry, filter: &TaskFilter) -> Result<()> {
        if filter.terms.is_empty() || check_declared(&filter.terms, &declared_by(registry, filter)).is_ok() {
            return Ok(());
        }
        let declared = self.store.read(DeclaredPaths { filter: filter.clone() }).await?;
        Ok(check_declared(&filter.terms, &declared)?)
    }
}

fn declared_by(registry: &Registry, filter: &TaskFilter) -> Vec<String> {
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    let fits = |template: &Template| {
        is(&filter.namespace, &template.namespace)
            && is(&filter.name, &template.name)
            && is(&filter.version, &template.version)
    };
    let all = registry.all();
    all.iter().filter(|stored| fits(&stored.template)).flat_map(|stored| stored.template.search().to_vec()).collect()
}

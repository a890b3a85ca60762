//! The least that a durable commit costs: what benchmarks hold ours against.

use std::sync::Arc;
use std::time::Duration;

use crate::ffi::shared::call::Call;
use crate::ffi::shared::orchestration_handle::OrchestrationHandle;
use crate::storage::{Result, Store, Transaction, Tx};

/// Writes one small row.
struct BareCommit;

impl Transaction for BareCommit {
    type Output = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<()> {
        tx.begin_chore("benchmark", Duration::ZERO).await.map(|_| ())
    }
}

impl OrchestrationHandle {
    /// Commits a transaction that writes one small row.
    pub fn bare_commit(self: &Arc<Self>) -> Call<()> {
        self.run(|engine, _| async move { Ok(engine.store().write(BareCommit).await?) })
    }
}

//! Remarks on tasks.

use crate::domain::time::Timestamp;
use crate::storage::rows::NewAnnotation;
use crate::storage::{Result, Transaction, Tx};

/// Annotates a task, in whatever state it is.
pub struct Annotate {
    /// The remark.
    pub new: NewAnnotation,
}

impl Transaction for Annotate {
    /// When; `None` where there is no such task.
    type Output = Option<Timestamp>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Output> {
        tx.annotate(&self.new).await
    }
}

//! Sessions: which process is alive, and what happens to the steps of one that is not.

use std::sync::Arc;
use std::time::Duration;

use super::apply::{Keep, apply};
use super::intake::{Known, gather};
use super::verdict::Verdict;
use crate::domain::id::{ReceiptId, SessionId, SessionKey, StepKey, Token};
use crate::engine::catalog::{Catalog, Lanes};
use crate::fault_point;
use crate::storage::rows::TaskMoved;
use crate::storage::{Result, Transaction, Tx};

/// Starts a session.
pub struct Open {
    /// Its id.
    pub session: SessionId,
    /// For people: host and process.
    pub label: String,
    /// How long it lasts without renewal.
    pub ttl: Duration,
}

impl Transaction for Open {
    type Output = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<()> {
        tx.open_session(self.session, &self.label, self.ttl).await
    }
}

/// Renews a session, and shuts out every other that is past its end: its epoch is raised and
/// committed before any of its leases is touched.
pub struct Renew {
    /// The session to renew.
    pub session: SessionKey,
    /// How long it lasts from now.
    pub ttl: Duration,
}

impl Transaction for Renew {
    /// Whether the session is still this process's, and those whose leases are to be returned.
    type Output = (bool, Vec<SessionId>);

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Output> {
        let alive = tx.renew_session(self.session, self.ttl).await?;
        Ok((alive, tx.expire_sessions().await?))
    }
}

/// The receipts of a session that was shut out.
pub struct Receipts {
    /// The session.
    pub session: SessionId,
    /// How many at the most.
    pub limit: usize,
}

impl Transaction for Receipts {
    type Output = Vec<ReceiptId>;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Self::Output> {
        Ok(tx.receipts_of(self.session, self.limit).await?.into_iter().map(|receipt| receipt.id).collect())
    }
}

/// Returns the steps of one receipt of a session that was shut out. Whoever does it first wins:
/// the tokens see to that.
pub struct Recover {
    /// The receipt.
    pub receipt: ReceiptId,
    /// Known templates and lanes.
    pub catalog: Arc<Catalog>,
}

/// What a recovery did.
#[derive(Default)]
pub struct Recovered {
    /// The steps that were returned.
    pub steps: Vec<StepKey>,
    /// Whether steps were made ready.
    pub made_ready: bool,
    /// Tasks whose state moved.
    pub moved: Vec<TaskMoved>,
    /// The lanes that were used, to keep.
    pub lanes: Lanes,
}

impl Transaction for Recover {
    type Output = Recovered;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Recovered> {
        let Some(receipt) = tx.find_receipt(self.receipt).await? else { return Ok(Recovered::default()) };
        let named: Vec<(StepKey, Token)> = receipt.steps.iter().map(|row| (row.key, row.token)).collect();
        let held = tx.lock_steps(&named).await?;
        let mut verdicts = Vec::new();
        for assignment in gather(tx, &self.catalog, &receipt, Known::default()).await? {
            let step = held.iter().find(|step| step.key == assignment.row.key);
            if let Some(step) = step.filter(|step| step.state.is_unfinished()) {
                let crashes = step.crashes.saturating_add(1);
                verdicts.push(Verdict::lost(Arc::new(assignment), crashes, receipt.session)?);
            }
        }
        let applied = apply(tx, &self.catalog, verdicts, &Keep::default()).await?;
        let (_, unparked) = applied.freed().admit(tx, Vec::new(), |_| None).await?;
        fault_point!(Recovering);
        tx.drop_receipts(&[self.receipt]).await?;
        Ok(Recovered {
            steps: applied.accepted.into_keys().collect(),
            made_ready: applied.made_ready || unparked,
            lanes: applied.lanes,
            moved: applied.touches.write(tx).await?,
        })
    }
}

/// Ends a session that holds nothing.
pub struct Close {
    /// The session.
    pub session: SessionId,
}

impl Transaction for Close {
    type Output = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<()> {
        tx.delete_session(self.session).await
    }
}

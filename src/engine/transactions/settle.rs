//! The hot transaction: what handlers reported is recorded, the children that this releases become
//! ready or stay with this worker, finished tasks end, and the next steps are claimed. One commit
//! for all of it, whatever the size of the batch.
//!
//! What becomes of each step is decided before the first statement: a matching token proves that
//! the step is as it was when it was claimed, so the claim's own copy is all that [`Verdict`] needs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::apply::{Keep, apply};
use super::intake::{Assignment, Known, TakenIn, gather, take_in};
use super::verdict::{Outcome, Verdict};
use crate::domain::id::{LaneId, ReceiptId, SessionKey, StepKey};
use crate::domain::state::StepState;
use crate::domain::time::Timestamp;
use crate::engine::catalog::{Catalog, Lanes};
use crate::fault_point;
use crate::storage::rows::{LaneCursor, ReadyRow, Receipt, TakenRow, TaskMoved};
use crate::storage::{Result, StoreError, Transaction, Tx};

/// The most overdue timers that one transaction makes ready.
const DUE_LIMIT: usize = 500;

/// See the module.
pub struct Settle {
    /// Who reports and claims.
    pub session: SessionKey,
    /// What came back.
    pub reports: Vec<Report>,
    /// Receipts all of whose steps are settled with this batch or before it.
    pub finished_receipts: Vec<ReceiptId>,
    /// Receipts that an earlier commit may have written, whose answer was lost for good.
    pub doubtful: Vec<ReceiptId>,
    /// What to take next.
    pub claim: Claim,
    /// Known templates and lanes.
    pub catalog: Arc<Catalog>,
}

/// What came back of one step.
#[derive(Clone)]
pub struct Report {
    /// The step as it was claimed.
    pub assignment: Arc<Assignment>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What to take.
pub struct Claim {
    /// The receipt to write, if anything is taken.
    pub receipt: ReceiptId,
    /// How many steps at the most, with those that stay.
    pub limit: usize,
    /// How many released children may stay with the worker.
    pub keep: usize,
    /// The lanes that the worker works, with where to start looking.
    pub lanes: Vec<LaneCursor>,
    /// Whether to look among the ready steps; false where there is nothing to expect.
    pub look: bool,
    /// Whether to make overdue timers ready first.
    pub look_due: bool,
    /// Released children of at least this priority stay with the worker instead of going through
    /// the ready table; `None` sends all of them there.
    pub keep_from: Option<i16>,
}

/// What was committed.
#[derive(Default)]
pub struct Settled {
    /// The steps whose report was recorded, each with the state that this brought it to.
    pub accepted: HashMap<StepKey, StepState>,
    /// What the worker has now.
    pub claimed: Vec<Assignment>,
    /// Rows taken from the ready table, in order, to move the cursors.
    pub taken: Vec<(LaneId, i16, StepKey)>,
    /// Whether more may be ready: the look ended at its limit.
    pub more: bool,
    /// Whether steps were made ready that others may claim.
    pub made_ready: bool,
    /// The soonest retry that was scheduled.
    pub next_retry: Option<Duration>,
    /// Tasks whose state moved.
    pub moved: Vec<TaskMoved>,
    /// The lanes that were used, to keep.
    pub lanes: Lanes,
}

impl Transaction for Settle {
    type Output = Settled;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<Settled> {
        if !self.hold_session(tx).await? {
            return Err(StoreError::SessionLost);
        }
        let now = tx.now().await?;
        if tx.resent()
            && let Some(receipt) = tx.find_receipt(self.claim.receipt).await?
        {
            return self.recall(tx, &receipt, now).await;
        }

        let verdicts = self.verdicts(now)?;
        let keep = Keep {
            lanes: self.claim.lanes.iter().map(|cursor| cursor.lane).collect(),
            limit: self.claim.keep,
            from: self.claim.keep_from,
        };
        let mut applied = apply(tx, &self.catalog, verdicts, &keep).await?;
        fault_point!(Settling);
        let mut settled = Settled {
            made_ready: applied.made_ready,
            next_retry: applied.next_retry,
            accepted: std::mem::take(&mut applied.accepted),
            lanes: std::mem::take(&mut applied.lanes),
            ..Settled::default()
        };
        let mut waits = Vec::new();
        let rows = self.take(tx, std::mem::take(&mut applied.kept), &mut settled, &mut waits).await?;
        let (known, freed) = (applied.known(), applied.freed());
        let TakenIn { assignments: mut claimed, started, made_ready } =
            take_in(tx, &self.catalog, self.session.id, self.claim.receipt, rows, known, freed).await?;
        settled.made_ready |= made_ready;
        note_waits(&mut claimed, &waits);
        claimed.extend(self.find_doubtful(tx).await?);
        for (id, revision) in started {
            applied.touches.of(id, revision).start = true;
        }
        settled.claimed = claimed;
        settled.moved = applied.touches.write(tx).await?;
        Ok(settled)
    }
}

impl Settle {
    /// Holds the session without the receipts that are finished. What an earlier try did of which no answer came, or may
    /// still be about to commit, is waited for: it holds the session, and this transaction could not see its receipt.
    async fn hold_session<T: Tx>(&self, tx: &mut T) -> Result<bool> {
        let others_are_done = !tx.resent() && self.doubtful.is_empty();
        let held = others_are_done || tx.hold_session_alone(self.session).await?;
        Ok(held && tx.hold_session(self.session, &self.finished_receipts).await?)
    }

    fn verdicts(&self, now: Timestamp) -> Result<Vec<Verdict>> {
        self.reports.iter().map(|report| Verdict::of(report, self.session.id, now)).collect()
    }

    /// An earlier try was committed and its answer lost: what it claimed is under its receipt, and
    /// every report that held its token then was recorded then.
    async fn recall<T: Tx>(&self, tx: &mut T, receipt: &Receipt, now: Timestamp) -> Result<Settled> {
        let mut claimed = gather(tx, &self.catalog, receipt, Known::default()).await?;
        claimed.extend(self.find_doubtful(tx).await?);
        let moves = self.verdicts(now)?.into_iter().map(|verdict| verdict.step_move);
        let accepted = moves.map(|step_move| (step_move.key, step_move.to)).collect();
        Ok(Settled { accepted, claimed, more: true, ..Settled::default() })
    }

    /// What the doubtful receipts hold: this process has it, and does not know.
    async fn find_doubtful<T: Tx>(&self, tx: &mut T) -> Result<Vec<Assignment>> {
        let mut found = Vec::new();
        for &doubtful in &self.doubtful {
            if let Some(receipt) = tx.find_receipt(doubtful).await? {
                found.extend(gather(tx, &self.catalog, &receipt, Known::default()).await?);
            }
        }
        Ok(found)
    }

    /// Fills what is left of the limit from the ready table; `waits` is since when each of these was ready, in order.
    async fn take<T: Tx>(
        &self,
        tx: &mut T,
        mut rows: Vec<ReadyRow>,
        settled: &mut Settled,
        waits: &mut Vec<(StepKey, Option<Timestamp>)>,
    ) -> Result<Vec<ReadyRow>> {
        if self.claim.look_due {
            let due = tx.take_due(DUE_LIMIT).await?;
            settled.made_ready |= !due.is_empty();
            settled.more = due.len() == DUE_LIMIT;
            tx.put_ready(&due).await?;
        }
        let room = self.claim.limit.saturating_sub(rows.len());
        if self.claim.look && room > 0 {
            let taken = tx.take_ready(&self.claim.lanes, room).await?;
            settled.more |= taken.len() == room;
            settled.taken = taken.iter().map(|TakenRow { row, .. }| (row.lane, row.priority, row.key)).collect();
            waits.extend(taken.iter().map(|taken| (taken.row.key, taken.ready_at)));
            rows.extend(taken.into_iter().map(|taken| taken.row));
        } else {
            settled.more |= self.claim.look;
        }
        Ok(rows)
    }
}

/// Tells those that were ready for how long. What was claimed stands in the order in which it was taken, after what
/// stayed with the worker, which waited for nobody; what its limit holds up is missing.
fn note_waits(claimed: &mut [Assignment], waits: &[(StepKey, Option<Timestamp>)]) {
    let mut waits = waits.iter().rev();
    for held in claimed.iter_mut().rev() {
        let Some((_, ready_at)) = waits.by_ref().find(|(key, _)| *key == held.row.key) else { return };
        held.waited = ready_at.map_or(Duration::ZERO, |ready_at| held.claimed_at.since(ready_at));
    }
}

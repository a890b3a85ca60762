//! The engine's transactions, as a worker's loop and people would have them sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tasker_core::domain::id::*;
use tasker_core::domain::operation::Operation;
use tasker_core::engine::transactions::intake::Assignment;
use tasker_core::engine::transactions::operate::{Note, Operate};
use tasker_core::engine::transactions::sessions::Open;
use tasker_core::engine::transactions::settle::{Claim, Report, Settle};
use tasker_core::engine::transactions::tried::Tried;
use tasker_core::engine::transactions::verdict::Outcome;
use tasker_core::storage::rows::LaneCursor;
use tasker_core::storage::{Result, Store, Transaction, Tx};

use super::host::{Host, LEASE, block};

impl Host {
    /// Runs a transaction.
    pub fn run<X: Transaction>(&self, transaction: X) -> X::Output {
        block(self.engine.store().write(transaction)).expect("it succeeds")
    }

    /// A new session, which nobody renews.
    pub fn session(&self) -> SessionKey {
        let session = SessionId(uuid::Uuid::now_v7());
        self.run(Open { session, label: "test".into(), ttl: LEASE });
        SessionKey { id: session, epoch: 0 }
    }

    /// A settlement that claims up to `limit` steps of these lanes, and keeps as many.
    pub fn settlement(&self, session: SessionKey, lanes: Vec<LaneId>, reports: Vec<Report>, limit: usize) -> Settle {
        Settle {
            session,
            reports,
            finished_receipts: Vec::new(),
            doubtful: Vec::new(),
            claim: Claim {
                receipt: ReceiptId::generate(),
                limit,
                lanes: lanes.into_iter().map(|lane| LaneCursor { lane, from: None }).collect(),
                look: limit > 0,
                look_due: false,
                keep: limit,
                keep_from: None,
            },
            catalog: self.engine.catalog().clone(),
        }
    }

    /// What somebody does by hand, who waits for nobody.
    pub fn operation(&self, task: TaskId, operation: Operation) -> Operate {
        let (note, tried, patience) = (Note::default(), Tried::default(), Duration::ZERO);
        let catalog = self.engine.catalog().clone();
        Operate { task, operation, note, dry_run: false, patience, tried, catalog }
    }
}

pub fn report(assignment: &Assignment, outcome: Outcome) -> Report {
    Report { assignment: Arc::new(assignment.clone()), outcome }
}

/// Counts how often it is run: once, where nothing ends it.
pub struct Counted<X> {
    pub transaction: X,
    pub tries: Arc<AtomicU32>,
}

impl<X: Transaction> Transaction for Counted<X> {
    type Output = X::Output;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<X::Output> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        self.transaction.run(tx).await
    }
}

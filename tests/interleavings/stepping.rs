//! Transactions that stop on their way, and waiting until one waits for another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{PgConnection, Row};
use tasker_core::domain::id::*;
use tasker_core::domain::operation::{Operation, TaskOperation};
use tasker_core::engine::transactions::intake::Assignment;
use tasker_core::engine::transactions::settle::{Report, Settle};
use tasker_core::ffi::shared::process::Process;
use tasker_core::storage::{Result, Store, StoreError, Transaction, Tx};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub use crate::support::direct::{Counted, report};
use crate::support::fresh_postgres;
use crate::support::host::{Host, LEASE, block};
use crate::support::postgres::TestDatabase;

/// How long a transaction may take to come to where it is to stop.
const LIMIT: Duration = Duration::from_secs(20);

/// A fresh database with a process at it that runs no worker.
pub struct Scene {
    pub host: Host,
    pub database: TestDatabase,
}

impl Scene {
    pub fn with(templates: &[Value]) -> Self {
        let database = fresh_postgres();
        Self { host: Host::start(&database.url, 0, LEASE, templates), database }
    }

    /// Begins to run a transaction.
    pub fn begin<X: Transaction>(&self, transaction: X) -> Running<X::Output> {
        let engine = self.host.engine.clone();
        let runtime = Process::current().expect("a runtime").runtime();
        Running(runtime.spawn(async move { engine.store().write(transaction).await }))
    }

    /// Runs a transaction.
    pub fn run<X: Transaction>(&self, transaction: X) -> X::Output {
        self.host.run(transaction)
    }

    /// Waits until so many transactions wait for a lock, or `work` has ended.
    pub fn until_waiting<T>(&self, count: i64, work: &Running<T>) {
        let deadline = Instant::now() + LIMIT;
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let mut connection = self.connect();
        while !work.0.is_finished()
            && block(sqlx::query(sql).fetch_one(&mut connection)).expect("it").get::<i64, _>(0) < count
        {
            assert!(Instant::now() < deadline, "nobody waits for a lock");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A connection behind the store's back.
    pub fn connect(&self) -> PgConnection {
        block(self.database.connect())
    }

    /// A number behind the store's back.
    pub fn number(&self, sql: &'static str) -> i64 {
        block(sqlx::query(sql).fetch_one(&mut self.connect())).expect("an answer").get(0)
    }

    /// A new session.
    pub fn session(&self) -> SessionKey {
        self.host.session()
    }

    /// A settlement that claims up to `limit` steps of any lane.
    pub fn settle(&self, session: SessionKey, reports: Vec<Report>, limit: usize) -> Settle {
        let sql = "SELECT id FROM tasker_lanes ORDER BY id";
        let lanes: Vec<i32> = block(sqlx::query_scalar(sql).fetch_all(&mut self.connect())).expect("lanes");
        self.host.settlement(session, lanes.into_iter().map(LaneId).collect(), reports, limit)
    }

    /// Has somebody do something by hand.
    pub fn operate(&self, task: TaskId, operation: TaskOperation) {
        let operation = self.host.operation(task, Operation::Task(operation));
        assert!(self.run(operation).is_some_and(|operated| operated.changed));
    }

    /// Claims that many steps.
    pub fn claim(&self, session: SessionKey, count: usize) -> Vec<Assignment> {
        let claimed = self.run(self.settle(session, Vec::new(), count)).claimed;
        assert_eq!(claimed.len(), count, "steps that are ready");
        claimed
    }
}

/// A transaction under way.
pub struct Running<T>(JoinHandle<Result<T>>);

impl<T> Running<T> {
    pub fn has_ended(&self) -> bool {
        self.0.is_finished()
    }

    pub fn outcome(self) -> Result<T> {
        block(self.0).expect("no panic")
    }

    pub fn end(self) -> T {
        self.outcome().expect("it succeeds")
    }
}

/// Where a transaction stops until it may go on.
#[derive(Clone)]
pub struct Gate {
    reached: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub fn new() -> Self {
        Self { reached: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }

    /// Stands here until it may go on.
    pub async fn pass(&self) {
        self.reached.add_permits(1);
        self.open.acquire().await.expect("an open gate").forget();
    }

    /// Waits until a transaction stands here.
    pub fn until_reached(&self) {
        block(self.reached.acquire()).expect("a transaction").forget();
    }

    /// Lets one go on.
    pub fn open(&self) {
        self.open.add_permits(1);
    }
}

/// Stops before it commits.
pub struct Committing<X> {
    pub transaction: X,
    pub gate: Gate,
}

impl<X: Transaction> Transaction for Committing<X> {
    type Output = X::Output;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<X::Output> {
        let output = self.transaction.run(tx).await?;
        self.gate.pass().await;
        Ok(output)
    }
}

/// Loses its connection the first time, so that it is sent again.
pub struct Resent<X>(pub X, AtomicU32);

impl<X> Resent<X> {
    pub fn new(transaction: X) -> Self {
        Self(transaction, AtomicU32::new(0))
    }
}

impl<X: Transaction> Transaction for Resent<X> {
    type Output = X::Output;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<X::Output> {
        if self.1.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(StoreError::Disconnected("the answer was lost".into()));
        }
        self.0.run(tx).await
    }
}

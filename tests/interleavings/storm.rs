//! Workers that crash, people who operate, sweeps and purges, all at once: what must hold does whenever somebody
//! looks, and in the end every task comes to its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use sqlx::PgConnection;
use tasker_core::domain::id::*;
use tasker_core::domain::json::Json;
use tasker_core::domain::operation::{Operation, StepOperation, TaskOperation};
use tasker_core::domain::time::Timestamp;
use tasker_core::engine::Engine;
use tasker_core::engine::catalog::StoredTemplate;
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::transactions::create::{Create, Taker};
use tasker_core::engine::transactions::intake::Assignment;
use tasker_core::engine::transactions::limits::Unpark;
use tasker_core::engine::transactions::operate::{Note, Operate};
use tasker_core::engine::transactions::purge::Purge;
use tasker_core::engine::transactions::sessions::{Close, Open, Receipts, Recover, Renew};
use tasker_core::engine::transactions::settle::{Claim, Settle};
use tasker_core::engine::transactions::tried::Tried;
use tasker_core::engine::transactions::verdict::{Failure, Outcome};
use tasker_core::engine::transactions::work::Work;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::process::Process;
use tasker_core::storage::rows::LaneCursor;
use tasker_core::storage::{Store, StoreError};
use tokio::task::JoinHandle;

use crate::invariants::broken;
use crate::stepping::{Resent, report};
use crate::support::fresh_postgres;
use crate::support::host::{Host, LEASE, block};

fn templates() -> [Value; 5] {
    [
        json!({ "name": "diamond", "defaults": { "retry_limit": 3 }, "steps": [
            { "name": "a" }, { "name": "b", "depends_on": "a" }, { "name": "c", "depends_on": "a" },
            { "name": "d", "depends_on": ["b", "c"] }] }),
        json!({ "name": "ways", "steps": [
            { "name": "end", "depends_on": ["one and three", "either"] },
            { "name": "first", "branches": ["one", "two", "either"] },
            { "name": "second", "branches": ["three", "either"], "retry_limit": 2 },
            { "name": "one", "depends_on": "first" }, { "name": "two", "depends_on": ["first", "beside"] },
            { "name": "three", "depends_on": ["second", "two"] }, { "name": "beside" },
            { "name": "one and three", "depends_on": ["one", "three"], "queue": "slow" },
            { "name": "either", "depends_on": ["first", "second"] }] }),
        json!({ "name": "lists", "defaults": { "retry_limit": 3 }, "steps": [
            { "name": "end", "depends_on": ["host", "path"] }, { "name": "host", "each": true, "queue": "slow" },
            { "name": "a" }, { "name": "path", "depends_on": ["a"], "each": "a.list", "on_failure": "skip" },
            { "name": "over", "depends_on": ["end", "path"], "each": "path" }] }),
        json!({ "name": "limited", "defaults": { "retry_limit": 3 }, "steps": [
            { "name": "a", "limit": { "key": "context.k", "running": 2 } },
            { "name": "b", "depends_on": "a", "limit": { "key": "context.k", "running": 2 } },
            { "name": "c", "depends_on": "b" }] }),
        json!({ "name": "keyed", "defaults": { "retry_limit": 3 }, "steps": [
            { "name": "a", "limit": { "key": true, "running": 2 } },
            { "name": "b", "depends_on": "a", "each": true, "limit": { "running": 2 } },
            { "name": "c", "depends_on": "b" }] }),
    ]
}

struct Storm {
    engine: Arc<Engine>,
    templates: Vec<Arc<StoredTemplate>>,
    lanes: Mutex<Vec<LaneId>>,
    tasks: Mutex<Vec<TaskId>>,
    calm: AtomicBool,
    over: AtomicBool,
    did: [AtomicUsize; 6],
}

const HOUR: Duration = Duration::from_secs(3_600);
const DID: [&str; 6] = ["settled", "operated", "recovered", "purged", "refused", "gave way"];

impl Storm {
    fn count(&self, what: &str, number: usize) {
        let place = DID.iter().position(|name| *name == what).expect("it is counted");
        self.did[place].fetch_add(number, Ordering::Relaxed);
    }

    /// Others were in the way: anything else must not happen.
    fn gave_way(&self, error: &StoreError) {
        assert!(matches!(error, StoreError::Conflict(_) | StoreError::Disconnected(_)), "{error}");
        self.count("gave way", 1);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    async fn open(&self) -> SessionKey {
        let session = SessionId(uuid::Uuid::now_v7());
        self.engine.store().write(Open { session, label: "storm".into(), ttl: HOUR }).await.expect("opened");
        SessionKey { id: session, epoch: 0 }
    }

    fn settle(&self, session: SessionKey, held: &mut Vec<Assignment>, random: &mut fastrand::Rng) -> Settle {
        let calm = self.calm.load(Ordering::Relaxed);
        let some = if calm { held.len() } else { random.usize(0..=held.len()) };
        random.shuffle(held);
        let reported = held.split_off(held.len() - some);
        let mut finished: Vec<ReceiptId> = reported.iter().map(|one| one.receipt).collect();
        finished.sort_unstable();
        finished.dedup();
        finished.retain(|receipt| held.iter().all(|one| one.receipt != *receipt));
        let lanes = self.lanes.lock().iter().map(|&lane| LaneCursor { lane, from: None }).collect();
        Settle {
            session,
            reports: reported.iter().map(|one| report(one, outcome(one, calm, random))).collect(),
            finished_receipts: finished,
            doubtful: Vec::new(),
            claim: Claim {
                receipt: ReceiptId::generate(),
                limit: random.usize(0..=6),
                keep: random.usize(0..=6),
                lanes,
                look: random.u8(..) > 20,
                look_due: random.bool(),
                keep_from: random.bool().then_some(i16::MIN),
            },
            catalog: self.engine.catalog().clone(),
        }
    }
}

fn outcome(held: &Assignment, calm: bool, random: &mut fastrand::Rng) -> Outcome {
    if let Some(outcome) = held.without_handler() {
        return outcome;
    }
    match &held.work {
        Work::Key => return Outcome::Keyed(Json::from_trusted(["1", "2", "3"][random.usize(0..3)])),
        Work::List => return Outcome::Expanded(vec![Json::empty_object(); random.usize(0..4)]),
        _ => {}
    }
    let result = Json::from_trusted(["{\"list\":[1,2]}", "{\"list\":[]}", "[1]"][random.usize(0..3)]);
    let chance = if calm { 99 } else { random.u8(0..100) };
    if chance < 20 {
        let error = Json::from_trusted(r#"{"class":"Test","message":"no"}"#);
        let after = Duration::from_millis(random.u64(0..4));
        return Outcome::Failed(Failure { error, permanent: chance < 5, retry_after: Some(after) });
    }
    if chance < 30 {
        return Outcome::Released;
    }
    let mut route: Vec<StepIndex> = held.task.template().branches.of(held.row.key.index).to_vec();
    if route.is_empty() {
        return Outcome::Succeeded(result);
    }
    random.shuffle(&mut route);
    route.truncate(random.usize(1..=route.len()));
    route.sort_unstable();
    Outcome::Decided(result, route)
}

async fn work(storm: Arc<Storm>, mut random: fastrand::Rng) {
    let mut session = storm.open().await;
    let (mut held, mut doubtful): (Vec<Assignment>, Vec<ReceiptId>) = Default::default();
    while !storm.is_over() {
        if !storm.calm.load(Ordering::Relaxed) && random.u8(..) < 6 {
            // It is swept while it still works.
            let ends = Renew { session, ttl: Duration::ZERO };
            let zombie = storm.settle(session, &mut held, &mut random);
            let (ended, zombie) = tokio::join!(storm.engine.store().write(ends), storm.engine.store().write(zombie));
            ended.expect("ended");
            match zombie {
                Ok(_) | Err(StoreError::SessionLost) => {}
                Err(error) => storm.gave_way(&error),
            }
            (session, held) = (storm.open().await, Vec::new());
            doubtful.clear();
        }
        let mut settle = storm.settle(session, &mut held, &mut random);
        settle.doubtful = std::mem::take(&mut doubtful);
        let (reports, receipt, looked_for) = (settle.reports.clone(), settle.claim.receipt, settle.doubtful.clone());
        let settled = match random.u8(..) {
            0..30 => storm.engine.store().write(Resent::new(settle)).await,
            _ => storm.engine.store().write(settle).await,
        };
        match settled {
            Ok(settled) => {
                storm.count("settled", settled.accepted.len());
                storm.engine.catalog().keep_lanes(settled.lanes);
                held.extend(settled.claimed);
            }
            Err(StoreError::SessionLost) => {
                (session, held) = (storm.open().await, Vec::new());
                doubtful.clear();
            }
            Err(error) => {
                storm.gave_way(&error);
                held.extend(reports.into_iter().map(|report| (*report.assignment).clone()));
                doubtful = looked_for;
                doubtful.push(receipt);
            }
        }
    }
}

fn operation(random: &mut fastrand::Rng) -> Operation {
    let index = [random.u32(0..11), random.u32(0..4), random.u32(0..40) + 6][random.usize(0..3)];
    let result = Json::from_trusted("{\"list\":[1]}");
    let step = |operation| Operation::Step(index, operation);
    match random.u8(0..40) {
        0 => Operation::Task(TaskOperation::Cancel),
        1 => Operation::Task(TaskOperation::Resolve),
        2..8 => Operation::Task(TaskOperation::Pause),
        8..18 => Operation::Task(TaskOperation::Resume),
        18..21 => Operation::Task(TaskOperation::Retry),
        21..25 => Operation::Task(TaskOperation::RestartFrom(index)),
        25..30 => {
            let queue = random.bool().then(|| random.bool().then(|| "slow".to_owned()));
            Operation::Task(TaskOperation::Update { priority: Some(Some(random.i16(0..3))), queue })
        }
        30..33 => step(StepOperation::Retry),
        33..35 => step(StepOperation::Resolve(result)),
        35..38 => step(StepOperation::Decide(result, vec![random.u32(3..10)])),
        _ => step(StepOperation::Skip),
    }
}

impl Storm {
    async fn operate(&self, task: TaskId, operation: Operation, patience: Duration) -> Result<bool, StoreError> {
        let (note, catalog) = (Note::default(), self.engine.catalog().clone());
        let tried = Tried::default();
        let operate = Operate { task, operation, note, dry_run: false, patience, tried, catalog };
        Ok(self.engine.store().write(operate).await?.is_some_and(|operated| operated.changed))
    }
}

async fn operate(storm: Arc<Storm>, mut random: fastrand::Rng) {
    while !storm.calm.load(Ordering::Relaxed) {
        let task = random.choice(storm.tasks.lock().iter().copied());
        let Some(task) = task else {
            tokio::task::yield_now().await;
            continue;
        };
        let patience = Duration::from_millis([0, 5, 50][random.usize(0..3)]);
        match storm.operate(task, operation(&mut random), patience).await {
            Ok(changed) => storm.count("operated", usize::from(changed)),
            Err(StoreError::Refused(_)) => storm.count("refused", 1),
            Err(error) => storm.gave_way(&error),
        }
        tokio::time::sleep(Duration::from_millis(random.u64(0..4))).await;
    }
}

async fn keep_house(storm: Arc<Storm>, mut random: fastrand::Rng) {
    let store = storm.engine.store();
    let session = storm.open().await;
    while !storm.is_over() {
        let (alive, swept) = store.write(Renew { session, ttl: HOUR }).await.expect("renewed");
        assert!(alive);
        for session in swept {
            for receipt in store.read(Receipts { session, limit: 5 }).await.expect("receipts") {
                let recover = Recover { receipt, catalog: storm.engine.catalog().clone() };
                match store.write(recover).await {
                    Ok(recovered) => storm.count("recovered", recovered.steps.len()),
                    Err(error) => storm.gave_way(&error),
                }
            }
            store.write(Close { session }).await.expect("closed");
        }
        let look = storm.calm.load(Ordering::Relaxed) || random.bool();
        if look {
            store.write(Unpark).await.expect("looked");
        }
        if random.u8(..) < 30 && !storm.calm.load(Ordering::Relaxed) {
            let purge = Purge { from: None, before: Timestamp(i64::MAX / 2), limit: 5 };
            match store.write(purge).await {
                Ok(purged) => storm.count("purged", purged.deleted),
                Err(error) => storm.gave_way(&error),
            }
        }
        tokio::time::sleep(Duration::from_millis(random.u64(0..20))).await;
    }
}

async fn create(storm: Arc<Storm>, mut random: fastrand::Rng) {
    let session = storm.open().await;
    while !storm.calm.load(Ordering::Relaxed) {
        let unfinished = storm.tasks.lock().len();
        if unfinished < 14 {
            let stored = &storm.templates[random.usize(0..storm.templates.len())];
            let plans = (0..random.usize(1..4)).map(|_| {
                let context = Some(Json::from_trusted(["{\"k\":1}", "{\"k\":2}"][random.usize(0..2)]));
                let key = (random.u8(..) < 60).then(|| random.u8(0..20).to_string());
                let intent = TaskIntent { context, key, return_existing: true, ..TaskIntent::default() };
                intent.plan(stored, "context", Limits::default().of_context()).expect("a plan")
            });
            let parts = vec![plans.collect()];
            let lanes = storm.lanes.lock().iter().copied().collect();
            let (receipt, limit) = (ReceiptId::generate(), random.usize(1..4));
            let taker = random.bool().then_some(Taker { session, receipt, lanes, limit });
            let create = Create { parts, taker, catalog: storm.engine.catalog().clone() };
            let created = match random.u8(..) {
                0..30 => storm.engine.store().write(Resent::new(create)).await,
                _ => storm.engine.store().write(create).await,
            };
            match created {
                Ok(mut created) => {
                    storm.engine.catalog().keep_lanes(created.lanes);
                    {
                        let mut tasks = storm.tasks.lock();
                        let mut ids = created.made.remove(0).expect("no part is refused");
                        ids.retain(|id| !tasks.contains(id));
                        tasks.extend(ids);
                    }
                    // It gives back what it took.
                    let reports = created.taken.iter().map(|one| report(one, Outcome::Released)).collect();
                    let mut nothing = storm.settle(session, &mut Vec::new(), &mut random);
                    (nothing.reports, nothing.claim.limit, nothing.finished_receipts) = (reports, 0, vec![receipt]);
                    storm.engine.store().write(nothing).await.expect("given back");
                }
                Err(error) => storm.gave_way(&error),
            }
        } else {
            // The oldest are left to themselves.
            storm.tasks.lock().drain(..5);
        }
        tokio::time::sleep(Duration::from_millis(random.u64(0..8))).await;
    }
}

/// Has the answer of some transaction's commit get lost.
fn lose_an_answer() {
    #[cfg(feature = "fault_points")]
    {
        use tasker_core::fault_points::{Action, Point, arm};
        arm(Point::PostgresAfterCommit, Action::Error, 1);
    }
}

impl Storm {
    fn new(host: &Host) -> Self {
        let stored = |name: &Value| host.registry.find("default", name["name"].as_str()?, None);
        Self {
            engine: host.engine.clone(),
            templates: templates().iter().map(stored).collect::<Option<_>>().expect("the templates"),
            lanes: Mutex::default(),
            tasks: Mutex::default(),
            calm: AtomicBool::new(false),
            over: AtomicBool::new(false),
            did: Default::default(),
        }
    }

    fn begin(self: &Arc<Self>, random: &mut fastrand::Rng) -> Vec<JoinHandle<()>> {
        let runtime = Process::current().expect("a runtime").runtime();
        let workers = (0..4).map(|_| runtime.spawn(work(self.clone(), random.fork())));
        let mut actors: Vec<JoinHandle<()>> = workers.collect();
        actors.push(runtime.spawn(create(self.clone(), random.fork())));
        actors.push(runtime.spawn(keep_house(self.clone(), random.fork())));
        for _ in 0..2 {
            actors.push(runtime.spawn(operate(self.clone(), random.fork())));
        }
        actors
    }

    /// Has paused tasks go on; whether there are any that have not ended.
    fn resume(&self, connection: &mut PgConnection) -> bool {
        let sql = "SELECT id, state = 'paused' FROM tasker_tasks WHERE finished_at IS NULL";
        let left: Vec<(uuid::Uuid, bool)> = block(sqlx::query_as(sql).fetch_all(connection)).expect("tasks");
        for (id, _) in left.iter().filter(|(_, is_paused)| *is_paused) {
            // One that is in others' hands is resumed the next time.
            let _ = block(self.operate(TaskId(*id), Operation::Task(TaskOperation::Resume), Duration::from_millis(50)));
        }
        !left.is_empty()
    }

    fn check(&self, connection: &mut PgConnection) {
        let lanes: Vec<i32> =
            block(sqlx::query_scalar("SELECT id FROM tasker_lanes").fetch_all(&mut *connection)).expect("lanes");
        *self.lanes.lock() = lanes.into_iter().map(LaneId).collect();
        let broken = block(broken(connection));
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

#[test]
fn whatever_meets_nothing_is_lost_and_nothing_runs_twice() {
    let set = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = set("SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let database = fresh_postgres();
    let host = Host::start(&database.url_with("pool=12"), 0, LEASE, &templates());
    let storm = Arc::new(Storm::new(&host));
    let actors = storm.begin(&mut fastrand::Rng::with_seed(seed));
    let mut connection = block(database.connect());
    let calm_at = Instant::now() + Duration::from_secs(set("STORM_SECONDS").unwrap_or(3));
    while Instant::now() < calm_at && !actors.iter().any(JoinHandle::is_finished) {
        storm.check(&mut connection);
        lose_an_answer();
        std::thread::sleep(Duration::from_millis(40));
    }
    storm.calm.store(true, Ordering::Relaxed);
    let end = Instant::now() + Duration::from_secs(30);
    while storm.resume(&mut connection) {
        storm.check(&mut connection);
        assert!(Instant::now() < end, "tasks do not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    storm.over.store(true, Ordering::Relaxed);
    for actor in actors {
        block(actor).expect("no panic");
    }
    let did = DID.iter().zip(&storm.did).map(|(what, count)| format!("{what} {}", count.load(Ordering::Relaxed)));
    println!("{}", did.collect::<Vec<_>>().join(", "));
    host.end();
}

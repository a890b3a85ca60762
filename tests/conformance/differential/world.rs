//! One database, the processes that work on it, and what they hold.

use std::sync::Arc;
use std::time::Duration;

use tasker_core::domain::id::*;
use tasker_core::domain::json::Json;
use tasker_core::domain::operation::Operation;
use tasker_core::domain::state::TaskState;
use tasker_core::domain::template::{Template, TemplateInput};
use tasker_core::domain::time::Timestamp;
use tasker_core::engine::catalog::{Catalog, StoredTemplate};
use tasker_core::engine::transactions::create::{Create, Created, Taker, TaskPlan};
use tasker_core::engine::transactions::intake::Assignment;
use tasker_core::engine::transactions::operate::{Note, Operate, Operated};
use tasker_core::engine::transactions::register::{Register, Registered};
use tasker_core::engine::transactions::sessions::{Close, Open, Receipts, Recover, Renew};
use tasker_core::engine::transactions::settle::{Claim, Report, Settle, Settled};
use tasker_core::engine::transactions::tried::Tried;
use tasker_core::engine::transactions::verdict::{Failure, Outcome};
use tasker_core::engine::transactions::work::Work;
use tasker_core::storage::rows::{NewTask, TaskMoved};
use tasker_core::storage::{Store, StoreError};

use super::actions::{Action, Came, Plan, Settlement, Ticks};
use crate::bench::{Database, fresh, from_the_start, json, session};
use crate::calls::Now;

pub const WORKERS: usize = 3;
pub const TEMPLATES: usize = 9;

/// Far longer than a run, so that only ticks decide what is due.
const TICK: Duration = Duration::from_secs(10_000);
/// A session that is not renewed at each second tick is past its end.
const TTL: Duration = Duration::from_secs(15_000);

/// A process.
pub struct Process {
    pub session: SessionId,
    pub held: Vec<Arc<Assignment>>,
}

pub struct World {
    pub db: Database,
    pub catalog: Arc<Catalog>,
    pub templates: Vec<Arc<StoredTemplate>>,
    pub lanes: Vec<LaneId>,
    pub workers: Vec<Process>,
    /// Every session there ever was.
    pub sessions: Vec<SessionId>,
    /// What was reported or lost.
    late: Vec<Arc<Assignment>>,
    pub tick: Ticks,
    /// When tick 0 was.
    start: Timestamp,
}

/// A claimed step as both worlds must see it.
type Claimed = (StepKey, Token, u16, i16, Vec<(StepIndex, Option<Json>)>);

/// What an action came to; everything in it must be the same in both worlds.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Done,
    Failed(String),
    Created(Vec<TaskId>, Vec<Claimed>, bool),
    Settled { accepted: Vec<StepKey>, claimed: Vec<Claimed>, more: bool, made_ready: bool, moved: Vec<TaskMoved> },
    Operated { changed: bool, queued: bool, revoked: bool, moved: Vec<TaskMoved> },
    Swept { alive: bool, swept: Vec<SessionId>, recovered: Vec<(Vec<StepKey>, bool, Vec<TaskMoved>)> },
}

/// Templates of every kind: chain, diamond, fan with priorities, steps that may fail, two roots, decisions
/// that meet and decisions in one another, lists, and lists and decisions that lead to one another.
fn inputs() -> [serde_json::Value; TEMPLATES] {
    use serde_json::json;
    let fan: Vec<_> =
        (0..6).map(|n| json!({ "name": format!("f{n}"), "depends_on": "a", "priority": n - 3 })).collect();
    let names: Vec<String> = (0..6).map(|n| format!("f{n}")).collect();
    let mut steps = vec![json!({ "name": "a" })];
    steps.extend(fan);
    steps.push(json!({ "name": "z", "depends_on": names, "queue": "slow" }));
    [
        json!({ "name": "chain", "steps": [
            { "name": "a" }, { "name": "b", "depends_on": "a" }, { "name": "c", "depends_on": "b" },
            { "name": "d", "depends_on": "c" }] }),
        json!({ "name": "diamond", "defaults": { "retry_limit": 2 }, "steps": [
            { "name": "a" }, { "name": "b", "depends_on": "a" }, { "name": "c", "depends_on": "a" },
            { "name": "d", "depends_on": ["b", "c"] }] }),
        json!({ "name": "fan", "steps": steps }),
        json!({ "name": "weak", "defaults": { "retry_limit": 1, "on_failure": "skip", "queue": "slow" }, "steps": [
            { "name": "a" }, { "name": "b", "depends_on": "a", "on_failure": "fail", "retry_limit": 4 },
            { "name": "c", "depends_on": "a" }, { "name": "d", "depends_on": ["b", "c"] },
            { "name": "e", "depends_on": ["c"] }] }),
        json!({ "name": "roots", "defaults": { "retryable": false }, "steps": [
            { "name": "a", "queue": "slow" }, { "name": "b", "priority": 5 }, { "name": "c" },
            { "name": "d", "depends_on": ["a", "b", "c"] }, { "name": "e", "depends_on": ["c", "d"] }] }),
        json!({ "name": "meeting", "defaults": { "retry_limit": 2 }, "steps": [
            { "name": "join", "depends_on": ["ac", "bd", "both"] },
            { "name": "left", "branches": ["a", "b", "both"] }, { "name": "right", "branches": ["c", "d", "both"] },
            { "name": "a", "depends_on": "left" }, { "name": "b", "depends_on": "left" },
            { "name": "c", "depends_on": "right" }, { "name": "d", "depends_on": ["right", "slow"] },
            { "name": "ac", "depends_on": ["a", "c"] }, { "name": "bd", "depends_on": ["b", "d"] },
            { "name": "both", "depends_on": ["left", "right"] }, { "name": "slow", "queue": "slow" }] }),
        json!({ "name": "nested", "defaults": { "on_failure": "skip" }, "steps": [
            { "name": "outer", "branches": ["inner", "e"] },
            { "name": "inner", "depends_on": "outer", "branches": ["x", "y"] },
            { "name": "x", "depends_on": "inner" }, { "name": "y", "depends_on": ["inner", "outer"] },
            { "name": "z", "depends_on": ["x", "y"], "branches": ["last"] },
            { "name": "e", "depends_on": "outer" }, { "name": "last", "depends_on": ["z", "e"] },
            { "name": "after", "depends_on": "last" }] }),
        json!({ "name": "lists", "defaults": { "retry_limit": 2 }, "steps": [
            { "name": "join", "depends_on": ["made", "found"] },
            { "name": "made", "each": true, "queue": "slow" },
            { "name": "a" }, { "name": "found", "depends_on": "a", "each": "a.list", "on_failure": "skip" },
            { "name": "again", "depends_on": ["found", "join"], "each": "found" },
            { "name": "last", "depends_on": "again" }] }),
        json!({ "name": "mixed", "steps": [
            { "name": "way", "branches": ["list", "plain"] },
            { "name": "list", "depends_on": "way", "each": "way.list", "retryable": false },
            { "name": "plain", "depends_on": "way" },
            { "name": "choice", "depends_on": ["list", "plain"], "branches": ["x", "y"] },
            { "name": "x", "depends_on": "choice" },
            { "name": "y", "depends_on": ["choice", "list"], "each": true },
            { "name": "end", "depends_on": ["x", "y"] }] }),
    ]
}

impl World {
    pub async fn open(url: &str) -> Self {
        let db = Database::open(url).await;
        let start = Timestamp(db.read(Now {}).await.0 - 100_000_000);
        let mut world = Self {
            db,
            catalog: Arc::default(),
            templates: Vec::new(),
            lanes: Vec::new(),
            workers: Vec::new(),
            sessions: Vec::new(),
            late: Vec::new(),
            tick: 0,
            start,
        };
        for input in inputs() {
            world.register(serde_json::from_value(input).unwrap()).await;
        }
        // The same ids in both worlds.
        for number in 0..WORKERS {
            let id = SessionId(uuid::Uuid::from_u128(number as u128 + 1));
            world.workers.push(Process { session: session(), held: Vec::new() });
            world.start_process(number, id).await;
        }
        world
    }

    async fn register(&mut self, input: TemplateInput) {
        let template = Template::build(input).unwrap();
        let (normal, fixed) = (Json::of(template.normal()).unwrap(), Json::of(&template.fixed()).unwrap());
        let register = Register { template: Arc::new(template.clone()), normal, fixed };
        match self.db.write(register).await {
            Registered::Done { named_task, revision, lanes } => {
                self.templates.push(Arc::new(StoredTemplate { template, named_task, revision }));
                self.lanes.extend(lanes.into_iter().map(|(_, lane)| lane));
            }
            Registered::InUse { .. } => panic!("it is not in use"),
        }
    }

    pub async fn close(self) {
        self.db.store.close().await;
    }

    async fn start_process(&mut self, worker: usize, id: SessionId) {
        let lost = std::mem::take(&mut self.workers[worker].held);
        self.late.extend(lost);
        self.workers[worker].session = id;
        self.sessions.push(id);
        self.db.write(Open { session: id, label: "differential".into(), ttl: TTL }).await;
    }

    pub async fn act(&mut self, action: &Action) -> Answer {
        match action {
            Action::Create { plans, taker } => self.create(plans, *taker).await,
            Action::Settle(settlement) => self.settle(settlement).await,
            Action::Tick => {
                self.db.travel(TICK);
                self.tick += 1;
                Answer::Done
            }
            Action::Sweep { worker, receipts, then } => self.sweep(*worker, *receipts, *then).await,
            Action::Crash { worker, then } => {
                self.start_process(*worker, *then).await;
                Answer::Done
            }
            Action::Operate { task, operation } => self.operate(*task, operation).await,
            Action::Forget => {
                self.catalog = Arc::default();
                Answer::Done
            }
        }
    }

    async fn create(&mut self, plans: &[Plan], taker: Option<(usize, ReceiptId, usize)>) -> Answer {
        let tasks = plans.iter().map(|plan| self.plan(plan)).collect();
        let taker_of = |(worker, receipt, limit): (usize, ReceiptId, usize)| Taker {
            session: fresh(self.workers[worker].session),
            receipt,
            lanes: self.lanes.iter().copied().collect(),
            limit,
        };
        let create = Create { parts: vec![tasks], taker: taker.map(taker_of), catalog: self.catalog.clone() };
        match self.db.try_write(create).await {
            Ok(Created { mut made, taken, made_ready, lanes, .. }) => {
                let ids = match made.remove(0) {
                    Ok(ids) => ids,
                    Err(refusal) => return Answer::Failed(refusal.to_string()),
                };
                self.catalog.keep_lanes(lanes);
                let claimed = taken.iter().map(claimed).collect();
                if let Some((worker, ..)) = taker {
                    self.workers[worker].held.extend(taken.into_iter().map(Arc::new));
                }
                Answer::Created(ids, claimed, made_ready)
            }
            Err(error @ StoreError::Duplicate { .. }) => Answer::Failed(error.to_string()),
            Err(error) => panic!("{error}"),
        }
    }

    fn plan(&self, plan: &Plan) -> TaskPlan {
        let stored = self.templates[plan.template].clone();
        let run_at = plan.run_at.map(|tick| self.start.after(TICK * tick));
        let row = NewTask {
            id: plan.id,
            named_task: stored.named_task,
            revision: stored.revision,
            state: TaskState::Pending,
            live: 0,
            waiting: Arc::default(),
            key: plan.key.clone(),
            priority: plan.priority,
            queue: None,
            tags: Vec::new(),
            initiator: None,
            reason: None,
            headers: None,
            run_at,
            context: json(r#"{"n": 1e20}"#),
        };
        TaskPlan { row, stored, return_existing: plan.return_existing, terms: Vec::new(), promised: false }
    }

    async fn settle(&mut self, asked: &Settlement) -> Answer {
        let process = &mut self.workers[asked.worker];
        let mut reports = Vec::new();
        for (key, came) in &asked.reports {
            let place = process.held.iter().position(|held| held.row.key == *key).expect("it is held");
            let held = process.held.remove(place);
            let outcome = outcome(came, &held);
            reports.push(Report { assignment: held, outcome });
        }
        let done: Vec<Arc<Assignment>> = reports.iter().map(|report| report.assignment.clone()).collect();
        let named: Vec<StepKey> = done.iter().map(|held| held.row.key).collect();
        if let Some(late) = self.late.iter().rev().find(|late| asked.late && !named.contains(&late.row.key)) {
            reports.push(Report { assignment: late.clone(), outcome: Outcome::Succeeded(json("\"late\"")) });
        }
        let mut finished: Vec<ReceiptId> = done.iter().map(|held| held.receipt).collect();
        finished.retain(|receipt| !process.held.iter().any(|held| held.receipt == *receipt));
        finished.sort_unstable();
        finished.dedup();
        let settle = Settle {
            session: fresh(process.session),
            reports,
            finished_receipts: finished,
            doubtful: Vec::new(),
            claim: Claim {
                receipt: asked.receipt,
                limit: asked.limit,
                lanes: from_the_start(&self.lanes),
                look: asked.look,
                look_due: asked.look_due,
                keep: asked.limit * 2,
                keep_from: asked.keep_from,
            },
            catalog: self.catalog.clone(),
        };
        let result = self.db.try_write(settle).await;
        self.late.extend(done);
        match result {
            Ok(settled) => self.settled(asked.worker, settled),
            Err(StoreError::SessionLost) => {
                self.start_process(asked.worker, asked.then).await;
                Answer::Failed("session lost".into())
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn settled(&mut self, worker: usize, settled: Settled) -> Answer {
        self.catalog.keep_lanes(settled.lanes);
        let mut accepted: Vec<StepKey> = settled.accepted.into_keys().collect();
        accepted.sort_unstable();
        let claims = settled.claimed.iter().map(claimed).collect();
        self.workers[worker].held.extend(settled.claimed.into_iter().map(Arc::new));
        let (more, made_ready, moved) = (settled.more, settled.made_ready, settled.moved);
        Answer::Settled { accepted, claimed: claims, more, made_ready, moved }
    }

    async fn operate(&mut self, task: TaskId, operation: &Operation) -> Answer {
        let note = Note { by: Some("ann".into()), reason: None };
        let catalog = self.catalog.clone();
        let (operation, patience, tried) = (operation.clone(), Duration::ZERO, Tried::default());
        let operate = Operate { task, operation, note, dry_run: false, patience, tried, catalog };
        match self.db.try_write(operate).await {
            // A key that was taken: the task was never made.
            Ok(None) => Answer::Done,
            Ok(Some(Operated { changed, queued, revoked, moved, lanes })) => {
                self.lanes.extend(lanes.values().filter(|lane| !self.lanes.contains(lane)).collect::<Vec<_>>());
                self.catalog.keep_lanes(lanes);
                Answer::Operated { changed, queued, revoked, moved }
            }
            Err(StoreError::Refused(refused)) => Answer::Failed(refused.to_string()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn sweep(&mut self, worker: usize, most: usize, then: SessionId) -> Answer {
        let renew = Renew { session: fresh(self.workers[worker].session), ttl: TTL };
        let (alive, mut swept) = self.db.write(renew).await;
        swept.sort_unstable();
        let mut recovered = Vec::new();
        for &session in &swept {
            for receipt in self.db.write(Receipts { session, limit: most }).await {
                let back = self.db.write(Recover { receipt, catalog: self.catalog.clone() }).await;
                self.catalog.keep_lanes(back.lanes);
                let mut steps = back.steps;
                steps.sort_unstable();
                recovered.push((steps, back.made_ready, back.moved));
            }
            self.db.write(Close { session }).await;
        }
        if !alive {
            self.start_process(worker, then).await;
        }
        Answer::Swept { alive, swept, recovered }
    }
}

/// A decision chooses by the number, each bit of which is a branch.
/// A list that it makes has as many items.
fn outcome(came: &Came, held: &Assignment) -> Outcome {
    if let Some(outcome) = held.without_handler() {
        return outcome;
    }
    match came {
        Came::Result(number, result) if matches!(held.work, Work::List) => {
            Outcome::Expanded((0..number % 5).map(|_| result.clone()).collect())
        }
        Came::Result(number, result) => {
            let branches = held.task.template().branches.of(held.row.key.index);
            let chosen = (0..).zip(branches).filter(|(place, _)| number >> place & 1 == 1);
            let route: Vec<StepIndex> = chosen.map(|(_, &branch)| branch).collect();
            match route.is_empty() {
                true => Outcome::Succeeded(result.clone()),
                false => Outcome::Decided(result.clone(), route),
            }
        }
        Came::Failure { permanent, again_in } => Outcome::Failed(Failure {
            error: json(r#"{"class":"Test","message":"é\u0000"}"#),
            permanent: *permanent,
            retry_after: Some(TICK * *again_in),
        }),
        Came::Back => Outcome::Released,
    }
}

fn claimed(held: &Assignment) -> Claimed {
    let row = &held.row;
    (row.key, row.token, row.attempts, row.priority, held.parents.clone())
}

//! The database in memory, and what each action does to it: a third world, without SQL, transactions or counters. What
//! the stores choose, such as which of the ready steps are claimed, is taken from their answers, if it was theirs to choose.

mod by_hand;
mod task;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tasker_core::domain::id::{ReceiptId, SessionId, StepIndex, StepKey, TaskId};
use tasker_core::engine::catalog::StoredTemplate;

use super::actions::{Action, Came, Plan, Settlement, Ticks};
use super::seen::{Place, Plain, Seen};
use super::world::{Answer, WORKERS, World};
use task::{Stands, Task};

/// A session that is not renewed for so many ticks is past its end.
const TTL: Ticks = 2;

/// A step in somebody's hands.
#[derive(Clone, Copy, PartialEq)]
struct Held {
    key: StepKey,
    time: u32,
    receipt: ReceiptId,
}

struct Session {
    renewed: Ticks,
    /// Whether it was shut out.
    ended: bool,
    receipts: BTreeMap<ReceiptId, Vec<Held>>,
}

struct Process {
    session: SessionId,
    held: Vec<Held>,
}

pub struct Oracle {
    templates: Vec<Arc<StoredTemplate>>,
    tasks: BTreeMap<TaskId, Task>,
    keys: BTreeMap<(usize, String), TaskId>,
    sessions: BTreeMap<SessionId, Session>,
    workers: Vec<Process>,
    late: Vec<Held>,
    tick: Ticks,
}

impl Oracle {
    pub fn new(world: &World) -> Self {
        let process = |worker: usize| Process { session: world.workers[worker].session, held: Vec::new() };
        let mut oracle = Self {
            templates: world.templates.clone(),
            tasks: BTreeMap::new(),
            keys: BTreeMap::new(),
            sessions: BTreeMap::new(),
            workers: (0..WORKERS).map(process).collect(),
            late: Vec::new(),
            tick: 0,
        };
        for worker in 0..WORKERS {
            oracle.start_process(worker, world.workers[worker].session);
        }
        oracle
    }

    /// Does what the stores did, and compares what they said.
    pub fn act(&mut self, action: &Action, answer: &Answer, about: &str) {
        let _said = Said(about);
        match (action, answer) {
            (Action::Create { plans, taker }, answer) => self.create(plans, *taker, answer),
            (Action::Settle(settlement), answer) => self.settle(settlement, answer),
            (Action::Tick, _) => self.tick += 1,
            (Action::Sweep { worker, receipts, then }, Answer::Swept { alive, swept, recovered }) => {
                let recovered: Vec<_> = recovered.iter().map(|(steps, ..)| steps.clone()).collect();
                assert_eq!(self.sweep(*worker, *receipts, *then), (*alive, swept.clone(), recovered));
            }
            (Action::Crash { worker, then }, _) => self.start_process(*worker, *then),
            (Action::Operate { task, operation }, answer) => {
                let done = self.tasks.get_mut(task).map(|found| found.operate(*task, operation, self.tick));
                match answer {
                    Answer::Operated { changed, .. } => assert_eq!(done, Some(Some(*changed))),
                    Answer::Failed(_) => assert_eq!(done, Some(None)),
                    _ => assert_eq!(done, None),
                }
            }
            (Action::Forget, _) => {}
            (action, answer) => panic!("{action:?} was answered with {answer:?}"),
        }
    }

    fn is_alive(&self, session: SessionId) -> bool {
        !self.sessions[&session].ended
    }

    fn start_process(&mut self, worker: usize, id: SessionId) {
        let process = &mut self.workers[worker];
        self.late.append(&mut process.held);
        process.session = id;
        self.sessions.insert(id, Session { renewed: self.tick, ended: false, receipts: BTreeMap::new() });
    }

    fn create(&mut self, plans: &[Plan], taker: Option<(usize, ReceiptId, usize)>, answer: &Answer) {
        let (mut keys, mut ids, mut new) = (self.keys.clone(), Vec::new(), Vec::new());
        for plan in plans {
            let key = plan.key.clone().map(|key| (plan.template, key));
            let owner = key.as_ref().and_then(|key| keys.get(key)).copied();
            if owner.is_some() && !plan.return_existing {
                assert!(matches!(answer, Answer::Failed(_)), "the key is taken: {answer:?}");
                return;
            }
            ids.push(owner.unwrap_or(plan.id));
            if owner.is_none() {
                new.push(plan);
                keys.extend(key.map(|key| (key, plan.id)));
            }
        }
        let Answer::Created(made, claimed, _) = answer else { panic!("{answer:?}") };
        assert_eq!(*made, ids);
        self.keys = keys;
        let mut room = 0;
        for plan in new {
            let task = Task::new(self.templates[plan.template].clone(), plan.priority, plan.run_at);
            room += task.steps.values().filter(|step| step.stands == Stands::Ready).count();
            self.tasks.insert(plan.id, task);
        }
        let taker = taker.filter(|(worker, ..)| self.is_alive(self.workers[*worker].session));
        let wanted = taker.map_or(0, |(.., limit)| limit.min(room));
        assert_eq!(claimed.len(), wanted, "so many were for the taker");
        if let Some((worker, receipt, _)) = taker {
            self.claim(worker, receipt, claimed.iter().map(|claim| claim.0));
        }
    }

    fn claim(&mut self, worker: usize, receipt: ReceiptId, claimed: impl Iterator<Item = StepKey>) {
        let by = self.workers[worker].session;
        for key in claimed {
            let task = self.tasks.get_mut(&key.task).expect("a task that there is");
            task.claim(key.index, by);
            let held = Held { key, time: task.steps[&key.index].time, receipt };
            self.workers[worker].held.push(held);
            let session = self.sessions.get_mut(&by).expect("its session");
            session.receipts.entry(receipt).or_default().push(held);
        }
    }

    fn settle(&mut self, asked: &Settlement, answer: &Answer) {
        let process = &mut self.workers[asked.worker];
        let by = process.session;
        let mut reports: Vec<(Held, Option<&Came>)> = Vec::new();
        for (key, came) in &asked.reports {
            let place = process.held.iter().position(|held| held.key == *key).expect("it is held");
            reports.push((process.held.remove(place), Some(came)));
        }
        let done: Vec<Held> = reports.iter().map(|(held, _)| *held).collect();
        let is_named = |late: &&Held| done.iter().any(|held| held.key == late.key);
        let late = self.late.iter().rev().find(|late| asked.late && !is_named(late));
        reports.extend(late.map(|late| (*late, None)));
        let mut finished: BTreeSet<ReceiptId> = done.iter().map(|held| held.receipt).collect();
        finished.retain(|receipt| process.held.iter().all(|held| held.receipt != *receipt));
        self.late.extend(&done);
        if !self.is_alive(by) {
            assert!(matches!(answer, Answer::Failed(_)), "its session was ended: {answer:?}");
            return self.start_process(asked.worker, asked.then);
        }
        let Answer::Settled { accepted, claimed, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(*accepted, self.report(reports), "reports that count");
        if asked.look_due {
            self.tasks.values_mut().for_each(|task| task.tick(self.tick));
        }
        self.claim(asked.worker, asked.receipt, claimed.iter().map(|claim| claim.0));
        let left = self.tasks.values().flat_map(|task| task.steps.values()).find(|step| step.stands == Stands::Ready);
        assert!(claimed.len() <= asked.limit * 2);
        assert!(!asked.look || claimed.len() >= asked.limit || left.is_none(), "it left {left:?}");
        let session = self.sessions.get_mut(&by).expect("its session");
        session.receipts.retain(|receipt, _| !finished.contains(receipt));
        self.tasks.values_mut().for_each(Task::go_on);
    }

    /// The reports that count, of steps that are held as they were claimed. Decisions are carried out when all is known.
    fn report(&mut self, reports: Vec<(Held, Option<&Came>)>) -> Vec<StepKey> {
        let (mut accepted, mut left_out) = (Vec::new(), BTreeMap::<TaskId, BTreeSet<StepIndex>>::new());
        for (held, came) in reports {
            let StepKey { task: id, index } = held.key;
            let task = self.tasks.get_mut(&id).expect("its task");
            if task.is_own(index, held.time) {
                left_out.entry(id).or_default().extend(task.report(index, came, self.tick));
                accepted.push(held.key);
            }
        }
        for (id, left_out) in left_out {
            let task = self.tasks.get_mut(&id).expect("its task");
            task.bypass(&left_out);
            task.go_on();
        }
        accepted.sort_unstable();
        accepted
    }

    /// Whether the worker's session lives, the sessions that do not, and what was returned of each receipt.
    fn sweep(&mut self, worker: usize, most: usize, then: SessionId) -> (bool, Vec<SessionId>, Vec<Vec<StepKey>>) {
        let (tick, own) = (self.tick, self.workers[worker].session);
        let alive = self.is_alive(own);
        if alive {
            self.sessions.get_mut(&own).expect("its session").renewed = tick;
        }
        let mut swept = Vec::new();
        for (id, session) in &mut self.sessions {
            let is_past = !session.ended && session.renewed + TTL <= tick;
            if is_past || session.ended && !session.receipts.is_empty() {
                swept.push(*id);
            }
            session.ended |= is_past;
        }
        let mut recovered = Vec::new();
        for id in &swept {
            let session = self.sessions.get_mut(id).expect("a session");
            for _ in 0..most {
                let Some((_, steps)) = session.receipts.pop_first() else { break };
                let mut returned = Vec::new();
                for held in steps {
                    let task = self.tasks.get_mut(&held.key.task).expect("its task");
                    if task.is_own(held.key.index, held.time) {
                        task.lose(held.key.index);
                        returned.push(held.key);
                    }
                }
                returned.sort_unstable();
                recovered.push(returned);
                self.tasks.values_mut().for_each(Task::go_on);
            }
        }
        if !alive {
            self.start_process(worker, then);
        }
        (alive, swept, recovered)
    }

    /// The stores hold what this holds.
    pub fn compare(&self, seen: &Seen, about: &str) {
        let _said = Said(about);
        for (id, task) in &seen.tasks {
            let own = &self.tasks[id];
            let steps: BTreeMap<StepIndex, Plain> =
                own.steps.iter().map(|(index, step)| (*index, plain(step))).collect();
            assert_eq!((task.state, seen.plain(*id)), (own.state, steps), "{id}, a {}", own.stored.template.name);
        }
    }
}

/// Says what it was about when something does not hold.
struct Said<'a>(&'a str);

impl Drop for Said<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after {}", self.0);
        }
    }
}

fn plain(step: &task::Step) -> Plain {
    let place = match step.stands {
        Stands::Ready => Place::Ready,
        Stands::Timer(_) => Place::Timer,
        Stands::Held(_) => Place::Leased,
        Stands::Nowhere => Place::None,
    };
    let (result, route, item) = (step.result.clone(), step.route.clone(), step.item.clone());
    (step.seen_state(), place, step.seen_attempts(), step.crashes, result, route, step.bypassed, item)
}

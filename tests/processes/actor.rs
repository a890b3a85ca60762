//! Processes of their own that do what they are told, line by line, at the moment that they are told.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tasker_core::domain::id::{LaneId, ReceiptId, SessionKey, TaskId};
use tasker_core::domain::json::Json;
use tasker_core::domain::operation::{Operation, TaskOperation};
use tasker_core::engine::error::EngineError;
use tasker_core::engine::transactions::intake::Assignment;
use tasker_core::engine::transactions::look::LanesOf;
use tasker_core::engine::transactions::operate::Note;
use tasker_core::engine::transactions::sessions::{Close, Receipts, Recover, Renew};
use tasker_core::engine::transactions::settle::Settle;
use tasker_core::engine::transactions::verdict::{Failure, Outcome};
use tasker_core::storage::{Store, StoreError};

use crate::support::direct::{Counted, report};
use crate::support::host::{Host, LEASE, block};
use crate::templates;

/// Set for a process that another one started; whoever runs ignored tests does without it.
pub const OTHER: &str = "TASKER_TEST_PROCESS";

/// A moment that two processes are to do something at: nanoseconds since 1970.
pub fn in_a_moment() -> u128 {
    now() + 2_000_000
}

pub fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos()
}

/// The other end of a process's input and output.
pub struct Actor {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Actor {
    /// Starts one; what it is told first says on which database.
    pub fn start() -> Self {
        Self::run("actor::does_what_it_is_told", &[])
    }

    /// Runs an ignored test of this suite, with [`OTHER`] and more in its environment.
    pub fn run(test: &str, env: &[(&str, &str)]) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env(OTHER, "")
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let input = child.stdin.take().expect("an input");
        let output = BufReader::new(child.stdout.take().expect("an output"));
        Self { child, input, output }
    }

    pub fn on(url: &str) -> Self {
        let mut actor = Self::start();
        assert_eq!(actor.ask(&format!("open 0 {url}")), "opened");
        actor
    }

    pub fn tell(&mut self, order: &str) {
        writeln!(self.input, "{order}").expect("it listens");
    }

    /// The answer to what it was told first of all that it did not answer yet.
    pub fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("text") > 0, "the process ended");
            if let Some(answer) = line.trim_end().strip_prefix("> ") {
                return answer.to_owned();
            }
        }
    }

    pub fn ask(&mut self, order: &str) -> String {
        self.tell(order);
        self.answer()
    }

    /// The numbers of an answer.
    pub fn numbers(&mut self) -> Vec<u128> {
        let answer = self.answer();
        answer.split(' ').map(|word| word.parse().unwrap_or_else(|_| panic!("no number: {answer}"))).collect()
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What such a process has in hand.
struct Hand {
    host: Host,
    session: SessionKey,
    held: Vec<Assignment>,
}

impl Hand {
    fn open(url: &str) -> Self {
        let host = Host::start(url, 0, LEASE, &templates());
        Self { session: host.session(), held: Vec::new(), host }
    }

    fn lanes(&self, queue: &str) -> Vec<LaneId> {
        let ids = self.host.registry.all().iter().map(|stored| stored.named_task).collect();
        let (lanes, _) = block(self.host.engine.store().read(LanesOf { ids })).expect("lanes");
        lanes.into_iter().filter(|lane| lane.queue == queue).map(|lane| lane.id).collect()
    }

    fn claim(&mut self, queue: &str, limit: usize) -> String {
        let settle = self.host.settlement(self.session, self.lanes(queue), Vec::new(), limit);
        let claimed = self.host.run(settle).claimed;
        let count = claimed.len();
        self.held.extend(claimed);
        count.to_string()
    }

    /// Reports all that it holds: how many reports counted, how often that was run, when it began and ended.
    fn settle(&mut self, at: u128, backwards: bool, fails: &str) -> String {
        let mut held = std::mem::take(&mut self.held);
        if backwards {
            held.reverse();
        }
        let mut finished_receipts: Vec<ReceiptId> = held.iter().map(|one| one.receipt).collect();
        finished_receipts.sort_unstable();
        finished_receipts.dedup();
        let outcome = |one: &Assignment| match one.step_name() == fails {
            true => Outcome::Failed(Failure { error: Json::empty_object(), permanent: true, retry_after: None }),
            false => Outcome::Succeeded(Json::empty_object()),
        };
        let reports = held.iter().map(|one| report(one, outcome(one))).collect();
        let settle = Settle { finished_receipts, ..self.host.settlement(self.session, Vec::new(), reports, 0) };
        let tries = Arc::new(AtomicU32::new(0));
        let counted = Counted { transaction: settle, tries: tries.clone() };
        await_moment(at);
        let began = now();
        let accepted = match block(self.host.engine.store().write(counted)) {
            Ok(settled) => settled.accepted.len(),
            Err(StoreError::SessionLost) => 0,
            Err(error) => panic!("{error}"),
        };
        format!("{accepted} {} {began} {}", tries.load(Ordering::SeqCst), now())
    }

    fn operate(&self, at: u128, task: &str, operation: TaskOperation) -> String {
        let task: TaskId = task.parse().expect("an id");
        await_moment(at);
        match block(self.host.engine.operate(task, Operation::Task(operation), Note::default())) {
            Ok(changed) => format!("changed {changed:?}"),
            Err(EngineError::StateTransition(_)) => "refused".to_owned(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Ends its session, but goes on.
    fn lose(&self) -> String {
        self.host.run(Renew { session: self.session, ttl: Duration::ZERO });
        "lost".to_owned()
    }

    /// Returns what sessions hold that have ended: how many steps, and how often that was run.
    fn recover(&self, at: u128) -> String {
        let (alive, ended) = self.host.run(Renew { session: self.session, ttl: LEASE });
        assert!(alive);
        let (tries, mut steps, mut receipts) = (Arc::new(AtomicU32::new(0)), 0, 0);
        await_moment(at);
        for session in ended {
            for receipt in self.host.run(Receipts { session, limit: 100 }) {
                let recover = Recover { receipt, catalog: self.host.engine.catalog().clone() };
                steps += self.host.run(Counted { transaction: recover, tries: tries.clone() }).steps.len();
                receipts += 1;
            }
            self.host.run(Close { session });
        }
        format!("{steps} {}", tries.load(Ordering::SeqCst) - receipts)
    }

    fn obey(&mut self, order: &str) -> String {
        let words: Vec<&str> = order.split(' ').collect();
        let moment = |word: &str| word.parse().expect("a moment");
        match words[..] {
            ["claim", queue, limit] => self.claim(queue, limit.parse().expect("a number")),
            ["settle", at, direction, fails] => self.settle(moment(at), direction == "backwards", fails),
            ["cancel", at, task] => self.operate(moment(at), task, TaskOperation::Cancel),
            ["retry", at, task] => self.operate(moment(at), task, TaskOperation::Retry),
            ["lose"] => self.lose(),
            ["recover", at] => self.recover(moment(at)),
            _ => panic!("no order: {order}"),
        }
    }
}

/// Until then it runs in circles: whoever sleeps wakes late.
fn await_moment(at: u128) {
    while now() < at {
        std::hint::spin_loop();
    }
}

/// Run by [`Actor::start`] only.
#[test]
#[ignore = "the other process of other tests"]
fn does_what_it_is_told() {
    if std::env::var_os(OTHER).is_none() {
        return;
    }
    let mut hand: Option<Hand> = None;
    for line in std::io::stdin().lines() {
        let line = line.expect("text");
        let answer = match (line.strip_prefix("open "), &mut hand) {
            (Some(rest), _) => {
                let (at, url) = rest.split_once(' ').expect("a moment and a URL");
                await_moment(at.parse().expect("a moment"));
                hand = Some(Hand::open(url));
                "opened".to_owned()
            }
            (None, Some(hand)) => hand.obey(&line),
            (None, None) => panic!("no database"),
        };
        println!("> {answer}");
    }
}

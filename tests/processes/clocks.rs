//! A process whose host's clock jumps, forwards and back, under libfaketime: what a clock says is asked of the database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tasker_core::domain::id::TaskId;
use tasker_core::domain::state::TaskState;
use tasker_core::domain::time::Timestamp;
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::transactions::look::History;
use tasker_core::engine::worker::{Phase, Worker};
use tasker_core::storage::Store;

use crate::actor::{Actor, OTHER, now};
use crate::support::fresh_postgres;
use crate::support::host::{Host, block};
use crate::support::lab::{done, eventually, fail};

const DATABASE: &str = "TASKER_TEST_DATABASE";
/// Two of them pass while the slow step runs.
const SHORT_LEASE: Duration = Duration::from_secs(2);
const SLOW: Duration = Duration::from_secs(4);
const RETRY: Duration = Duration::from_secs(1);
const TASKS: usize = 12;

/// A step that needs several leases, and one that is tried again after a while.
fn template() -> Value {
    json!({ "name": "clocked", "steps": [
        { "name": "slow", "timeout": 60 }, { "name": "again" }, { "name": "end", "depends_on": ["slow", "again"] }] })
}

fn host(url: &str) -> Host {
    Host::start(url, 0, SHORT_LEASE, &[template()])
}

/// Runs what the worker takes, each step in a thread of its own.
fn run(worker: Arc<Worker>) {
    while worker.phase() != Phase::Stopped {
        let Some(ticket) = worker.take() else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        let worker = worker.clone();
        std::thread::spawn(move || {
            let held = &ticket.assignment;
            let outcome = match (&*held.step_name(), held.attempt()) {
                ("again", 1) => fail("not yet", false, Some(RETRY)),
                (name, _) => {
                    if name == "slow" {
                        std::thread::sleep(SLOW);
                    }
                    done(json!(std::process::id()))
                }
            };
            worker.report(ticket.number, outcome);
        });
    }
}

/// Run by [`Jumping::start`] only: works, and says what its host's clock is when it is asked.
#[test]
#[ignore = "the other process of other tests"]
fn works_by_another_clock() {
    if std::env::var_os(OTHER).is_none() {
        return;
    }
    let host = host(&std::env::var(DATABASE).expect("a database"));
    let worker = host.worker(TASKS);
    let running = worker.clone();
    std::thread::spawn(move || run(running));
    for _ in std::io::stdin().lines() {
        let troubles = host.engine.troubles().take();
        assert!(troubles.is_empty(), "{troubles:?}");
        println!("> {}", now());
    }
}

/// Where Debian's package and other systems put it.
fn libfaketime() -> PathBuf {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let mut candidates = folders.iter().map(|folder| Path::new(folder).join("faketime/libfaketime.so.1"));
    candidates.find(|path| path.exists()).expect("libfaketime is installed (Debian's package faketime)")
}

/// A process that works, and the file that says how far its host's clock is from the true one.
struct Jumping {
    actor: Actor,
    offset: tempfile::NamedTempFile,
}

impl Jumping {
    fn start(url: &str) -> Self {
        let offset = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(offset.path(), "+0").expect("written");
        let library = libfaketime();
        let actor = Actor::run(
            "clocks::works_by_another_clock",
            &[
                (DATABASE, url),
                ("LD_PRELOAD", library.to_str().expect("a path")),
                ("FAKETIME_TIMESTAMP_FILE", offset.path().to_str().expect("a path")),
                ("FAKETIME_NO_CACHE", "1"),
                // That one jumps on no host.
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
                ("DONT_FAKE_MONOTONIC", "1"),
            ],
        );
        let mut jumping = Self { actor, offset };
        jumping.to(0);
        jumping
    }

    /// Moves its clock to so many seconds from the true one, and has it look.
    fn to(&mut self, seconds: i64) {
        std::fs::write(self.offset.path(), format!("{seconds:+}")).expect("written");
        let there: i128 = self.actor.ask("what time is it?").parse().expect("a moment");
        let away = (there - now() as i128) / 1_000_000_000 - i128::from(seconds);
        assert!(away.abs() < 60, "its clock is {away} s from where it was put");
    }
}

fn create(host: &Host) -> Vec<TaskId> {
    (0..TASKS).map(|_| host.create("clocked", TaskIntent::default())).collect()
}

/// Every step ran as often as it should, and the retry came when it was due.
fn check(host: &Host, tasks: &[TaskId], began: Timestamp) {
    let ended = host.now();
    for &id in tasks {
        let task = host.task(id);
        assert_eq!(task.state, TaskState::Complete);
        let steps = host.steps(id);
        let counts = steps.iter().map(|step| (step.crashes, step.attempts)).collect::<Vec<_>>();
        assert_eq!(counts, [(0, 1), (0, 2), (0, 1)], "no lease was lost");
        let look = History { task: id, created_at: task.created_at, steps: steps.len() };
        let history = block(host.engine.store().read(look)).expect("a history");
        assert!(history.iter().all(|row| (began..=ended).contains(&row.at)), "{history:?}");
        let of_retry: Vec<_> = history.iter().filter(|row| row.index == Some(1)).collect();
        let failed = of_retry.iter().find(|row| row.to == "waiting_for_retry").expect("a failure").at;
        let again = of_retry.iter().rfind(|row| row.to == "in_progress").expect("a second attempt").at;
        let waited = again.since(failed);
        assert!(waited >= RETRY && waited < RETRY + Duration::from_secs(15), "{waited:?}");
    }
}

#[test]
fn a_host_whose_clock_jumps_loses_nothing_and_hurries_nobody_on_postgres() {
    let mut random = crate::random();
    let database = fresh_postgres();
    let steady = host(&database.url);
    let began = steady.now();
    let worker = steady.worker(TASKS / 2);
    let running = worker.clone();
    std::thread::spawn(move || run(running));
    let mut jumping = Jumping::start(&database.url);
    let tasks = create(&steady);
    let until = Instant::now() + SLOW + SHORT_LEASE;
    while Instant::now() < until {
        jumping.to([-86_400, -3_600, 0, 60, 3_600, 86_400][random.usize(..6)]);
        std::thread::sleep(Duration::from_millis(50));
    }
    eventually("the tasks end", || tasks.iter().all(|&task| steady.state(task).is_ended()));
    jumping.to(86_400);
    check(&steady, &tasks, began);
    let by: std::collections::BTreeSet<String> = tasks
        .iter()
        .flat_map(|&task| steady.steps(task))
        .filter_map(|step| Some(step.result?.as_str().into()))
        .collect();
    assert_eq!(by.len(), 2, "both processes had steps");
    let troubles = steady.engine.troubles().take();
    assert!(troubles.is_empty(), "{troubles:?}");
    steady.end();
}

/// Its clock is that of the processes, which jumps for all of them: leases and timers end early.
#[test]
fn a_clock_that_jumps_ahead_loses_nothing_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}/test.sqlite3", folder.path().display());
    let looking = host(&url);
    let tasks = create(&looking);
    let mut jumping = Jumping::start(&url);
    let until = Instant::now() + SLOW;
    for hours in 1.. {
        jumping.to(hours * 3_600);
        if Instant::now() > until {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    eventually("the tasks end", || tasks.iter().all(|&task| looking.state(task).is_ended()));
    for &task in &tasks {
        let counts: Vec<_> = looking.steps(task).iter().map(|step| (step.crashes, step.attempts)).collect();
        assert_eq!(counts, [(0, 1), (0, 2), (0, 1)]);
        assert_eq!(looking.state(task), TaskState::Complete);
    }
    looking.end();
}

//! Nothing waits for ever: whatever happens to a session, a connection or a busy neighbour, steps
//! go on and workers stop.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::host::*;
use support::lab::*;
use tasker_core::domain::id::TaskId;
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::worker::{Phase, Worker};
use tasker_core::troubles::Trouble;

/// Threads that run whatever `worker` has, until it stops.
fn run(worker: &Arc<Worker>, threads: usize) {
    for _ in 0..threads {
        let worker = worker.clone();
        std::thread::spawn(move || {
            while worker.phase() != Phase::Stopped {
                match worker.take() {
                    Some(ticket) => {
                        std::thread::sleep(Duration::from_micros(fastrand::u64(0..2_000)));
                        worker.report(ticket.number, done(json!(null)));
                    }
                    None => std::thread::sleep(Duration::from_micros(100)),
                }
            }
        });
    }
}

/// How long this process has kept processors busy.
fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().expect("user") + fields[12].parse::<u64>().expect("system");
    Duration::from_millis(ticks * 10)
}

on_each_database! {
    fn a_lost_session_is_noticed_though_nothing_is_reported(url: &str) {
        let silent = Host::start(url, 0, Duration::from_secs(2), &[single()]);
        let tasks: Vec<TaskId> = (0..4).map(|_| silent.create("single", TaskIntent::default())).collect();
        let zombie = silent.worker(2);
        eventually("it holds all that it may", || zombie.stats().queued == 4);

        let other = Host::start(url, HOUR, LEASE, &[single()]);
        let worker = other.worker(4);
        eventually("the other one has them", || worker.stats().queued == 4);
        eventually("the loss is noticed", || !silent.engine.troubles().take().is_empty());
        other.end();
        run(&zombie, 2);
        eventually("the tasks end", || tasks.iter().all(|&task| silent.state(task).is_ended()));
        silent.end();
    }

    fn a_busy_worker_sees_what_others_made_ready(url: &str) {
        let list: Vec<Value> = (0..4_000)
            .map(|n| json!({ "name": format!("s{n}"), "depends_on": if n == 0 { vec![] } else { vec![format!("s{}", n - 1)] } }))
            .collect();
        let templates = [json!({ "name": "chain", "steps": list }), single()];
        let host = Host::start(url, 0, LEASE, &templates);
        let chains: Vec<TaskId> = (0..12).map(|_| host.create("chain", TaskIntent::default())).collect();
        let worker = host.worker(12);
        run(&worker, 12);
        eventually("the chains are under way", || worker.stats().ran > 20);
        let other = Host::start(url, 0, LEASE, &templates);
        let task = other.create("single", TaskIntent { priority: Some(10), ..TaskIntent::default() });
        let began = Instant::now();
        eventually("the task ends", || other.state(task).is_ended());
        assert!(began.elapsed() < Duration::from_secs(5), "it waited for {:?}", began.elapsed());
        assert!(chains.iter().all(|&chain| !other.state(chain).is_ended()), "it had to wait for the chains");
        other.end();
        host.end();
    }

    fn a_worker_with_full_hands_rests_though_a_timer_is_due(url: &str) {
        let host = Host::start(url, 0, LEASE, &[single()]);
        let worker = host.worker(1);
        for _ in 0..2 {
            host.create("single", TaskIntent::default());
        }
        let held = [take(&worker), take(&worker)];
        let soon = host.now().after(Duration::from_millis(100));
        let later = host.create("single", TaskIntent { run_at: Some(soon), ..TaskIntent::default() });
        std::thread::sleep(Duration::from_millis(1_200));
        let before = busy();
        std::thread::sleep(Duration::from_secs(1));
        let used = busy() - before;
        assert!(used < Duration::from_millis(300), "it kept a processor busy for {used:?} of a second");
        for ticket in held {
            worker.report(ticket.number, done(json!(null)));
        }
        run(&worker, 1);
        eventually("what was due runs", || host.state(later).is_ended());
        host.end();
    }

    fn until_idle_waits_for_a_queue_that_is_new(url: &str) {
        let host = Host::start(url, 0, LEASE, &[single()]);
        let worker = host.worker(1);
        run(&worker, 1);
        for n in 0..20 {
            assert!(block(worker.until_idle(None)).expect("idle"));
            let task = host.create("single", TaskIntent { queue: Some(format!("q{n}")), ..TaskIntent::default() });
            assert!(block(worker.until_idle(None)).expect("idle"));
            assert!(host.state(task).is_ended(), "idle before the task of queue {n} ran");
        }
        host.end();
    }

    fn until_idle_waits_for_a_task_whose_time_has_passed(url: &str) {
        let host = Host::start(url, 0, LEASE, &[single()]);
        let worker = host.worker(1);
        run(&worker, 1);
        for n in 0..20 {
            assert!(block(worker.until_idle(None)).expect("idle"));
            let past = host.now().before(Duration::from_secs(1));
            let task = host.create("single", TaskIntent { run_at: Some(past), ..TaskIntent::default() });
            assert!(block(worker.until_idle(None)).expect("idle"));
            assert!(host.state(task).is_ended(), "idle before task {n} ran, which was overdue");
        }
        host.end();
    }

    fn a_worker_whose_loop_met_a_fault_says_so_and_starts_over(url: &str) {
        let host = Host::start(url, 0, Duration::from_secs(2), &[single()]);
        let fatal = Arc::new(AtomicBool::new(true));
        let task = host.create("single", TaskIntent::default());
        let worker = host.worker_with(1, move || assert!(!fatal.swap(false, Ordering::Relaxed), "it was asked for"));
        run(&worker, 1);
        eventually("the task ends", || host.state(task).is_ended());
        let told = host.engine.troubles().take();
        let fault = told.iter().find_map(|trouble| match trouble {
            Trouble::Fault { panic, .. } => Some(panic),
            Trouble::Hindrance(_) => None,
        });
        let fault = fault.expect("the fault was told");
        assert_eq!(fault.message, "it was asked for");
        assert!(fault.place.as_deref().is_some_and(|place| place.starts_with("tests/liveness.rs:")), "{fault:?}");
        assert_eq!(worker.phase(), Phase::Working);
        host.end();
    }
}

/// A relay before a PostgreSQL server that can lose the answer to a commit.
struct Relay {
    port: u16,
    /// The next commit goes through, and its connection is lost.
    lose: Arc<AtomicBool>,
    /// After that nobody gets through.
    shut_then: Arc<AtomicBool>,
    /// Nobody gets through.
    shut: Arc<AtomicBool>,
}

impl Relay {
    fn before(url: &str) -> Self {
        let url = url::Url::parse(url).expect("a URL");
        let server = (url.host_str().expect("a host").to_owned(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let relay = Self { port, lose: Arc::default(), shut_then: Arc::default(), shut: Arc::default() };
        let (lose, shut_then, shut) = (relay.lose.clone(), relay.shut_then.clone(), relay.shut.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shut.load(Ordering::SeqCst) {
                    continue;
                }
                let server = TcpStream::connect((server.0.as_str(), server.1)).expect("the server is there");
                let (mut from, mut to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
                std::thread::spawn(move || std::io::copy(&mut to, &mut from));
                let (lose, shut_then, shut) = (lose.clone(), shut_then.clone(), shut.clone());
                std::thread::spawn(move || relay_requests(client, server, &lose, &shut_then, &shut));
            }
        });
        relay
    }

    fn url(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).expect("a URL");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.port)).expect("a port");
        url.to_string()
    }
}

fn relay_requests(
    mut client: TcpStream,
    mut server: TcpStream,
    lose: &AtomicBool,
    shut_then: &AtomicBool,
    shut: &AtomicBool,
) {
    let mut bytes = [0; 65_536];
    while let Ok(n @ 1..) = client.read(&mut bytes) {
        let commits = bytes[..n].windows(7).any(|word| word == b"COMMIT\0");
        if shut.load(Ordering::SeqCst) {
            break;
        }
        let lost = commits && lose.swap(false, Ordering::SeqCst);
        if lost {
            // The client hears nothing more; the server does what it was asked.
            shut.store(shut_then.load(Ordering::SeqCst), Ordering::SeqCst);
            let _ = client.shutdown(std::net::Shutdown::Both);
        }
        if server.write_all(&bytes[..n]).is_err() || lost {
            std::thread::sleep(Duration::from_millis(200));
            break;
        }
    }
    let _ = client.shutdown(std::net::Shutdown::Both);
    let _ = server.shutdown(std::net::Shutdown::Both);
}

mod lost_answers {
    use super::*;

    fn relayed(test: impl FnOnce(&Relay, &str)) {
        let database = support::fresh_postgres();
        let relay = Relay::before(&database.url);
        test(&relay, &relay.url(&database.url));
    }

    #[test]
    fn what_an_idle_worker_took_with_a_task_reaches_it() {
        relayed(|relay, url| {
            let host = Host::start(url, 0, LEASE, &[single()]);
            let worker = host.worker(1);
            assert!(block(worker.until_idle(None)).expect("idle"));
            relay.lose.store(true, Ordering::SeqCst);
            let task = host.create("single", TaskIntent::default());
            run(&worker, 1);
            eventually("the task ends", || host.state(task).is_ended());
            host.end();
        });
    }

    #[test]
    fn what_was_taken_is_found_when_the_server_is_back() {
        relayed(|relay, url| {
            let chain = json!({ "name": "chain", "steps": [{ "name": "a" }, { "name": "b", "depends_on": "a" }] });
            let host = Host::start(url, 0, LEASE * 4, &[chain]);
            let task = host.create("chain", TaskIntent::default());
            let worker = host.worker(1);
            let first = take(&worker);
            relay.shut_then.store(true, Ordering::SeqCst);
            relay.lose.store(true, Ordering::SeqCst);
            worker.report(first.number, done(json!(null)));
            std::thread::sleep(Duration::from_secs(13));
            relay.shut.store(false, Ordering::SeqCst);
            run(&worker, 1);
            eventually("the task ends", || host.state(task).is_ended());
            host.end();
        });
    }

    #[test]
    fn a_worker_stops_though_the_server_is_away() {
        relayed(|relay, url| {
            let host = Host::start(url, 0, LEASE, &[single()]);
            let worker = host.worker(1);
            host.create("single", TaskIntent::default());
            let _held = take(&worker);
            relay.shut.store(true, Ordering::SeqCst);
            let began = Instant::now();
            block(worker.stop(Duration::ZERO));
            assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
            assert_eq!(worker.phase(), Phase::Stopped);
        });
    }
}

#[test]
fn large_results_are_recorded_in_transactions_of_their_own() {
    let database = support::fresh_postgres();
    let host = Host::start(&database.url, 0, LEASE, &[single()]);
    let worker = host.worker(3);
    let tasks: Vec<TaskId> = (0..3).map(|_| host.create("single", TaskIntent::default())).collect();
    let held = [take(&worker), take(&worker), take(&worker)];
    let large = done(json!("x".repeat(40 << 20)));
    // The later two come while the first is recorded, or with it.
    for ticket in held {
        worker.report(ticket.number, large.clone());
    }
    eventually("the tasks end", || tasks.iter().all(|&task| host.state(task).is_ended()));
    let transactions = block(async {
        let mut connection = database.connect().await;
        let count = "SELECT count(DISTINCT xmin::text) FROM tasker_workflow_steps";
        sqlx::query_scalar::<_, i64>(count).fetch_one(&mut connection).await.expect("a count")
    });
    assert_eq!(transactions, 3, "more than 64 MiB went to the server in one message");
    host.end();
}

//! Wake-ups between processes, on a connection beside the pool.
//!
//! One task listens and speaks. It speaks at once when asked, then at most every [`PAUSE`]; never in
//! a transaction with data, since a notifying commit holds a lock that all others wait for; and only
//! while anybody else listens. It is a hint: what it loses while the connection is away, a look at
//! the database makes up for.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Executor, PgPool, Row};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::fault_point;
use crate::panics::caught;
use crate::troubles::Troubles;

/// The channel.
const CHANNEL: &str = "tasker_ready";
/// The application name of a connection that listens, by which others know that somebody does.
const LISTENER: &str = "tasker_core listener";
/// The shortest time between two wake-ups.
const PAUSE: Duration = Duration::from_millis(5);
/// How long it is taken as known whether anybody listens.
const AUDIENCE: Duration = Duration::from_secs(2);
/// The shortest and the longest wait before a lost connection is made again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long nothing is heard before it is asked whether the server is still there, and how long it may take to answer.
const SILENCE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(5));
/// How long a closing store waits for this task.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is announced is in the database already: nothing is lost with a wake-up.
const WITHOUT_SYNC: &str = "SET synchronous_commit = off";

/// What the server answers at once.
const NOTHING: &str = "SELECT";

const NOTIFY: &str = "SELECT pg_notify('tasker_ready', $1)";

/// Looks at the server's list of connections, not at a table.
const ANYBODY: &str = "
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid())";

/// The store's end of the wake-ups.
pub(super) struct Notifier {
    shared: Arc<Shared>,
    /// Dropped with the store, which ends the task.
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What the store and the task share.
struct Shared {
    /// Our name in the channel, so that nobody wakes itself.
    name: String,
    asked: Notify,
    wakeups: watch::Sender<u64>,
}

impl Notifier {
    /// Listens on a connection made as `options` say. Needs a Tokio runtime.
    pub fn start(options: &PgConnectOptions, troubles: Arc<Troubles>) -> Self {
        let notifier = Self::none();
        let options = options.clone().application_name(LISTENER);
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let task = Task {
            shared: Arc::clone(&notifier.shared),
            pool: pool.connect_lazy_with(options),
            stop: notifier.stop.subscribe(),
            troubles,
        };
        *notifier.task.lock() = Some(tokio::spawn(task.run()));
        notifier
    }

    /// Neither listens nor speaks: behind a pooler in transaction mode there is nothing to listen on.
    pub fn none() -> Self {
        let shared = Shared {
            name: Uuid::now_v7().as_simple().to_string(),
            asked: Notify::new(),
            wakeups: watch::Sender::new(0),
        };
        Self { shared: Arc::new(shared), stop: watch::Sender::new(false), task: Mutex::default() }
    }

    /// Asks for a wake-up of the others, soon.
    pub fn announce(&self) {
        self.shared.asked.notify_one();
    }

    /// Changes when another process announced something.
    pub fn wakeups(&self) -> watch::Receiver<u64> {
        self.shared.wakeups.subscribe()
    }

    /// Ends the task and its connection.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let task = self.task.lock().take();
        if let Some(task) = task {
            // A connection that hangs must not keep the store from closing; a panic is a trouble.
            let _ = tokio::time::timeout(FAREWELL, task).await;
        }
    }
}

struct Task {
    shared: Arc<Shared>,
    pool: PgPool,
    stop: watch::Receiver<bool>,
    troubles: Arc<Troubles>,
}

/// Why a connection came to its end.
enum End {
    Stopped,
    Lost,
}

impl Task {
    async fn run(self) {
        let Self { shared, pool, mut stop, troubles } = self;
        let mut wait = BACKOFF.0;
        loop {
            let end = tokio::select! {
                biased;
                // Told to stop, or the store was dropped.
                _ = stop.wait_for(|stop| *stop) => End::Stopped,
                end = converse(&shared, &pool, &mut wait, &troubles) => end,
            };
            if matches!(end, End::Stopped) {
                break;
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                () = tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)) => {}
            }
            wait = (wait * 2).min(BACKOFF.1);
        }
        pool.close().await;
    }
}

/// Listens and speaks on one connection until it is lost, if only by a fault of this library.
async fn converse(shared: &Shared, pool: &PgPool, wait: &mut Duration, troubles: &Troubles) -> End {
    match caught(try_converse(shared, pool, wait)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the connection for wake-ups was lost"),
        Err(panic) => troubles.fault("the wake-ups between processes", panic),
    }
    End::Lost
}

async fn try_converse(shared: &Shared, pool: &PgPool, wait: &mut Duration) -> Result<(), sqlx::Error> {
    fault_point!(Notifier);
    let mut listener = PgListener::connect_with(pool).await?;
    listener.ignore_pool_close_event(true);
    listener.eager_reconnect(false);
    listener.execute(WITHOUT_SYNC).await?;
    listener.listen(CHANNEL).await?;
    *wait = BACKOFF.0;
    // Whatever was said while nobody listened.
    shared.wake();
    let mut speaker = Speaker::default();
    loop {
        let quiet = tokio::time::sleep(SILENCE.0);
        tokio::select! {
            heard = listener.try_recv() => match heard? {
                Some(heard) if heard.payload() == shared.name => {}
                Some(_) => shared.wake(),
                None => return Ok(()),
            },
            () = shared.asked.notified(), if speaker.due.is_none() => speaker.due = Some(speaker.next),
            () = tokio::time::sleep_until(speaker.due.unwrap_or(speaker.next)), if speaker.due.is_some() => {
                in_time(speaker.speak(shared, &mut listener)).await?;
            }
            () = quiet => {
                in_time(listener.execute(NOTHING)).await?;
            }
        }
    }
}

/// What the server answers at once; an error where it does not.
async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(SILENCE.1, answer).await.unwrap_or_else(|late| Err(sqlx::Error::Io(late.into())))
}

impl Shared {
    fn wake(&self) {
        self.wakeups.send_modify(|count| *count += 1);
    }
}

/// When to speak, and whether anybody would hear it.
struct Speaker {
    /// When to speak, if asked to.
    due: Option<Instant>,
    /// Not before.
    next: Instant,
    /// Whether anybody listens, and until when that is taken as known.
    audience: (bool, Instant),
}

impl Default for Speaker {
    fn default() -> Self {
        let now = Instant::now();
        Self { due: None, next: now, audience: (false, now) }
    }
}

impl Speaker {
    async fn speak(&mut self, shared: &Shared, listener: &mut PgListener) -> Result<(), sqlx::Error> {
        fault_point!(Announcement);
        self.due = None;
        if self.audience.1 <= Instant::now() {
            let row = sqlx::query(ANYBODY).bind(LISTENER).fetch_one(&mut *listener).await?;
            self.audience = (row.try_get(0)?, Instant::now() + AUDIENCE);
        }
        if self.audience.0 {
            sqlx::query(NOTIFY).bind(shared.name.as_str()).fetch_one(&mut *listener).await?;
        }
        self.next = Instant::now() + PAUSE;
        Ok(())
    }
}

//! How a process is, for those who watch it from outside: whether it lives, whether it takes work, and its metrics, over
//! HTTP. All of it is answered on the runtime's own threads, so that it is answered also while the host can run nothing
//! else, as when a handler keeps an interpreter's lock to itself; that the host was silent is a part of the answer.
//!
//! [`health`] says how it is, [`metrics`] counts, [`http`] answers.

mod health;
mod http;
mod metrics;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::engine::Engine;
use crate::engine::error::{EngineError, Result};
use crate::ffi::shared::call::Call;

pub(super) use metrics::text;

/// How long an answer waits for the database.
const DATABASE_LIMIT: Duration = Duration::from_secs(2);

/// Where to answer, and when to say that the process does not live.
#[derive(Clone, Copy, Debug)]
pub struct ProbeOptions {
    /// Where to listen; the port 0 for any that is free.
    pub address: SocketAddr,
    /// The host's silence from which on the process does not count as alive; `None` for never.
    pub silence: Option<Duration>,
}

/// Probes that are answered until they are dropped or stopped.
pub struct Probes {
    address: SocketAddr,
    watched: Arc<Watched>,
    stop: watch::Sender<bool>,
    runtime: Handle,
}

/// What answers are made of. It does not keep the database open.
struct Watched {
    engine: Weak<Engine>,
    began: Instant,
    silence: Option<Duration>,
    /// When the host was heard of last, in milliseconds since `began`.
    heard: AtomicU64,
}

impl Watched {
    fn silent_for(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.heard.load(Ordering::Relaxed)))
    }
}

impl Probes {
    /// Listens and begins to answer.
    ///
    /// # Errors
    /// When it can't listen there.
    pub(super) async fn start(engine: &Arc<Engine>, options: ProbeOptions) -> Result<Arc<Self>> {
        let refused = |error: std::io::Error| {
            EngineError::Configuration(format!("the probes can't listen on {}: {error}", options.address))
        };
        let listener = TcpListener::bind(options.address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let watched = Arc::new(Watched {
            engine: Arc::downgrade(engine),
            began: Instant::now(),
            silence: options.silence,
            heard: AtomicU64::new(0),
        });
        let stop = watch::Sender::new(false);
        tokio::spawn(http::serve(listener, watched.clone(), stop.subscribe()));
        Ok(Arc::new(Self { address, watched, stop, runtime: Handle::current() }))
    }

    /// Where they are answered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The host's threads run: it says so now and then.
    pub fn beat(&self) {
        let now = u64::try_from(self.watched.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.watched.heard.store(now, Ordering::Relaxed);
    }

    /// Whether it was stopped, or its handle closed.
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Answers no more: its port is free when the call is done.
    pub fn stop(self: &Arc<Self>) -> Call<()> {
        let probes = self.clone();
        Call::start(&self.runtime, async move {
            probes.end().await;
            Ok(())
        })
    }

    pub(super) async fn end(&self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
    }
}

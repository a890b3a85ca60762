//! How handles and workers are to behave, and how long to wait.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use validator::Validate;

use super::rules::{self, Pattern, Queue, positive};
use crate::domain::fault::{Fault, Faults};
use crate::domain::time::seconds;
use crate::engine::EngineOptions;
use crate::engine::error::Result;
use crate::engine::events::Kinds;
use crate::engine::worker::{Wake, WorkerOptions};
use crate::ffi::shared::limits::{Limits, MAX_BYTES, MAX_DEPTH};
use crate::ffi::shared::orchestration_system::Place;
use crate::ffi::shared::probes::ProbeOptions;
use crate::ffi::shared::reading::Input;
use crate::ffi::shared::validation;
use crate::storage::url::{DatabaseUrl, StoreOptions};

/// How a handle behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct HandleOptions {
    /// How long it is valid; `None` for ever.
    pub ttl: Option<Duration>,
    /// How deep and large the free values may be that go through it.
    pub limits: Limits,
}

/// `open`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct OpenInput {
    url: String,
    #[validate(custom(function = "rules::span"))]
    ttl: Option<f64>,
    #[validate(range(min = 1, max = 1_000))]
    pool: Option<i64>,
    #[validate(custom(function = "rules::span"))]
    acquire_timeout: Option<f64>,
    #[validate(custom(function = "rules::span"))]
    lease: Option<f64>,
    #[serde(default)]
    #[validate(custom(function = "rules::span"))]
    retention: Option<f64>,
    #[validate(range(min = 1, max = MAX_DEPTH))]
    max_depth: Option<i64>,
    #[validate(range(min = 1, max = MAX_BYTES))]
    max_context_bytes: Option<i64>,
    #[validate(range(min = 1, max = MAX_BYTES))]
    max_result_bytes: Option<i64>,
}

impl Input for OpenInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl OpenInput {
    /// Which database, and how to hold it.
    ///
    /// # Errors
    /// Everything that breaks its rules; a URL that can't be used.
    pub fn into_place(self) -> Result<(Place, HandleOptions)> {
        self.check()?;
        let (mut store, mut engine, mut limits) =
            (StoreOptions::default(), EngineOptions::default(), Limits::default());
        set(&mut store.pool, self.pool.and_then(|pool| u32::try_from(pool).ok()));
        set(&mut store.acquire_timeout, self.acquire_timeout.and_then(positive));
        set(&mut engine.lease, self.lease.and_then(positive));
        engine.retention = self.retention.and_then(positive);
        set(&mut limits.depth, self.max_depth.and_then(size));
        set(&mut limits.context, self.max_context_bytes.and_then(size));
        set(&mut limits.result, self.max_result_bytes.and_then(size));
        let url = DatabaseUrl::parse(&self.url)?;
        Ok((Place { url, store, engine }, HandleOptions { ttl: self.ttl.and_then(positive), limits }))
    }
}

/// A size that its rule let pass.
fn size(given: i64) -> Option<usize> {
    usize::try_from(given).ok()
}

fn set<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

/// `subscribe`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct SubscribeInput {
    #[validate(nested)]
    patterns: Vec<Pattern>,
    /// The most events that wait to be taken; 10,000 when left out.
    #[serde(default)]
    #[validate(range(min = 1, max = 1_000_000))]
    capacity: Option<i64>,
    #[serde(default)]
    lasting: bool,
}

/// What a subscriber asks for.
#[derive(Debug)]
pub struct Wanted {
    /// The kinds of events.
    pub kinds: Kinds,
    /// The most events that wait to be taken.
    pub capacity: usize,
    /// Whether it outlives the handle, and ends when the last one on its database is closed.
    pub lasting: bool,
}

impl Input for SubscribeInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl SubscribeInput {
    /// What it asks for: all kinds of events where there is no pattern.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_wanted(self) -> Result<Wanted, Faults> {
        self.check()?;
        let kinds = match self.patterns.as_slice() {
            [] => Kinds::matching(["*"])?,
            patterns => Kinds::matching(patterns.iter().map(|pattern| pattern.0.as_str()))?,
        };
        let capacity = self.capacity.and_then(size).unwrap_or(10_000);
        Ok(Wanted { kinds, capacity, lasting: self.lasting })
    }
}

/// `worker`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct WorkerInput {
    #[validate(range(min = 1, max = 1_000))]
    threads: i64,
    #[validate(nested)]
    queues: Option<Vec<Queue>>,
}

impl Input for WorkerInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl WorkerInput {
    /// The worker's options; `wake` is called when there is news, `interrupt` when there is something to interrupt.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_options(self, wake: Wake, interrupt: Wake) -> Result<WorkerOptions, Faults> {
        self.check()?;
        let queues = self.queues.map(|queues| queues.into_iter().map(|queue| queue.0).collect());
        Ok(WorkerOptions { threads: size(self.threads).unwrap_or(1), queues, wake, interrupt })
    }
}

/// `serve_probes`.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct ProbesInput {
    /// The port; 0 for any that is free.
    #[validate(range(min = 0, max = 65_535))]
    port: i64,
    /// The address of an interface; that of this machine alone when left out.
    #[serde(default)]
    bind: Option<String>,
    /// The host's silence from which on the process does not count as alive.
    #[serde(default)]
    #[validate(custom(function = "rules::span"))]
    silence: Option<f64>,
}

impl Input for ProbesInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl ProbesInput {
    /// Where to answer, and how.
    ///
    /// # Errors
    /// Everything that breaks its rules.
    pub fn into_options(self) -> Result<ProbeOptions, Faults> {
        self.check()?;
        let address = match self.bind.as_deref() {
            None => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Some(bind) => bind.parse().map_err(|_| {
                Fault::new(
                    "bind",
                    format!("is the address of an interface, such as 127.0.0.1, 0.0.0.0 or ::, not {bind:?}"),
                )
            })?,
        };
        let port = u16::try_from(self.port).unwrap_or_default();
        Ok(ProbeOptions { address: SocketAddr::new(address, port), silence: self.silence.and_then(positive) })
    }
}

/// How long to wait for something.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct WaitInput {
    #[validate(custom(function = "rules::limit"))]
    timeout: Option<f64>,
}

impl Input for WaitInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl WaitInput {
    /// At most so many seconds; `None` for as long as it takes.
    pub fn at_most(timeout: Option<f64>) -> Self {
        Self { timeout }
    }

    /// The limit.
    ///
    /// # Errors
    /// When it breaks its rule.
    pub fn into_limit(self) -> Result<Option<Duration>, Faults> {
        self.check()?;
        Ok(self.timeout.and_then(seconds))
    }
}

//! The metrics of a process as text, in the form of OpenMetrics, which Prometheus and its kin read.
//!
//! What the process counts by itself is always there; what waits in the database is missing while that does not answer,
//! and `tasker_database_up` is 0.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::timeout;

use super::DATABASE_LIMIT;
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::engine::meters::{BOUNDS, Counted, Ending, Histogram, StepName};
use crate::engine::transactions::look::Waiting;
use crate::engine::worker::{Phase, WorkerStats};
use crate::storage::Store;
use crate::storage::rows::{Backlog, StoreFacts};

/// Everything that is told, as it was at one moment.
#[derive(Debug)]
struct Standing {
    counted: Counted,
    waiting: Option<(Vec<Backlog>, Timestamp)>,
    workers: Vec<WorkerStanding>,
    pool: StoreFacts,
    silent: Option<Duration>,
}

#[derive(Debug)]
struct WorkerStanding {
    threads: usize,
    stats: WorkerStats,
    state: &'static str,
}

/// The states of [`WorkerStanding`].
const STATES: [&str; 3] = ["working", "quiet", "draining"];

/// The metrics of this process, by name; `silent` is for how long the host was not heard of, where that is known.
pub(in crate::ffi::shared) async fn text(engine: &Engine, silent: Option<Duration>) -> String {
    let waiting = timeout(DATABASE_LIMIT, engine.store().read(Waiting {})).await;
    let workers = engine.workers().into_iter().map(|worker| {
        let state = match worker.phase() {
            Phase::Working if worker.is_quiet() => "quiet",
            Phase::Working => "working",
            _ => "draining",
        };
        WorkerStanding { threads: worker.threads(), stats: worker.stats(), state }
    });
    let standing = Standing {
        counted: engine.meters().read(engine.catalog()),
        waiting: waiting.ok().and_then(Result::ok),
        workers: workers.collect(),
        pool: engine.store().facts(),
        silent,
    };
    let mut registry = Registry::with_prefix("tasker");
    registry.register_collector(Box::new(standing));
    let mut text = String::new();
    // Writing into memory fails only where a value refuses to be written.
    match encode(&mut text, &registry) {
        Ok(()) => text,
        Err(_) => "# the metrics could not be written\n# EOF\n".to_owned(),
    }
}

impl Collector for Standing {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.steps(&mut encoder)?;
        self.queues(&mut encoder)?;
        self.losses(&mut encoder)?;
        self.threads(&mut encoder)?;
        self.database(&mut encoder)
    }
}

impl Standing {
    fn steps(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Attempts whose end was recorded, by what they brought their step to";
        let mut family = encoder.encode_descriptor("steps", help, None, MetricType::Counter)?;
        for (name, counts) in &self.counted.steps {
            for (ending, count) in Ending::ALL.iter().zip(counts.endings) {
                let [namespace, template, step] = labels(name);
                counter(&mut family, &[namespace, template, step, ("outcome", ending.as_str())], count)?;
            }
        }
        let help = "Attempts that ran out of time";
        let mut family = encoder.encode_descriptor("step_timeouts", help, None, MetricType::Counter)?;
        for (name, counts) in &self.counted.steps {
            counter(&mut family, &labels(name), counts.timeouts)?;
        }
        let help = "How long handlers had their steps";
        let mut family =
            encoder.encode_descriptor("step_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (name, counts) in &self.counted.steps {
            histogram(&mut family, &labels(name), &counts.took)?;
        }
        Ok(())
    }

    fn queues(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "How long steps were ready before a thread of this process took them";
        let mut family =
            encoder.encode_descriptor("queue_latency", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (queue, waits) in &self.counted.waits {
            histogram(&mut family, &[("queue", queue.as_str())], waits)?;
        }
        let Some((backlog, now)) = &self.waiting else { return Ok(()) };
        let help = "Steps in the database that any process may claim";
        let mut family = encoder.encode_descriptor("ready_steps", help, None, MetricType::Gauge)?;
        for waiting in backlog {
            gauge(&mut family, &[("queue", waiting.queue.as_str())], waiting.steps as f64)?;
        }
        let help = "For how long the one of them has waited that has waited the longest";
        let mut family = encoder.encode_descriptor("ready_oldest", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for waiting in backlog {
            let waited = waiting.since.map_or(Duration::ZERO, |since| now.since(since));
            gauge(&mut family, &[("queue", waiting.queue.as_str())], waited.as_secs_f64())?;
        }
        Ok(())
    }

    fn losses(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, count) in [
            (
                "late_reports",
                "Results that were not recorded: their steps were not this process's any more",
                self.counted.late,
            ),
            (
                "leases_lost",
                "Times that others ended this process's session: it was not renewed in time",
                self.counted.sessions_lost,
            ),
            (
                "steps_recovered",
                "Steps of processes that ended without a word, given back by this one",
                self.counted.recovered,
            ),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            metric.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
        }
        Ok(())
    }

    fn threads(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let sum = |of: fn(&WorkerStanding) -> usize| self.workers.iter().map(of).sum::<usize>() as f64;
        let mut family = encoder.encode_descriptor("workers", "Workers of this process", None, MetricType::Gauge)?;
        for state in STATES {
            let count = self.workers.iter().filter(|worker| worker.state == state).count();
            gauge(&mut family, &[("state", state)], count as f64)?;
        }
        for (name, help, value) in [
            ("worker_threads", "Threads of this process that run steps", sum(|worker| worker.threads)),
            ("worker_threads_busy", "Those of them that have a step", sum(|worker| worker.stats.running)),
            (
                "claimed_steps",
                "Steps that this process holds and no thread has taken yet",
                sum(|worker| worker.stats.queued),
            ),
        ] {
            single(encoder, name, help, value)?;
        }
        let Some(silent) = self.silent else { return Ok(()) };
        let help = "Since the threads of the host were heard of";
        let mut metric = encoder.encode_descriptor("host_silent", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        metric.encode_gauge(&silent.as_secs_f64())
    }

    fn database(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let up = if self.waiting.is_some() { 1.0 } else { 0.0 };
        single(encoder, "database_up", "Whether the database answered", up)?;
        let help = "Connections of this process to the database";
        let mut family = encoder.encode_descriptor("pool_connections", help, None, MetricType::Gauge)?;
        let used = self.pool.size.saturating_sub(self.pool.idle);
        for (state, count) in [("used", used), ("idle", self.pool.idle)] {
            gauge(&mut family, &[("state", state)], count.into())?;
        }
        single(encoder, "pool_connections_max", "How many there may be", self.pool.max.into())?;
        let mut metric = encoder.encode_descriptor("build", "What runs", None, MetricType::Info)?;
        metric.encode_info(&[("version", env!("CARGO_PKG_VERSION")), ("backend", self.pool.backend)])
    }
}

fn labels(name: &StepName) -> [(&str, &str); 3] {
    [("namespace", &name.namespace), ("template", &name.template), ("step", &name.step)]
}

fn counter(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, count: u64) -> fmt::Result {
    family.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)
}

fn gauge(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, value: f64) -> fmt::Result {
    family.encode_family(labels)?.encode_gauge(&value)
}

fn single(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

fn histogram(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, taken: &Histogram) -> fmt::Result {
    let bounds = BOUNDS.iter().copied().chain([f64::MAX]);
    let buckets: Vec<(f64, u64)> = bounds.zip(taken.counts).collect();
    let count = taken.counts.iter().sum();
    family.encode_family(labels)?.encode_histogram::<NoLabelSet>(taken.sum.as_secs_f64(), count, &buckets, None)
}

//! The engine of tasker_core: durable **tasks** made of **steps** that depend on one another.
//!
//! It stores every fact in SQL, decides what may run, hands it out, records what came back,
//! retries and recovers. It knows no host language: an adapter (such as `ext/tasker_core`, Ruby's)
//! converts values, wraps handles and waits.
//!
//! Where to start:
//!
//! * [`domain`]: what a task *is*. Pure functions of values: states, graph, retry, templates.
//! * [`storage`]: where it lives. One [`storage::Store`] trait, two databases.
//! * [`engine`]: what happens to it. The transactions, the worker, the sweeps.
//! * [`ffi`]: what any host language needs of all that.
//!
//! Arrows point one way: `ffi → engine → storage → domain`. Beside them, and knowing none of them:
//! [`panics`] as values, [`troubles`] that no caller could be told, [`fault_points`] for tests.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod domain;
pub mod engine;
pub mod fault_points;
pub mod ffi;
pub mod panics;
pub mod storage;
pub mod troubles;

//! The boundary, seen from Rust.
//!
//! * [`orchestration_handle`]: the user's hold on one open engine; every operation starts here;
//!   [`handle_info`]: what it says about itself.
//! * [`orchestration_system`]: one engine for each database and process.
//! * [`process`]: the Tokio runtime of this process. [`forks`]: what a fork needs. [`call`]: an operation under way;
//!   [`started_worker`]: what one of them brings, and must not be lost.
//! * [`signal`]: how Rust wakes a host's thread. [`types`]: inputs and outputs.
//! * [`probes`]: how a process is, for those who watch it over HTTP.
//! * [`event_bridge`]: from what was committed to a host's subscribers.
//! * [`reading`]: how an input is read until all its faults are known, with [`errors`], [`path`],
//!   [`nested`] and [`blank`]; an adapter brings the deserializer of its values. [`json_text`] is one
//!   for text. [`json_quote`]: strings into JSON. [`validation`]: declared rules. [`limits`]: how deep and large free values may be.

pub mod blank;
pub mod call;
pub mod errors;
pub mod event_bridge;
pub mod forks;
pub mod handle_info;
pub mod json_quote;
pub mod json_text;
pub mod limits;
pub mod nested;
pub mod orchestration_handle;
pub mod orchestration_system;
pub mod path;
pub mod probes;
pub mod process;
pub mod reading;
pub mod signal;
pub mod started_worker;
pub mod types;
pub mod validation;

//! The boundary, seen from Rust.
//!
//! * [`orchestration_handle`]: the user's hold on one open engine; every operation starts here;
//!   [`handle_info`]: what it says about itself.
//! * [`orchestration_system`]: one engine for each database and process; what a fork needs.
//! * [`process`]: the Tokio runtime of this process. [`call`]: an operation under way.
//! * [`signal`]: how Rust wakes a host's thread. [`types`]: inputs; [`views`]: outputs.
//! * [`event_bridge`]: from what was committed to a host's subscribers.
//! * [`errors`]: faults of typed inputs, with paths.

pub mod call;
pub mod errors;
pub mod event_bridge;
pub mod handle_info;
pub mod orchestration_handle;
pub mod orchestration_system;
pub mod process;
pub mod signal;
pub mod types;
pub mod views;

//! What any host language needs, and nothing of any one language.
//!
//! [`shared`] has the handle, the runtime, calls that a host's thread can wait for without
//! blocking, and the typed inputs and outputs. An adapter converts, wraps and waits. [`testing`] has
//! what test suites of a host's users are built with.

pub mod shared;
pub mod testing;

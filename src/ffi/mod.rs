//! What any host language needs, and nothing of any one language.
//!
//! [`shared`] has the handle, the runtime, calls that a host's thread can wait for without
//! blocking, and the typed inputs and outputs. An adapter converts, wraps and waits.

pub mod shared;

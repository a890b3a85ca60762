//! What test suites of a host's users are built with.

#[path = "../support/mod.rs"]
mod support;

mod factories;
mod lone_steps;
mod names;
mod patterns;

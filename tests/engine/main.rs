//! The engine through its handle, on every database: what a host language's users would notice.

#[path = "../support/transaction.rs"]
#[macro_use]
mod transaction;
#[path = "../support/mod.rs"]
mod support;

mod creation;
mod failures;
mod handles;
mod helpers;
mod revocation;
mod running;
mod summing;
mod tasks;
mod templates;
mod waited;
mod workers;

//! What is SQLite's own in `SqliteStore`: its file, its one writer, its SQL. What every store
//! must do is in the conformance suite.

#[path = "../support/transaction.rs"]
#[macro_use]
mod transaction;

mod failures;
mod file;
mod support;
mod writer;

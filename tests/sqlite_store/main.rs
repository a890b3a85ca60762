//! What is SQLite's own in `SqliteStore`: its file, its one writer, its SQL. What every store
//! must do is in the conformance suite.

mod failures;
mod file;
mod primitives;
mod support;
mod writer;

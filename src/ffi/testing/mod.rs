//! What test suites of a host's users are built with: test data that is made in one call, runs on the
//! real engine, and goes when the test has ended.
//!
//! * [`factories`]: what was made through one handle, the clock that was moved, and how both go back.
//! * [`patterns`]: the shapes of workflows: linear, diamond, parallel, tree, dense.
//! * [`database_name`]: which databases may be used so.
//! * [`lone_step`]: one step as its handler sees it, without a database. [`commit`]: what a bare commit costs.

pub mod commit;
pub mod database_name;
pub mod factories;
pub mod lone_step;
pub mod patterns;

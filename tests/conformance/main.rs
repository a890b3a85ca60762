//! What every store must do, each test on every database. It sees nothing but the traits `Store`
//! and `Tx`: a third store is added to `on_each_database!` and to [`support::behind`], and runs all of it.
//!
//! * [`bench`]: a fresh database and a clock to move. [`calls`]: each primitive as a transaction.
//! * One module a theme: [`opening`], [`transactions`], [`sessions`], [`templates`], [`creation`],
//!   [`queue`], [`contention`], [`settlement`], [`decisions`], [`items`], [`operations`], [`reading`], [`finding`],
//!   [`statistics`], [`deletion`], [`purging`], [`pauses`], [`limits`].
//! * [`differential`]: the engine's own transactions at random, on two databases side by side.

#[path = "../support/transaction.rs"]
#[macro_use]
mod transaction;
#[path = "../support/mod.rs"]
mod support;

#[macro_use]
mod bench;
mod calls;

mod contention;
mod creation;
mod decisions;
mod deletion;
mod differential;
mod finding;
mod items;
mod limits;
mod opening;
mod operations;
mod pauses;
mod purging;
mod queue;
mod reading;
mod sessions;
mod settlement;
mod statistics;
mod templates;
mod transactions;

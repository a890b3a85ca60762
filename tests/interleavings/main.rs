//! Transactions on PostgreSQL that meet, each stepped to where the other gets in between.

#[path = "../support/mod.rs"]
mod support;
#[macro_use]
#[path = "../support/transaction.rs"]
mod transaction;

mod gaps;
mod invariants;
mod limits;
mod recovery;
mod resending;
mod stepping;
mod storm;

//! Input of any kind at random: whatever it is, reading it ends soon, takes no memory out of proportion, and gives a value
//! or faults, never a panic. No database.
//!
//! `TASKER_CASES=1000000 cargo test --release --test hostile` tries a million of each; `TASKER_SEED=…` tries the same again.

mod bounds;
mod contexts;
mod json;
mod templates;
mod urls;

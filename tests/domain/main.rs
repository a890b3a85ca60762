//! What a task is, without a database: what is said of one, tables of states, backoff, graphs, templates, faults, URLs.

mod analysis;
mod branches;
mod differences;
mod drawings;
mod fan_out;
mod graphs;
#[path = "../support/growth.rs"]
mod growth;
mod identities;
mod limits;
mod operations;
mod schemas;
mod states;
mod templates;
mod urls;
mod values;

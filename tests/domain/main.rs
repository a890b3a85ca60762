//! What a task is, without a database: tables of states, backoff, graphs, templates, faults, URLs.

mod graphs;
mod schemas;
mod states;
mod templates;
mod urls;
mod values;

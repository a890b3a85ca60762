//! What a task **is**: pure values and functions, with no I/O, no clock and no SQL.
//!
//! * [`state`]: the two state tables and [`state::StepState::settle`], which alone decides a move.
//! * [`operation`]: what may be asked of tasks and steps by hand, and what that comes to.
//! * [`template`]: the definition of a task, normalised and validated; [`graph`] its DAG, [`branches`] its
//!   decisions, [`fan_out`] its steps that are done for each item of a list.
//! * [`analysis`]: what steps and edges say about a task.
//! * [`drawing`]: graphs as pictures.
//! * [`retry`]: attempts and backoff. [`schema`]: JSON Schema of inputs and results.
//! * [`identity`]: what makes two tasks the same; [`canonical`]: what makes two JSON values the same;
//!   [`search`]: what tasks are found by.
//! * [`limit`]: how many attempts may run at once.
//! * [`id`], [`time`], [`json`]: the small types everything else is made of.
//! * [`fault`]: what is wrong with an input, where, and what was expected.

pub mod analysis;
pub mod branches;
pub mod canonical;
pub mod drawing;
pub mod fan_out;
pub mod fault;
pub mod graph;
pub mod id;
pub mod identity;
pub mod json;
pub mod limit;
pub mod operation;
pub mod retry;
pub mod schema;
pub mod search;
pub mod state;
pub mod template;
pub mod time;

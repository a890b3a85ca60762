//! The engine's transactions, each written once over the primitives of [`Tx`](crate::storage::Tx).
//!
//! * [`register`]: a template version and its settings.
//! * [`create`]: tasks with their steps, and what an idle worker of this process may take at once.
//! * [`settle`]: what came back, what that releases, and the next claim. The hot one.
//! * [`verdict`]: what becomes of one step; [`apply`] writes that, [`children`] what it means to those that need
//!   it; [`intake`] takes claimed steps in, [`work`] says what there is to do for each; [`expand`] makes the steps
//!   of a list's items.
//! * [`operate`]: what people ask of one task by hand; [`taken`] is the task in hand, [`tried`] what was written of it
//!   without an answer.
//! * [`limits`]: which claimed steps may run, and which have to wait for others of their key.
//! * [`outbox`]: tasks that applications asked for in their own transactions.
//! * [`sessions`]: open, renew, sweep and recover. [`checkpoints`]: what handlers save on their way.
//! * [`annotate`]: remarks on tasks.
//! * [`purge`]: tasks that ended long ago go. [`pauses`]: queues that are paused.
//! * [`look`] reads. [`analyse`] reads what there is to say of a task, [`sum_up`] of many. [`remove`] makes tests clean up after themselves.

pub mod analyse;
pub mod annotate;
pub mod apply;
pub mod checkpoints;
mod children;
pub mod create;
mod expand;
pub mod history;
pub mod intake;
pub mod limits;
pub mod look;
pub mod operate;
pub mod outbox;
pub mod pauses;
pub mod purge;
pub mod register;
pub mod remove;
pub mod sessions;
pub mod settle;
pub mod sum_up;
mod taken;
pub mod tried;
pub mod verdict;
pub mod work;

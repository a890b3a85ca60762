//! The Ruby adapter: it converts, wraps and waits, and decides nothing.
//!
//! * [`convert`]: Ruby values into typed structs and JSON text, and back.
//! * [`call`], [`signal`]: how a Ruby thread waits for Rust: in Ruby, interruptibly.
//! * One file for each Ruby class, named after it, with an `init` that lists its methods:
//!   [`handle`], [`worker`], [`assignment`], [`subscription`], [`probes`], and the snapshots [`task`], [`step`],
//!   [`transition`], [`annotation`], [`event`], [`handle_info`], which every Ractor may read: [`raw`]. [`burden`]: what they weigh.
//! * [`operations`]: what people do by hand.
//! * [`performance`]: what is asked of a handle about how things go.
//! * [`fork`], [`check`], [`drawing`]: functions of the module `TaskerCore::Native`. [`testing`]: what `TaskerCore::Testing` needs;
//!   [`bench`]: what measurements call.
//! * `faults`: what tests make go wrong, where the feature is on.
//! * [`errors`]: the engine's errors as Ruby's. [`names`]: what a value is called in a message.
//!
//! What is under `TaskerCore::Native` is private to the gem; `lib/` is what users see.

#![deny(unsafe_code)]

mod annotation;
mod assignment;
mod bench;
mod burden;
mod call;
mod check;
mod convert;
mod drawing;
mod errors;
mod event;
#[cfg(feature = "fault_points")]
mod faults;
mod fork;
mod handle;
mod handle_info;
mod names;
mod operations;
mod outbox;
mod performance;
mod probes;
mod raw;
mod signal;
mod step;
mod subscription;
mod task;
mod testing;
mod transition;
mod worker;

use magnus::prelude::*;
use magnus::{Error, Ruby, TypedData};

#[magnus::init]
fn init(ruby: &Ruby) -> Result<(), Error> {
    let module = ruby.define_module("TaskerCore")?;
    let native = module.define_module("Native")?;
    errors::init(ruby);
    convert::keys::init(ruby);
    convert::output::init(ruby);
    signal::init(ruby, native)?;
    call::init(ruby, native)?;
    handle::init(ruby, native)?;
    outbox::init(ruby, native)?;
    worker::init(ruby, native)?;
    assignment::init(ruby, native)?;
    subscription::init(ruby, native)?;
    probes::init(ruby, native)?;
    task::init(ruby, module)?;
    step::init(ruby, module)?;
    transition::init(ruby, module)?;
    annotation::init(ruby, module)?;
    event::init(ruby, module)?;
    handle_info::init(ruby, module)?;
    #[cfg(feature = "fault_points")]
    faults::init(native)?;
    fork::init(native)?;
    check::init(native)?;
    drawing::init(native)?;
    testing::init(ruby, native)?;
    bench::init(ruby, native)?;
    look_up_classes(ruby);
    Ok(())
}

/// Has the class of every wrapped struct looked up while nothing else runs: magnus does it on first
/// use, under a lock, by calling Ruby, which may run another thread that then waits for that lock
/// with Ruby's own in its hands.
fn look_up_classes(ruby: &Ruby) {
    signal::Signal::class(ruby);
    call::Call::class(ruby);
    handle::Handle::class(ruby);
    outbox::Prepared::class(ruby);
    worker::Worker::class(ruby);
    assignment::Assignment::class(ruby);
    task::Task::class(ruby);
    step::Step::class(ruby);
    transition::Transition::class(ruby);
    annotation::Annotation::class(ruby);
    subscription::Subscription::class(ruby);
    probes::Probes::class(ruby);
    event::Event::class(ruby);
    handle_info::HandleInfo::class(ruby);
    bench::Bench::class(ruby);
    testing::Factories::class(ruby);
}

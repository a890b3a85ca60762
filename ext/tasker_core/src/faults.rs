//! Faults on purpose, as functions of `TaskerCore::Native`: with the feature `fault_points` only.

use std::time::Duration;

use magnus::prelude::*;
use magnus::{Error, RArray, RHash, RModule, Ruby, function};
use tasker_core::domain::fault::Fault;
use tasker_core::fault_points::{self, Action, Point};

use crate::convert::output::strings;
use crate::errors::Failure;

/// Has `action` happen the next `times` that the point is reached.
fn arm(name: String, action: String, times: usize, seconds: f64) -> Result<(), Failure> {
    fault_points::arm(point(&name)?, action_of(&action, seconds)?, times);
    Ok(())
}

/// Has `action` happen once, when the point was reached `passing` times without it.
fn arm_later(name: String, action: String, passing: usize, seconds: f64) -> Result<(), Failure> {
    fault_points::arm_later(point(&name)?, action_of(&action, seconds)?, passing);
    Ok(())
}

fn point(name: &str) -> Result<Point, Failure> {
    let point = Point::ALL.iter().copied().find(|point| point.name() == name);
    point.ok_or_else(|| Fault::new("name", format!("there is no fault point {name:?}")).into())
}

/// `panic`, `error`, `abort`, or `delay`, which takes `seconds`.
fn action_of(name: &str, seconds: f64) -> Result<Action, Failure> {
    Ok(match name {
        "panic" => Action::Panic,
        "error" => Action::Error,
        "delay" => Action::Delay(Duration::try_from_secs_f64(seconds).unwrap_or_default()),
        "abort" => Action::Abort,
        _ => return Err(Fault::new("action", format!("there is no action {name:?}")).into()),
    })
}

/// The names of the points that a backend has; of all of them where it is nil.
fn points(ruby: &Ruby, backend: Option<String>) -> Result<RArray, Error> {
    let there =
        |point: &&Point| backend.is_none() || point.store().is_none_or(|store| Some(store) == backend.as_deref());
    strings(ruby, Point::ALL.iter().filter(there).map(|point| point.name()))
}

/// How often this process has reached each point, by name.
fn reached(ruby: &Ruby) -> Result<RHash, Error> {
    let counts = ruby.hash_new();
    for point in Point::ALL {
        counts.aset(point.name(), fault_points::reached(*point))?;
    }
    Ok(counts)
}

pub fn init(native: RModule) -> Result<(), Error> {
    native.define_singleton_method("arm_fault", function!(arm, 4))?;
    native.define_singleton_method("arm_fault_later", function!(arm_later, 4))?;
    native.define_singleton_method("faults_reached", function!(reached, 0))?;
    native.define_singleton_method("disarm_faults", function!(fault_points::disarm, 0))?;
    native.define_singleton_method("faults_left", function!(fault_points::left, 0))?;
    native.define_singleton_method("fault_points", function!(points, 1))
}

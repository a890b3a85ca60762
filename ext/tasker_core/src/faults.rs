//! Faults on purpose, as functions of `TaskerCore::Native`: with the feature `fault_points` only.

use std::time::Duration;

use magnus::prelude::*;
use magnus::{Error, RArray, RModule, Ruby, function};
use tasker_core::domain::fault::Fault;
use tasker_core::fault_points::{self, Action, Point};

use crate::convert::output::strings;
use crate::errors::Failure;

/// Has `action` (`panic`, `error` or `delay`, which takes `seconds`) happen the next `times` that
/// the point is reached.
fn arm(name: String, action: String, times: usize, seconds: f64) -> Result<(), Failure> {
    let point = Point::ALL.into_iter().find(|point| point.name() == name);
    let point = point.ok_or_else(|| Fault::new("name", format!("there is no fault point {name:?}")))?;
    let action = match action.as_str() {
        "panic" => Action::Panic,
        "error" => Action::Error,
        "delay" => Action::Delay(Duration::try_from_secs_f64(seconds).unwrap_or_default()),
        _ => return Err(Fault::new("action", format!("there is no action {action:?}")).into()),
    };
    fault_points::arm(point, action, times);
    Ok(())
}

/// The names of all points.
fn points(ruby: &Ruby) -> Result<RArray, Error> {
    strings(ruby, Point::ALL.map(Point::name))
}

pub fn init(native: RModule) -> Result<(), Error> {
    native.define_singleton_method("arm_fault", function!(arm, 4))?;
    native.define_singleton_method("disarm_faults", function!(fault_points::disarm, 0))?;
    native.define_singleton_method("faults_left", function!(fault_points::left, 0))?;
    native.define_singleton_method("fault_points", function!(points, 0))
}

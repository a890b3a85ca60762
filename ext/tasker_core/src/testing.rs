//! `TaskerCore::Native::Factories`, what a suite made through one handle; and, as functions of
//! `TaskerCore::Native`, the shapes of workflows and a step without a database.

use magnus::prelude::*;
use magnus::{Error, RArray, RHash, RModule, Ruby, Value, function, method};
use tasker_core::domain::json::Json;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::path::Segment;
use tasker_core::ffi::testing::factories::{AdvanceInput, Factories as CoreFactories, TemplateKey};
use tasker_core::ffi::testing::lone_step::LoneStepInput;
use tasker_core::ffi::testing::patterns::PatternInput;

use crate::assignment::Assignment;
use crate::call::Call;
use crate::convert::input::FromRHash;
use crate::convert::json_in::to_json;
use crate::convert::json_out::to_ruby;
use crate::convert::output::{Record, strings, time};
use crate::errors::{Failure, guarded};
use crate::handle::Handle;

#[magnus::wrap(class = "TaskerCore::Native::Factories", free_immediately, size)]
pub struct Factories(CoreFactories);

impl Factories {
    fn on(handle: &Handle, force: bool) -> Result<Self, Failure> {
        guarded(|| Ok(Self(CoreFactories::on(handle.core().clone(), force)?)))
    }

    fn note_template(&self, key: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let noted = self.0.note_template(TemplateKey::from_rhash(key, &Limits::default())?);
            Ok(Call::new(noted, |ruby, is_new| Ok(ruby.into_value(is_new))))
        })
    }

    fn note_task(&self, id: String) -> Result<(), Failure> {
        guarded(|| Ok(self.0.note_task(&id)?))
    }

    fn now(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Call::new(self.0.now(), |ruby, now| Ok(time(ruby, now)?))))
    }

    fn advance(&self, input: RHash) -> Result<Call, Failure> {
        guarded(|| {
            let (span, back) = AdvanceInput::from_rhash(input, &Limits::default())?.into_span()?;
            Ok(Call::new(self.0.advance(span, back), |ruby, now| Ok(time(ruby, now)?)))
        })
    }

    fn clean_up(&self) -> Result<Call, Failure> {
        guarded(|| Ok(Call::unit(self.0.clean_up())))
    }
}

/// The steps of a pattern: Hashes with `name`, `layer` and `depends_on`.
fn pattern_steps(ruby: &Ruby, input: RHash) -> Result<RArray, Failure> {
    guarded(|| {
        let steps = ruby.ary_new();
        for step in PatternInput::from_rhash(input, &Limits::default())?.steps()? {
            let depends_on = strings(ruby, step.depends_on.iter().map(String::as_str))?;
            let record = Record::new(ruby).set("name", step.name)?.set("layer", step.layer)?;
            steps.push(record.set("depends_on", depends_on)?.frozen())?;
        }
        Ok(steps)
    })
}

/// A step that nobody claimed, behind a StepContext.
fn lone_step(input: RHash) -> Result<Assignment, Failure> {
    guarded(|| Ok(Assignment::new(LoneStepInput::from_rhash(input, &Limits::default())?.into_ticket()?)))
}

/// Keeps a checkpoint of a step that nobody claimed.
fn lone_checkpoint(assignment: &Assignment, value: Value) -> Result<(), Failure> {
    guarded(|| {
        let limits = Limits::default();
        let value = to_json(value, limits.result, &limits);
        let value = value.map_err(|error| error.at(Segment::Key("checkpoint".into())))?;
        assignment.slot().set(Json::from_trusted(value));
        Ok(())
    })
}

/// What a step that depends on this one would see of a result: the same checks, the same way in and out.
fn lone_result(ruby: &Ruby, assignment: &Assignment, result: Value) -> Result<Value, Failure> {
    guarded(|| {
        let limits = Limits::default();
        let json = to_json(result, limits.result, &limits).map_err(|error| error.at(Segment::Key("result".into())))?;
        let json = Json::from_trusted(json);
        assignment.returned(json.clone())?;
        assignment.check_result(&json)?;
        to_ruby(ruby, &json)
    })
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Factories", ruby.class_object())?;
    class.define_singleton_method("on", function!(Factories::on, 2))?;
    class.define_method("note_template", method!(Factories::note_template, 1))?;
    class.define_method("note_task", method!(Factories::note_task, 1))?;
    class.define_method("now", method!(Factories::now, 0))?;
    class.define_method("advance", method!(Factories::advance, 1))?;
    class.define_method("clean_up", method!(Factories::clean_up, 0))?;
    native.define_singleton_method("pattern_steps", function!(pattern_steps, 1))?;
    native.define_singleton_method("lone_step", function!(lone_step, 1))?;
    native.define_singleton_method("lone_checkpoint", function!(lone_checkpoint, 2))?;
    native.define_singleton_method("lone_result", function!(lone_result, 2))
}

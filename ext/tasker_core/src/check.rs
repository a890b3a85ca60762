//! Checks without a handle, as functions of `TaskerCore::Native`.

use magnus::prelude::*;
use magnus::{Error, RArray, RHash, RModule, RString, Ruby, Value, function};
use tasker_core::domain::fault::hint;
use tasker_core::domain::template::{Template, TemplateInput};
use tasker_core::engine::error::EngineError;
use tasker_core::ffi::shared::limits::Limits;
use tasker_core::ffi::shared::orchestration_handle::OrchestrationHandle;
use tasker_core::ffi::shared::reading::Input;
use tasker_core::ffi::shared::types::{ExamineInput, ListTasksInput, WorkerInput};
use tasker_core::storage::postgres::scripts;
use tasker_core::storage::url::DatabaseUrl;

use crate::call::Call;
use crate::convert::input::FromRHash;
use crate::convert::output::strings;
use crate::convert::record::record;
use crate::errors::{Failure, guarded};
use crate::names::shown;

/// Checks a template; gives its namespace, name and version.
pub fn key_of(ruby: &Ruby, template: TemplateInput) -> Result<RArray, Failure> {
    let template = Template::build(template)?;
    Ok(strings(ruby, [template.namespace.as_str(), template.name.as_str(), template.version.as_str()])?)
}

/// Checks a template that is for no handle, within the usual limits.
fn check_template(ruby: &Ruby, template: RHash) -> Result<RArray, Failure> {
    guarded(|| key_of(ruby, TemplateInput::from_rhash(template, &Limits::default())?))
}

/// What the database of a URL is, told without changing it.
fn examine(input: RHash) -> Result<Call, Failure> {
    guarded(|| {
        let (url, commits) = ExamineInput::from_rhash(input, &Limits::default())?.into_question()?;
        Ok(Call::new(OrchestrationHandle::examine(url, commits)?, |ruby, found| record(ruby, &found)))
    })
}

/// Checks a database URL.
fn check_url(url: Value) -> Result<(), Failure> {
    guarded(|| {
        let wrong = || EngineError::Configuration(format!("a database URL is a String, not {}", shown(url)));
        let text = RString::from_value(url).ok_or_else(wrong)?.to_string()?;
        DatabaseUrl::parse(&text).map_err(EngineError::from)?;
        Ok(())
    })
}

/// A database URL for people: no password in it.
fn redacted_url(url: String) -> Result<String, Failure> {
    guarded(|| Ok(DatabaseUrl::parse(&url).map_or_else(|_| "no database URL".into(), |url| url.redacted())))
}

fn check_filter(filter: RHash) -> Result<(), Failure> {
    guarded(|| {
        ListTasksInput::from_rhash(filter, &Limits::default())?.into_page()?;
        Ok(())
    })
}

/// Checks a worker's options.
fn check_worker(options: RHash) -> Result<(), Failure> {
    guarded(|| Ok(WorkerInput::from_rhash(options, &Limits::default())?.check()?))
}

/// What brings a PostgreSQL schema to this version, for who has a connection of his own.
fn postgres_scripts(ruby: &Ruby) -> Result<RArray, Error> {
    let found = scripts();
    let array = ruby.ary_new();
    array.push(ruby.str_new(found.lock))?;
    array.push(ruby.str_new(found.versions))?;
    array.push(strings(ruby, found.migrations.iter().copied())?)?;
    Ok(array)
}

/// What a value is called in a message; none of its methods is called.
fn shown_value(value: Value) -> String {
    shown(value)
}

/// ` (did you mean "…"?)` for the nearest of `names`, or a list of them.
fn hint_for(wrong: String, names: RArray) -> Result<String, Failure> {
    guarded(|| {
        let names: Vec<String> = names.to_vec()?;
        Ok(hint(&wrong, names.iter().map(String::as_str)))
    })
}

pub fn init(native: RModule) -> Result<(), Error> {
    native.define_singleton_method("check_template", function!(check_template, 1))?;
    native.define_singleton_method("examine", function!(examine, 1))?;
    native.define_singleton_method("check_url", function!(check_url, 1))?;
    native.define_singleton_method("redacted_url", function!(redacted_url, 1))?;
    native.define_singleton_method("check_filter", function!(check_filter, 1))?;
    native.define_singleton_method("check_worker", function!(check_worker, 1))?;
    native.define_singleton_method("postgres_scripts", function!(postgres_scripts, 0))?;
    native.define_singleton_method("shown", function!(shown_value, 1))?;
    native.define_singleton_method("hint", function!(hint_for, 2))
}

//! `TaskerCore::Native::Assignment`: a step that a thread has taken, behind a StepContext.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use magnus::prelude::*;
use magnus::{Error, RArray, RHash, RModule, Ruby, Value, method};
use tasker_core::domain::fan_out;
use tasker_core::domain::fault::{Fault, Faults, hint};
use tasker_core::domain::id::StepIndex;
use tasker_core::domain::json::Json;
use tasker_core::engine::transactions::intake::Assignment as CoreAssignment;
use tasker_core::engine::transactions::verdict::Outcome;
use tasker_core::engine::transactions::work::Work;
use tasker_core::engine::worker::Ticket;

use crate::convert::json_out::{to_ruby, to_ruby_or_nil};
use crate::convert::output::strings;
use crate::errors::{Failure, guarded};

#[magnus::wrap(class = "TaskerCore::Native::Assignment", free_immediately, size)]
pub struct Assignment {
    ticket: Ticket,
    checkpoint: Checkpoint,
    /// The branches that the handler has chosen so far.
    route: Mutex<BTreeSet<StepIndex>>,
}

/// What the step's handler, or that of an earlier attempt, saved last.
#[derive(Clone)]
pub struct Checkpoint(Arc<Mutex<Option<Json>>>);

impl Checkpoint {
    pub fn set(&self, value: Json) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    fn get(&self) -> Option<Json> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Assignment {
    pub fn new(ticket: Ticket) -> Self {
        let checkpoint = Checkpoint(Arc::new(Mutex::new(ticket.assignment.checkpoint.clone())));
        Self { ticket, checkpoint, route: Mutex::default() }
    }

    fn core(&self) -> &CoreAssignment {
        &self.ticket.assignment
    }

    pub fn number(&self) -> u64 {
        self.ticket.number
    }

    /// Holds a result against the step's output schema, if it has one.
    pub fn check_result(&self, result: &Json) -> Result<(), Faults> {
        self.core().step().map_or(Ok(()), |step| step.check_result(result))
    }

    /// Where a new checkpoint is kept.
    pub fn slot(&self) -> Checkpoint {
        self.checkpoint.clone()
    }

    fn checkpoint(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        to_ruby_or_nil(ruby, this.checkpoint.get().as_ref())
    }

    /// Chooses one more of the step's branches.
    fn choose(&self, branch: String) -> Result<(), Failure> {
        guarded(|| {
            let chosen = self.core().task.template().branch(self.index(), &branch)?;
            self.route.lock().unwrap_or_else(PoisonError::into_inner).insert(chosen);
            Ok(())
        })
    }

    fn chosen(&self) -> Vec<StepIndex> {
        self.route.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// The names of the branches that were chosen so far.
    fn route(ruby: &Ruby, this: &Self) -> Result<RArray, Failure> {
        Ok(strings(ruby, this.core().task.template().names(&this.chosen()))?)
    }

    /// What it means that the handler, or what makes the list or the key, returned this.
    ///
    /// # Errors
    /// When it had to choose a branch and did not, or to make a list and did not.
    pub fn returned(&self, result: Json) -> Result<Outcome, Fault> {
        if self.is_key() {
            return Ok(Outcome::Keyed(result));
        }
        if self.is_list() {
            return fan_out::items(&result, &[]).map(Outcome::Expanded);
        }
        let route = self.chosen();
        self.core().task.template().check_route(self.index(), &route)?;
        Ok(if route.is_empty() { Outcome::Succeeded(result) } else { Outcome::Decided(result, route) })
    }

    fn task_id(&self) -> String {
        self.core().row.key.task.to_string()
    }

    fn run(&self) -> i32 {
        self.core().task.head.run
    }

    fn index(&self) -> u32 {
        self.core().row.key.index
    }

    fn step_name(&self) -> String {
        self.core().step_name().into_owned()
    }

    /// The name under which its handler is registered: an item's step has that of its group.
    fn definition_name(&self) -> &str {
        self.core().step().map_or("", |step| step.name.as_str())
    }

    /// Whether a list is to be made, in place of running the handler.
    fn is_list(&self) -> bool {
        matches!(self.core().work, Work::List)
    }

    /// Whether the key of its step's limit is to be made, in place of running the handler.
    fn is_key(&self) -> bool {
        matches!(self.core().work, Work::Key)
    }

    fn item(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        let item = if let Work::Item { item, .. } = &this.core().work { Some(item) } else { None };
        to_ruby_or_nil(ruby, item)
    }

    fn item_index(&self) -> Option<u32> {
        if let Work::Item { position, .. } = self.core().work { Some(position) } else { None }
    }

    fn namespace(&self) -> &str {
        &self.core().task.template().namespace
    }

    fn task_name(&self) -> &str {
        &self.core().task.template().name
    }

    fn version(&self) -> &str {
        &self.core().task.template().version
    }

    fn handler(&self) -> Option<&str> {
        self.core().step()?.handler.as_deref()
    }

    fn attempt(&self) -> u16 {
        self.core().attempt()
    }

    fn retry_limit(&self) -> u16 {
        self.core().step().map_or(1, |step| step.policy.retry_limit)
    }

    /// How long this attempt may take, in seconds.
    fn timeout(&self) -> Option<f64> {
        self.core().step().map(|step| step.policy.timeout.as_secs_f64())
    }

    /// Whether its handler is interrupted when nothing that it reports is recorded any more.
    fn is_interruptible(&self) -> bool {
        self.core().step().is_some_and(|step| step.policy.interrupt)
    }

    fn context(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        to_ruby(ruby, &this.core().task.head.context)
    }

    /// What its task was created with beside its context; nil where that is nothing.
    fn headers(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        to_ruby_or_nil(ruby, this.core().task.head.headers.as_ref())
    }

    fn config(ruby: &Ruby, this: &Self) -> Result<Value, Failure> {
        to_ruby_or_nil(ruby, this.core().step().map(|step| &step.config))
    }

    fn parent_names(&self) -> impl Iterator<Item = &str> + Clone {
        let template = self.core().task.template();
        self.core().parents.iter().filter_map(|(index, _)| Some(template.step(*index)?.name.as_str()))
    }

    /// The result of a parent; nil when it was skipped.
    fn result(ruby: &Ruby, this: &Self, name: String) -> Result<Value, Failure> {
        let index = this.core().task.template().index(&name);
        let parent = this.core().parents.iter().find(|(parent, _)| Some(*parent) == index);
        match parent {
            Some((_, result)) => to_ruby_or_nil(ruby, result.as_ref()),
            None => Err(this.no_parent(&name).into()),
        }
    }

    fn no_parent(&self, name: &str) -> Fault {
        let names = self.parent_names().collect::<Vec<_>>().join(", ");
        let hint = hint(name, self.parent_names());
        let message = format!("the step {:?} does not depend on {name:?}{hint}", self.step_name());
        let expected = if names.is_empty() { "nothing: it depends on no step".to_owned() } else { names };
        Fault::new("", message).with(expected, format!("{name:?}"))
    }

    /// The results of all parents by name.
    fn results(ruby: &Ruby, this: &Self) -> Result<RHash, Failure> {
        let results = ruby.hash_new();
        for (name, (_, result)) in this.parent_names().zip(&this.core().parents) {
            results.aset(ruby.str_new(name).to_interned_str(), to_ruby_or_nil(ruby, result.as_ref())?)?;
        }
        results.freeze();
        Ok(results)
    }
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Assignment", ruby.class_object())?;
    class.define_method("number", method!(Assignment::number, 0))?;
    class.define_method("task_id", method!(Assignment::task_id, 0))?;
    class.define_method("index", method!(Assignment::index, 0))?;
    class.define_method("run", method!(Assignment::run, 0))?;
    class.define_method("step_name", method!(Assignment::step_name, 0))?;
    class.define_method("definition_name", method!(Assignment::definition_name, 0))?;
    class.define_method("key?", method!(Assignment::is_key, 0))?;
    class.define_method("list?", method!(Assignment::is_list, 0))?;
    class.define_method("item", method!(Assignment::item, 0))?;
    class.define_method("item_index", method!(Assignment::item_index, 0))?;
    class.define_method("namespace", method!(Assignment::namespace, 0))?;
    class.define_method("task_name", method!(Assignment::task_name, 0))?;
    class.define_method("version", method!(Assignment::version, 0))?;
    class.define_method("handler", method!(Assignment::handler, 0))?;
    class.define_method("attempt", method!(Assignment::attempt, 0))?;
    class.define_method("retry_limit", method!(Assignment::retry_limit, 0))?;
    class.define_method("timeout", method!(Assignment::timeout, 0))?;
    class.define_method("interrupt?", method!(Assignment::is_interruptible, 0))?;
    class.define_method("context", method!(Assignment::context, 0))?;
    class.define_method("headers", method!(Assignment::headers, 0))?;
    class.define_method("config", method!(Assignment::config, 0))?;
    class.define_method("checkpoint", method!(Assignment::checkpoint, 0))?;
    class.define_method("choose", method!(Assignment::choose, 1))?;
    class.define_method("route", method!(Assignment::route, 0))?;
    class.define_method("result", method!(Assignment::result, 1))?;
    class.define_method("results", method!(Assignment::results, 0))
}

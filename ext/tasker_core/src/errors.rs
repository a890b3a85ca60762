//! The engine's errors as the exceptions that `lib/tasker_core/errors.rb` declares.

use magnus::error::IntoError;
use magnus::prelude::*;
use magnus::value::Lazy;
use magnus::{Error, Exception, ExceptionClass, RArray, RClass, RModule, Ruby, Value, kwargs};
use tasker_core::domain::fault::{Fault, Faults};
use tasker_core::engine::error::EngineError;
use tasker_core::fault_point;
use tasker_core::fault_points::Injected;
use tasker_core::ffi::shared::errors::InputError;
use tasker_core::panics::catch;

use crate::convert::output::{Record, strings};

/// Why a native method failed.
pub enum Failure {
    /// The engine says so.
    Engine(EngineError),
    /// Ruby does.
    Ruby(Error),
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<Injected> for Failure {
    fn from(injected: Injected) -> Self {
        Self::Engine(injected.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ruby(error)
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Engine(fault.into())
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Engine(faults.into())
    }
}

impl IntoError for Failure {
    fn into_error(self, ruby: &Ruby) -> Error {
        match self {
            Self::Ruby(error) => error,
            Self::Engine(error) => exception(ruby, error).map_or_else(|error| error, Error::from),
        }
    }
}

/// Runs `work`; a panic in it is an InternalError and not the end of the process.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let done = catch(|| {
        fault_point!(NativeMethod);
        work()
    });
    done.unwrap_or_else(|panic| Err(EngineError::from(panic).into()))
}

macro_rules! classes {
    ($($name:ident = $text:literal,)+) => {
        $(static $name: Lazy<ExceptionClass> = Lazy::new(|ruby| {
            let module: RModule = ruby.class_object().const_get("TaskerCore").expect("TaskerCore");
            module.const_get($text).expect("lib/tasker_core/errors.rb is loaded before the extension")
        });)+

        /// Has every class looked up while nothing else runs.
        pub fn init(ruby: &Ruby) {
            $(Lazy::force(&$name, ruby);)+
        }
    };
}

classes! {
    CONFIGURATION = "ConfigurationError",
    VALIDATION = "ValidationError",
    NOT_FOUND = "NotFoundError",
    DUPLICATE_TASK = "DuplicateTaskError",
    STATE_TRANSITION = "StateTransitionError",
    HANDLE_EXPIRED = "HandleExpiredError",
    HANDLE_CLOSED = "HandleClosedError",
    DATABASE = "DatabaseError",
    POOL_TIMEOUT = "PoolTimeoutError",
    TIMEOUT = "TimeoutError",
    INTERNAL = "InternalError",
}

/// The exception of an error, with the error's data as its own.
pub fn exception(ruby: &Ruby, error: EngineError) -> Result<Exception, Error> {
    let class = |class| ruby.get_inner(class);
    let error = match error {
        EngineError::Validation(faults) => EngineError::Validation(discreet(ruby, faults)?),
        error => error,
    };
    let message = error.to_string();
    match error {
        EngineError::Configuration(_) => class(&CONFIGURATION).new_instance((message,)),
        EngineError::Validation(faults) => {
            class(&VALIDATION).new_instance((message, kwargs!("faults" => faults_of(ruby, &faults)?)))
        }
        EngineError::NotFound { kind, name, .. } => {
            class(&NOT_FOUND).new_instance((message, kwargs!("kind" => kind.as_str(), "name" => name)))
        }
        EngineError::Duplicate { key, existing } => {
            let data = kwargs!("existing_id" => existing.to_string(), "key" => key);
            class(&DUPLICATE_TASK).new_instance((message, data))
        }
        EngineError::Repeated(repeated) => {
            class(&DUPLICATE_TASK).new_instance((message, kwargs!("key" => repeated.key)))
        }
        EngineError::StateTransition(refused) => {
            let names = |names: &[&'static str]| strings(ruby, names.iter().copied());
            let data = kwargs!("operation" => refused.operation, "state" => refused.state,
                "allowed" => names(&refused.allowed)?, "allowed_in" => names(&refused.allowed_in)?);
            class(&STATE_TRANSITION).new_instance((message, data))
        }
        EngineError::HandleExpired { id, age, ttl } => {
            let data = kwargs!("handle_id" => id.to_string(), "age" => age.as_secs_f64(), "ttl" => ttl.as_secs_f64());
            class(&HANDLE_EXPIRED).new_instance((message, data))
        }
        EngineError::HandleClosed => class(&HANDLE_CLOSED).new_instance((message,)),
        EngineError::Database { said, retryable } => {
            let data = kwargs!("retryable" => retryable, "code" => said.code, "detail" => said.detail);
            class(&DATABASE).new_instance((message, data))
        }
        EngineError::PoolTimeout(pool) => {
            let data = kwargs!("waited" => pool.waited.as_secs_f64(), "max" => pool.max, "in_use" => pool.in_use,
                "database" => pool.database);
            class(&POOL_TIMEOUT).new_instance((message, data))
        }
        EngineError::Timeout { task, limit } => {
            let data = kwargs!("task_id" => task.to_string(), "timeout" => limit.as_secs_f64());
            class(&TIMEOUT).new_instance((message, data))
        }
        EngineError::Internal { place, .. } => class(&INTERNAL).new_instance((message, kwargs!("place" => place))),
    }
}

/// The same, without the values of keys that the user's filter hides.
fn discreet(ruby: &Ruby, faults: Faults) -> Result<Faults, Error> {
    if faults.all().iter().all(|fault| fault.discreet.is_none()) {
        return Ok(faults);
    }
    let module: RModule = ruby.class_object().const_get("TaskerCore")?;
    let filter: Value = module.const_get::<_, RClass>("Filter")?.funcall("current", ())?;
    let hides = |key: &str| filter.funcall::<_, _, bool>("hides?", (key,)).unwrap_or(true);
    Ok(faults.hiding(|fault| fault.discreet.is_some() && fault.keys().any(hides)))
}

fn faults_of(ruby: &Ruby, faults: &Faults) -> Result<RArray, Error> {
    let array = ruby.ary_new();
    for fault in faults.all() {
        let record = Record::new(ruby)
            .set("path", fault.path.as_str())?
            .set("message", fault.message.as_str())?
            .set("expected", fault.expected.as_deref())?
            .set("got", fault.got.as_deref())?;
        array.push(record.frozen())?;
    }
    array.freeze();
    Ok(array)
}

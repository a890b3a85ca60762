//! The rules that inputs declare with the validator crate, and the one place where what it says
//! becomes our faults.

use serde::de::DeserializeOwned;
use serde_json::Value;
use validator::{Validate, ValidationError, ValidationErrors, ValidationErrorsKind};

use super::reading::{fields_of, rank};
use crate::domain::fault::{Fault, Faults, MOST_FAULTS};

/// The field under which an item of a list tells what is wrong with it as a whole.
pub(super) const ITSELF: &str = "";
/// The field under which the crate files what breaks a rule on a whole struct.
const WHOLE: &str = "__all__";

/// Checks the rules that are declared on `input`.
///
/// # Errors
/// Everything that breaks one, in the order of the fields.
pub(in crate::ffi) fn check<T: Validate + DeserializeOwned>(input: &T) -> Result<(), Faults> {
    input.validate().map_err(|errors| {
        let mut found = Vec::new();
        collect(&errors, "", &mut found);
        // The crate keeps them in a HashMap.
        found.sort_by_key(|fault| rank(fields_of::<T>(), &fault.path));
        let found = Faults::check(found).err().unwrap_or_else(|| Fault::new("", errors.to_string()).into());
        found.at_most(MOST_FAULTS, false)
    })
}

/// `fault` as what a rule of our own gives to the crate.
pub(super) fn broken(fault: Fault) -> ValidationError {
    let mut error = ValidationError::new("rule").with_message(fault.message.into());
    error.params.insert("path".into(), fault.path.into());
    error.params.insert("expected".into(), fault.expected.into());
    error.params.insert("got".into(), fault.got.into());
    error
}

fn collect(errors: &ValidationErrors, path: &str, faults: &mut Vec<Fault>) {
    for (field, kind) in errors.errors() {
        let path = match field.as_ref() {
            ITSELF | WHOLE => path.to_owned(),
            field if path.is_empty() => field.to_owned(),
            field => format!("{path}.{field}"),
        };
        match kind {
            ValidationErrorsKind::Struct(nested) => collect(nested, &path, faults),
            ValidationErrorsKind::List(items) => {
                items.iter().for_each(|(index, item)| collect(item, &format!("{path}[{index}]"), faults));
            }
            ValidationErrorsKind::Field(broken) => faults.extend(broken.iter().map(|error| fault(error, &path))),
        }
    }
}

fn fault(error: &ValidationError, path: &str) -> Fault {
    let param = |name: &str| error.params.get(name);
    let text = |name: &str| param(name).and_then(Value::as_str).map(str::to_owned);
    let span = || match (param("min"), param("max")) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, max) => format!("at most {}", max.unwrap_or(&Value::Null)),
    };
    match (error.code.as_ref(), param("value")) {
        ("range", value) => {
            let got = value.map(ToString::to_string).unwrap_or_default();
            Fault::new(path, format!("is {}", span())).with(span(), got)
        }
        ("length", Some(Value::Array(items))) => {
            let expected = format!("{} items", span());
            Fault::new(path, format!("has {expected}")).with(expected, items.len().to_string())
        }
        ("length", value) => {
            let expected = format!("{} characters", span());
            let length = value.and_then(Value::as_str).map_or(0, |text| text.chars().count());
            Fault::new(path, format!("has {expected}")).with(expected, length.to_string())
        }
        _ => {
            let path = text("path").filter(|own| !own.is_empty()).unwrap_or_else(|| path.to_owned());
            let message = error.message.as_deref().unwrap_or(&error.code).to_owned();
            Fault { path, message, expected: text("expected"), got: text("got"), discreet: None }
        }
    }
}

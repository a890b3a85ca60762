//! Strings and Symbols as text.

use magnus::{RString, Symbol, Value};
use tasker_core::ffi::shared::errors::InputError;
use tasker_core::ffi::shared::nested::Name;

use super::symbols::name_of;

/// The text of a String or Symbol; `None` for anything else. Other encodings are transcoded.
///
/// # Errors
/// When it has no form in UTF-8.
pub fn text_of(value: Value) -> Option<Result<Name, InputError>> {
    if let Some(string) = RString::from_value(value) {
        return Some(string.to_string().map(Name::Own).map_err(|_| not_utf8("a String")));
    }
    let symbol = Symbol::from_value(value)?;
    Some(name_of(symbol).ok_or_else(|| not_utf8("a Symbol")))
}

fn not_utf8(kind: &str) -> InputError {
    InputError::new("is not valid UTF-8; for binary data use Base64")
        .expecting("valid UTF-8", format!("{kind} that is not"))
}

//! Strings and Symbols as text.

use magnus::{RString, Symbol, Value};
use tasker_core::ffi::shared::errors::InputError;

/// The text of a String or Symbol; `None` for anything else. Other encodings are transcoded.
///
/// # Errors
/// When it has no form in UTF-8.
pub fn text_of(value: Value) -> Option<Result<String, InputError>> {
    if let Some(string) = RString::from_value(value) {
        return Some(string.to_string().map_err(|_| not_utf8("a String")));
    }
    let symbol = Symbol::from_value(value)?;
    Some(symbol.name().map(Into::into).map_err(|_| not_utf8("a Symbol")))
}

fn not_utf8(kind: &str) -> InputError {
    InputError::new("is not valid UTF-8; for binary data use Base64")
        .expecting("valid UTF-8", format!("{kind} that is not"))
}

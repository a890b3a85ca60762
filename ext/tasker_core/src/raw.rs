//! What magnus leaves to C or to its caller's care: the only unsafe lines of the gem, behind functions that are safe
//! whatever they are given.

#![allow(unsafe_code)]

use magnus::prelude::*;
use magnus::rb_sys::{AsRawValue, FromRawValue};
use magnus::{RString, Symbol, Value};
use tasker_core::ffi::shared::json_quote::quote;

/// Runs `define`; the methods that it defines may be called from every Ractor at the same time. For those of the
/// snapshots, which read what never changes.
pub fn ractor_safe<T>(define: impl FnOnce() -> T) -> T {
    declare_ractor_safe(true);
    let defined = define();
    declare_ractor_safe(false);
    defined
}

/// Says whether the methods defined from now on, by the thread that loads the extension, are safe.
fn declare_ractor_safe(safe: bool) {
    // SAFETY: sets a flag of the calling thread, which is Ruby's: only `init` gets here. magnus doesn't bind it.
    unsafe { rb_sys::rb_ext_ractor_safe(safe) }
}

/// Writes a String that is UTF-8 as a JSON string, without a copy in between; false when it is not UTF-8, and nothing
/// was written.
pub fn quote_string(out: &mut Vec<u8>, string: RString) -> bool {
    // SAFETY: the text is Ruby's memory, which Ruby may free, move or change only while it runs, or from another
    // thread once this one lets it. `quote` calls nothing of Ruby's, and the text is not kept.
    unsafe { string.test_as_str() }.map(|text| quote(out, text)).is_some()
}

/// The name of a Symbol, whole and in its own encoding: magnus's ends at a NUL, and takes it for UTF-8.
pub fn name_of_symbol(symbol: Symbol) -> Option<RString> {
    // SAFETY: what is given is a Symbol and in use; Ruby looks its name up, and runs nothing else.
    let name = unsafe { Value::from_raw(rb_sys::rb_sym2str(symbol.as_raw())) };
    RString::from_value(name)
}

/// The name of a value's class; `#<Class:…>` where that has none. Nothing written in Ruby runs, so no interrupt comes.
pub fn class_name(value: Value) -> String {
    // SAFETY: the name is Ruby's memory. It is copied before anything of Ruby's runs again.
    unsafe { value.classname() }.into_owned()
}

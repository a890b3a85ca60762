//! The names of Symbols. Asking Ruby for one takes as long as writing it, and the keys of one context after another
//! are the same few: each thread remembers those it met last.

use std::borrow::Cow;
use std::cell::RefCell;

use magnus::rb_sys::AsRawValue;
use magnus::{Error, Symbol};

const KEPT: usize = 128;

thread_local! {
    /// Static Symbols, which are never collected, with their names; each in the one place that is its own.
    static NAMES: RefCell<[(u64, &'static str); KEPT]> = const { RefCell::new([(0, ""); KEPT]) };
}

/// The name in UTF-8.
///
/// # Errors
/// When it has none.
pub fn name_of(symbol: Symbol) -> Result<Cow<'static, str>, Error> {
    let Some(symbol) = symbol.as_static() else { return symbol.name() };
    let raw = symbol.as_raw();
    NAMES.with_borrow_mut(|names| {
        // The lowest twelve bits say what kind of value and of name it is.
        let place = &mut names[(raw >> 12) as usize % KEPT];
        if place.0 != raw {
            *place = (raw, symbol.name()?);
        }
        Ok(Cow::Borrowed(place.1))
    })
}

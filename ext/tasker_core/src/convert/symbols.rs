//! The names of Symbols. Asking Ruby for one takes as long as writing it, and the keys of one context after another
//! are the same few: each thread remembers those it met last. It keeps texts of its own: Ruby's may be moved by a
//! compaction.

use std::cell::RefCell;
use std::rc::Rc;

use magnus::Symbol;
use magnus::rb_sys::AsRawValue;
use tasker_core::ffi::shared::nested::Name;

use crate::raw::name_of_symbol;

const KEPT: usize = 128;

/// A static Symbol, which is never collected, with its name.
type Known = (u64, Rc<str>);

thread_local! {
    /// Each in the one place that is its own.
    static NAMES: RefCell<[Option<Known>; KEPT]> = const { RefCell::new([const { None }; KEPT]) };
}

/// The name in UTF-8; `None` when it has none.
pub fn name_of(symbol: Symbol) -> Option<Name> {
    let Some(known) = symbol.as_static() else { return symbol.name().ok().map(|name| Name::Own(name.into_owned())) };
    let raw = known.as_raw();
    // The lowest twelve bits say what kind of value and of name it is.
    let place = (raw >> 12) as usize % KEPT;
    let kept = NAMES.with_borrow(|names| match &names[place] {
        Some((kept, name)) if *kept == raw => Some(name.clone()),
        _ => None,
    });
    if kept.is_some() {
        return kept.map(Name::Kept);
    }
    // Nobody has hold of the names meanwhile: Ruby may run, and come here again.
    let name: Rc<str> = name_of_symbol(symbol)?.to_string().ok()?.into();
    NAMES.with_borrow_mut(|names| names[place] = Some((raw, name.clone())));
    Some(Name::Kept(name))
}

//! Which methods any Ractor may call: those of the snapshots, which read what never changes.

#![allow(unsafe_code)]

/// Runs `define`; the methods that it defines may be called from every Ractor at the same time.
pub fn safe<T>(define: impl FnOnce() -> T) -> T {
    declare(true);
    let defined = define();
    declare(false);
    defined
}

/// Says whether the methods defined from now on, by the thread that loads the extension, are safe.
fn declare(safe: bool) {
    // SAFETY: sets a flag of the calling thread, which is Ruby's: only `init` gets here. magnus doesn't bind it.
    unsafe { rb_sys::rb_ext_ractor_safe(safe) }
}

//! Memory that Rust holds for a Ruby object. Ruby's garbage collector is told of it: it would see forty bytes where
//! there may be a context of a mebibyte, and leave thousands of them lying about.

use magnus::Ruby;

/// A number of bytes, reported while this lives.
pub struct Burden(usize);

impl Burden {
    pub fn new(ruby: &Ruby, bytes: usize) -> Self {
        ruby.gc_adjust_memory_usage(isize::try_from(bytes).unwrap_or(isize::MAX));
        Self(bytes)
    }

    pub fn bytes(&self) -> usize {
        self.0
    }
}

impl Drop for Burden {
    /// Runs in the middle of a garbage collection: this call only counts, and neither allocates nor collects.
    fn drop(&mut self) {
        if let Ok(ruby) = Ruby::get() {
            ruby.gc_adjust_memory_usage(-isize::try_from(self.0).unwrap_or(isize::MAX));
        }
    }
}

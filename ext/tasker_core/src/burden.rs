//! Memory that Rust holds for a Ruby object. Ruby's garbage collector is told of it: it would see forty bytes where
//! there may be a context of a mebibyte, and leave thousands of them lying about.

use magnus::Ruby;

/// What isn't worth telling: ten thousand of these are the most that usually lie about.
const SMALL: usize = 4_096;
/// The bytes of a String that has no room in its object: since Ruby 3.2 that takes up to 640.
const BESIDE: usize = 4_096;

/// A number of bytes, reported while this lives.
pub struct Burden(usize);

impl Burden {
    pub fn new(ruby: &Ruby, bytes: usize) -> Self {
        let burden = Self(bytes);
        if let Some(bytes) = burden.reported() {
            ruby.gc_adjust_memory_usage(bytes);
            // Ruby compares the count with its limit only when it allocates something beside an object itself.
            ruby.str_buf_new(BESIDE);
        }
        burden
    }

    pub fn bytes(&self) -> usize {
        self.0
    }

    fn reported(&self) -> Option<isize> {
        isize::try_from(self.0).ok().filter(|_| self.0 > SMALL)
    }
}

impl Drop for Burden {
    /// Runs in the middle of a garbage collection: this call only counts, and neither allocates nor collects.
    fn drop(&mut self) {
        if let (Some(bytes), Ok(ruby)) = (self.reported(), Ruby::get()) {
            ruby.gc_adjust_memory_usage(-bytes);
        }
    }
}

//! How deep and how large a free value may be. Every handle has limits of its own, and hands them
//! to whoever converts for it.

use super::errors::InputError;
use crate::domain::schema::Bounds;

/// The largest context and the largest result that a handle can be opened for, in bytes of JSON. A
/// database row can hold more, but not everything that has to travel with it.
pub const MAX_BYTES: i64 = 256 << 20;
/// The deepest nesting that a handle can be opened for: readers of JSON give up at 128 levels.
pub const MAX_DEPTH: i64 = 100;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep arrays and objects may be nested in one another.
    pub depth: usize,
    /// The most bytes of JSON that a context, a config or a schema may have.
    pub context: usize,
    /// The most bytes of JSON that a result may have.
    pub result: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, context: 1 << 20, result: 16 << 20 }
    }
}

impl Limits {
    /// What a context may become with the defaults of its schema.
    pub fn of_context(&self) -> Bounds {
        Bounds { depth: self.depth, bytes: self.context }
    }

    /// The fault of a value that is nested deeper than this.
    pub fn too_deep(&self) -> InputError {
        let most = self.depth;
        InputError::new(format!("is nested deeper than {most} levels; does it hold itself?"))
            .expecting(format!("at most {most} levels"), "more")
    }

    /// The fault of a value that has more than `most` bytes of JSON.
    pub fn too_large(most: usize) -> InputError {
        let most = readable(most);
        let message = format!("makes the value larger than {most} of JSON; keep large data elsewhere and pass its key");
        InputError::new(message).expecting(format!("at most {most}"), "more")
    }
}

/// `1 MiB`, `1000 bytes`.
fn readable(bytes: usize) -> String {
    const MIB: usize = 1 << 20;
    if bytes >= MIB && bytes.is_multiple_of(MIB) { format!("{} MiB", bytes / MIB) } else { format!("{bytes} bytes") }
}

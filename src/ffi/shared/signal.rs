//! How Rust wakes a thread of the host: a pipe, which every host can wait on in its own way,
//! interruptibly, and with a scheduler of its own.

use std::io::{PipeWriter, Write};
use std::os::fd::{IntoRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// The writing end. At most one byte is ever in the pipe.
#[derive(Debug)]
pub struct Signal {
    writer: PipeWriter,
    raised: AtomicBool,
}

impl Signal {
    /// Makes a signal, and the descriptor that becomes readable when it is raised. The caller
    /// owns the descriptor.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn new() -> std::io::Result<(Self, RawFd)> {
        let (reader, writer) = std::io::pipe()?;
        Ok((Self { writer, raised: AtomicBool::new(false) }, reader.into_raw_fd()))
    }

    /// Makes the descriptor readable, if it is not.
    pub fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            // It fails only when the reader is gone: then there is nobody to wake.
            let _ = (&self.writer).write_all(&[1]);
        }
    }

    /// Says that the byte was read. Look at what the signal stands for after this, not before:
    /// what was raised in between writes no byte of its own.
    pub fn clear(&self) {
        self.raised.store(false, Ordering::Release);
    }
}

//! Only one SQLite library ever has a given file open in a process.
//!
//! POSIX locks belong to the process: when any library in it closes any descriptor of a file, all
//! of the process's locks on that file are gone, also ours, in the middle of a commit. So a file
//! that something else here has open (ActiveRecord, say) is refused. For the same reason nothing
//! in this folder ever opens the database file other than through our own SQLite.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use once_cell::race::OnceBox;
use parking_lot::Mutex;

use crate::storage::{Result, StoreError};

/// A file, whatever its name.
type FileId = (u64, u64);

/// How many of this process's stores have each file.
type Counts = HashMap<FileId, usize>;

/// One process's files. A forked child appends a node of its own and never touches its parent's:
/// a thread that was not forked may have held the lock, and what the parent opened is not the
/// child's. Hence a list that is read and extended without locks.
struct Node {
    pid: u32,
    counts: Mutex<Counts>,
    next: OnceBox<Node>,
}

static FIRST: OnceBox<Node> = OnceBox::new();

fn ours() -> &'static Mutex<Counts> {
    let pid = std::process::id();
    let fresh = || Box::new(Node { pid, counts: Mutex::default(), next: OnceBox::new() });
    let mut node = FIRST.get_or_init(fresh);
    while node.pid != pid {
        node = node.next.get_or_init(fresh);
    }
    &node.counts
}

/// Tells, as long as it lives, that a file open in this process may be ours.
#[derive(Debug)]
pub(super) struct Registration {
    pid: u32,
    file: FileId,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if self.pid != std::process::id() {
            return;
        }
        let mut counts = ours().lock();
        if let Some(count) = counts.get_mut(&self.file) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.file);
            }
        }
    }
}

/// Opens the file at `path` by `open`, unless something else in this process has it open.
///
/// Another store of ours that is about to open the same file waits meanwhile, so that it does not
/// find a descriptor that is not registered yet.
pub(super) fn open_alone<T>(path: &Path, open: impl FnOnce() -> Result<T>) -> Result<(T, Registration)> {
    let mut counts = ours().lock();
    if let Some(file) = file_id(path)
        && !counts.contains_key(&file)
        && is_open_here(file)
    {
        return Err(refusal(path));
    }
    let opened = open()?;
    let file = file_id(path).ok_or_else(|| {
        StoreError::Database(format!("the database file {} vanished while it was opened", path.display()).into())
    })?;
    *counts.entry(file).or_default() += 1;
    Ok((opened, Registration { pid: std::process::id(), file }))
}

fn file_id(path: &Path) -> Option<FileId> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Whether a descriptor of this process is of this file. It looks, and opens nothing.
fn is_open_here(file: FileId) -> bool {
    ["/proc/self/fd", "/dev/fd"]
        .iter()
        .find_map(|folder| fs::read_dir(folder).ok())
        .is_some_and(|descriptors| descriptors.flatten().any(|entry| file_id(&entry.path()) == Some(file)))
}

fn refusal(path: &Path) -> StoreError {
    StoreError::Configuration(format!(
        "the database file {} is already open in this process by something else, such as ActiveRecord. \
         POSIX file locks belong to the whole process, so when one SQLite library closes the file, the locks of \
         every other library on it are dropped and data is lost. Give tasker_core a file of its own",
        path.display()
    ))
}

//! Rules that templates and their steps have in common. What breaks one is noted, and the rest is looked at all the same.

use crate::domain::fault::Fault;
use crate::domain::json::Json;
use crate::domain::schema::Schema;

/// The longest version, in characters.
pub const MAX_VERSION: usize = 128;
/// The lowest priority.
pub const MIN_PRIORITY: i64 = -32_767;
/// The highest priority.
pub const MAX_PRIORITY: i64 = 32_767;
const MAX_NAME: usize = 128;

/// A name: 1 to 128 characters, none of them a control character or `/` (a step's id is printed
/// as `task id/step name`).
pub fn check_name(name: &str, path: &str, faults: &mut Vec<Fault>) {
    let length = name.chars().count();
    if !(1..=MAX_NAME).contains(&length) {
        faults.push(
            Fault::new(path, format!("a name has 1 to {MAX_NAME} characters"))
                .with(format!("1 to {MAX_NAME} characters"), format!("{length}")),
        );
    } else if name.chars().any(|c| c.is_control() || c == '/') || name.trim() != name {
        let message = format!("{name:?} is not a name: no control character, no \"/\", no space at its ends");
        faults.push(Fault::new(path, message).with("a plain name", format!("{name:?}")));
    }
}

pub(super) fn check_schema(source: Option<&Json>, path: &str, faults: &mut Vec<Fault>) -> Option<Schema> {
    Schema::compile(source?, path).map_err(|fault| faults.push(fault)).ok()
}

pub(super) fn check_queue(queue: Option<&str>, path: &str, faults: &mut Vec<Fault>) -> Option<String> {
    if let Some(queue) = queue {
        check_name(queue, path, faults);
    }
    queue.map(str::to_owned)
}

/// A priority, higher first.
pub(super) fn check_priority(priority: Option<i64>, path: &str, faults: &mut Vec<Fault>) -> Option<i16> {
    let priority = priority?;
    let found = i16::try_from(priority).ok().filter(|_| (MIN_PRIORITY..=MAX_PRIORITY).contains(&priority));
    if found.is_none() {
        let expected = format!("{MIN_PRIORITY} to {MAX_PRIORITY}");
        faults.push(Fault::new(path, format!("a priority is {expected}")).with(expected, priority.to_string()));
    }
    found
}

pub(super) fn check_version(version: &str, path: &str, faults: &mut Vec<Fault>) {
    if let Err(error) = semver::Version::parse(version) {
        faults.push(
            Fault::new(path, format!("{version:?} is not a semantic version: {error}"))
                .with("a version such as \"1.0.0\"", format!("{version:?}")),
        );
    }
    if version.len() > MAX_VERSION {
        let expected = format!("1 to {MAX_VERSION} characters");
        faults.push(Fault::new(path, format!("has {expected}")).with(expected, version.len().to_string()));
    }
}

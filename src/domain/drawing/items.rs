//! The steps of a list's items as one node: a task has one step for each item, thousands maybe, which no picture can
//! hold. They are told by their names: `parcel[3]` is an item of `parcel`.

use std::collections::HashMap;

use super::Node;
use crate::domain::state::StepState;

/// The same nodes without the items of lists. The node of a list says how far its items are: `7/10 items done, 1 in
/// error`.
pub fn folded(nodes: Vec<Node>) -> Vec<Node> {
    let groups: HashMap<String, usize> = nodes.iter().map(|node| (node.name.clone(), 0)).collect();
    let mut found: HashMap<String, Count> = HashMap::new();
    let (items, mut kept): (Vec<Node>, Vec<Node>) =
        nodes.into_iter().partition(|node| group_of(&node.name).is_some_and(|group| groups.contains_key(group)));
    for item in &items {
        if let Some(group) = group_of(&item.name) {
            found.entry(group.to_owned()).or_default().add(item.state);
        }
    }
    for node in &mut kept {
        node.depends_on.retain(|parent| !(group_of(parent) == Some(&node.name) && groups.contains_key(parent)));
        if let Some(count) = found.get(&node.name) {
            let noted = node.note.take().map(|note| format!(", {note}"));
            node.note = Some(count.text() + &noted.unwrap_or_default());
        }
    }
    kept
}

/// The list's step, of a name that may be an item's.
fn group_of(name: &str) -> Option<&str> {
    let (group, index) = name.strip_suffix(']')?.rsplit_once('[')?;
    (!index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit())).then_some(group)
}

#[derive(Default)]
struct Count {
    all: usize,
    done: usize,
    failed: usize,
}

impl Count {
    fn add(&mut self, state: Option<StepState>) {
        self.all += 1;
        match state {
            Some(StepState::Complete | StepState::Skipped | StepState::ResolvedManually) => self.done += 1,
            Some(StepState::Error) => self.failed += 1,
            _ => {}
        }
    }

    fn text(&self) -> String {
        let failed = if self.failed == 0 { String::new() } else { format!(", {} in error", self.failed) };
        format!("{}/{} items done{failed}", self.done, self.all)
    }
}

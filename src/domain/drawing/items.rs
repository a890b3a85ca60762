//! The steps of a list's items as one node: a task has one step for each item, thousands maybe, which no picture can
//! hold. Their names don't tell which they are, since a step that is no item may be called `parcel[3]` too.

use std::collections::{BTreeSet, HashMap};

use super::Node;
use crate::domain::fault::{Fault, Faults, hint};
use crate::domain::state::StepState;

/// The same nodes without the items of lists. The node of a list says how far its items are: `7/10 items done, 1 in
/// error`; what needs an item needs the list.
///
/// # Errors
/// Every item of a list that there isn't.
pub fn folded(nodes: Vec<Node>) -> Result<Vec<Node>, Faults> {
    check(&nodes)?;
    let (items, mut kept): (Vec<Node>, Vec<Node>) = nodes.into_iter().partition(|node| node.item_of.is_some());
    let mut found: HashMap<&str, Count> = HashMap::new();
    let mut lists: HashMap<&str, &str> = HashMap::new();
    for item in &items {
        if let Some(list) = &item.item_of {
            found.entry(list).or_default().add(item.state);
            lists.insert(&item.name, list);
        }
    }
    for node in &mut kept {
        if node.depends_on.iter().any(|parent| lists.contains_key(parent.as_str())) {
            node.depends_on = without_items(node, &lists);
        }
        if let Some(count) = found.get(node.name.as_str()) {
            let noted = node.note.take().map(|note| format!(", {note}"));
            node.note = Some(count.text() + &noted.unwrap_or_default());
        }
    }
    Ok(kept)
}

fn check(nodes: &[Node]) -> Result<(), Faults> {
    let lists: BTreeSet<&str> =
        nodes.iter().filter(|node| node.item_of.is_none()).map(|node| node.name.as_str()).collect();
    let faults = nodes.iter().enumerate().filter_map(|(index, node)| {
        let list = node.item_of.as_deref().filter(|list| !lists.contains(list))?;
        let message = format!("there is no step {list:?}{}", hint(list, lists.iter().copied()));
        Some(
            Fault::new(format!("steps[{index}].item_of"), message)
                .with("the name of a list's step", format!("{list:?}")),
        )
    });
    Faults::check(faults.collect())
}

/// What a node needs, each list once in the place of its items, and none in that of its own.
fn without_items(node: &Node, lists: &HashMap<&str, &str>) -> Vec<String> {
    let mut needs: Vec<String> = Vec::new();
    for parent in &node.depends_on {
        let list = lists.get(parent.as_str()).copied();
        let parent = list.unwrap_or(parent);
        if list.is_none() || (parent != node.name && !needs.iter().any(|other| other == parent)) {
            needs.push(parent.to_owned());
        }
    }
    needs
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

//! The DAG of a template's steps. A [`Graph`] that exists has no cycle, self-edge, unknown or
//! duplicate step.

use std::collections::HashMap;

use super::fault::{Fault, hint};
use super::id::StepIndex;

/// Parents and children of every step, by index; the children are what completion releases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    parents: Vec<Vec<StepIndex>>,
    children: Vec<Vec<StepIndex>>,
}

impl Graph {
    /// Builds the graph of steps given as (name, names of parents), in the template's order.
    ///
    /// # Errors
    /// Every fault of the edges, each with its path (`steps[2].depends_on`); a cycle is listed.
    pub fn build(steps: &[(&str, &[String])]) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut index_of: HashMap<&str, usize> = HashMap::with_capacity(steps.len());
        for (i, (name, _)) in steps.iter().enumerate() {
            if let Some(first) = index_of.insert(name, i) {
                let message =
                    format!("the step {name:?} is already defined at steps[{first}]; names are unique in a template");
                faults.push(Fault::new(format!("steps[{i}].name"), message));
                index_of.insert(name, first);
            }
        }

        let mut graph = Self { parents: vec![Vec::new(); steps.len()], children: vec![Vec::new(); steps.len()] };
        // By parent the last step that named it: a search among a step's parents would be quadratic in dense graphs.
        let mut named_by = vec![usize::MAX; steps.len()];
        for (i, (name, needed)) in steps.iter().enumerate() {
            for parent in *needed {
                let path = || format!("steps[{i}].depends_on");
                match index_of.get(parent.as_str()) {
                    None => {
                        let known = hint(parent, steps.iter().map(|(name, _)| *name));
                        faults.push(
                            Fault::new(path(), format!("there is no step {parent:?}{known}"))
                                .with("the name of a step of this template", format!("{parent:?}")),
                        );
                    }
                    Some(_) if parent == name => {
                        faults.push(Fault::new(path(), format!("the step {name:?} depends on itself")))
                    }
                    Some(&p) if named_by[p] == i => {
                        faults.push(Fault::new(path(), format!("{parent:?} is named twice")));
                    }
                    Some(&p) => {
                        named_by[p] = i;
                        graph.parents[i].push(p as StepIndex);
                        graph.children[p].push(i as StepIndex);
                    }
                }
            }
        }
        if let Some(cycle) = graph.cycle().filter(|_| faults.is_empty()) {
            let names: Vec<&str> = cycle.iter().map(|&i| steps[i as usize].0).collect();
            faults.push(Fault::new("steps", format!("the steps form a cycle: {} → {}", names.join(" → "), names[0])));
        }
        if faults.is_empty() { Ok(graph) } else { Err(faults) }
    }

    /// One cycle, in the order of its edges, if there is any: what Kahn's algorithm (1962)
    /// leaves over contains one, and walking parents from there runs into it.
    fn cycle(&self) -> Option<Vec<StepIndex>> {
        let mut waiting: Vec<usize> = self.parents.iter().map(Vec::len).collect();
        let mut free: Vec<usize> = (0..waiting.len()).filter(|&i| waiting[i] == 0).collect();
        while let Some(i) = free.pop() {
            for &child in &self.children[i] {
                waiting[child as usize] -= 1;
                if waiting[child as usize] == 0 {
                    free.push(child as usize);
                }
            }
        }
        let mut at = waiting.iter().position(|&n| n > 0)? as StepIndex;
        let mut seen_at: HashMap<StepIndex, usize> = HashMap::new();
        let mut walk = Vec::new();
        loop {
            if let Some(&start) = seen_at.get(&at) {
                let mut cycle = walk.split_off(start);
                cycle.reverse();
                return Some(cycle);
            }
            seen_at.insert(at, walk.len());
            walk.push(at);
            at = *self.parents[at as usize].iter().find(|&&p| waiting[p as usize] > 0)?;
        }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// The steps that `step` needs.
    pub fn parents(&self, step: StepIndex) -> &[StepIndex] {
        self.parents.get(step as usize).map_or(&[], Vec::as_slice)
    }

    /// The steps that need `step`.
    pub fn children(&self, step: StepIndex) -> &[StepIndex] {
        self.children.get(step as usize).map_or(&[], Vec::as_slice)
    }

    /// The graph of a task: this one with a step behind it for each item, given by its group. An item's step
    /// needs what its group needs, and the group needs it.
    pub fn with_items(&self, groups: impl IntoIterator<Item = StepIndex>) -> Self {
        let mut graph = self.clone();
        for group in groups {
            let item = graph.len() as StepIndex;
            for &parent in self.parents(group) {
                if let Some(children) = graph.children.get_mut(parent as usize) {
                    children.push(item);
                }
            }
            if let Some(parents) = graph.parents.get_mut(group as usize) {
                parents.push(item);
            }
            graph.parents.push(self.parents(group).to_vec());
            graph.children.push(vec![group]);
        }
        graph
    }

    /// For each step, whether it is `first` or comes after it.
    pub fn descendants(&self, first: StepIndex) -> Vec<bool> {
        let mut found = vec![false; self.len()];
        let mut next = vec![first];
        while let Some(step) = next.pop() {
            match found.get_mut(step as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            next.extend(self.children(step));
        }
        found
    }

    /// The steps that need no other.
    pub fn roots(&self) -> impl Iterator<Item = StepIndex> {
        self.parents.iter().enumerate().filter(|(_, parents)| parents.is_empty()).map(|(i, _)| i as StepIndex)
    }

    /// Every edge as (parent, child).
    pub fn edges(&self) -> impl Iterator<Item = (StepIndex, StepIndex)> {
        self.children
            .iter()
            .enumerate()
            .flat_map(|(parent, children)| children.iter().map(move |&child| (parent as StepIndex, child)))
    }
}

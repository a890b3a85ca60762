//! The shape of a graph: how deep it is, how wide, and the longest way through it.

use std::time::Duration;

use crate::domain::id::StepIndex;

/// The neighbours of every step, one list after the other.
#[derive(Clone, Debug)]
struct Neighbours {
    /// Where the list of each step begins; one more at the end.
    starts: Vec<usize>,
    items: Vec<StepIndex>,
}

impl Neighbours {
    /// From (step, neighbour) pairs, in their order.
    fn of(steps: usize, pairs: impl Iterator<Item = (StepIndex, StepIndex)> + Clone) -> Self {
        let mut starts = vec![0; steps + 1];
        for (step, _) in pairs.clone() {
            starts[step as usize + 1] += 1;
        }
        for step in 0..steps {
            starts[step + 1] += starts[step];
        }
        let mut next = starts.clone();
        let mut items = vec![0; starts[steps]];
        for (step, neighbour) in pairs {
            items[next[step as usize]] = neighbour;
            next[step as usize] += 1;
        }
        Self { starts, items }
    }

    fn of_step(&self, step: StepIndex) -> &[StepIndex] {
        &self.items[self.starts[step as usize]..self.starts[step as usize + 1]]
    }
}

/// A graph that was taken apart: each step's neighbours and level.
#[derive(Clone, Debug)]
pub struct Shape {
    parents: Neighbours,
    children: Neighbours,
    /// Every step after its parents.
    order: Vec<StepIndex>,
    levels: Vec<u32>,
}

impl Shape {
    /// The shape of `steps` steps with these (parent, child) edges, which form no cycle. An edge to a step that there
    /// isn't is passed over.
    pub fn of(steps: usize, edges: &[(StepIndex, StepIndex)]) -> Self {
        let known = |&(parent, child): &(StepIndex, StepIndex)| {
            let known = |index: StepIndex| (index as usize) < steps;
            (known(parent) && known(child)).then_some((parent, child))
        };
        let edges = edges.iter().filter_map(known);
        let children = Neighbours::of(steps, edges.clone());
        let parents = Neighbours::of(steps, edges.map(|(parent, child)| (child, parent)));

        // Kahn's algorithm (1962): a step follows when the last of its parents has been taken.
        let mut waiting: Vec<usize> = (0..steps).map(|step| parents.of_step(step as StepIndex).len()).collect();
        let mut order: Vec<StepIndex> = (0..steps as StepIndex).filter(|&step| waiting[step as usize] == 0).collect();
        let mut levels = vec![0; steps];
        let mut taken = 0;
        while let Some(&step) = order.get(taken) {
            taken += 1;
            for &child in children.of_step(step) {
                let below = levels[step as usize] + 1;
                let child_at = child as usize;
                levels[child_at] = below.max(levels[child_at]);
                waiting[child_at] -= 1;
                if waiting[child_at] == 0 {
                    order.push(child);
                }
            }
        }
        Self { parents, children, order, levels }
    }

    /// The steps that `step` needs.
    pub fn parents(&self, step: StepIndex) -> &[StepIndex] {
        self.parents.of_step(step)
    }

    /// The steps that need `step`.
    pub fn children(&self, step: StepIndex) -> &[StepIndex] {
        self.children.of_step(step)
    }

    /// Every step after its parents; going back, every step after its children.
    pub fn order(&self) -> &[StepIndex] {
        &self.order
    }

    /// The level of each step by index: 0 for one that needs no other, else one more than the highest of its parents'.
    pub fn levels(&self) -> &[u32] {
        &self.levels
    }

    /// How many levels there are: the number of steps on the longest path.
    pub fn depth(&self) -> usize {
        self.levels.iter().max().map_or(0, |&level| level as usize + 1)
    }

    /// The most steps on one level.
    pub fn width(&self) -> usize {
        let mut on = vec![0_usize; self.depth()];
        self.levels.iter().for_each(|&level| on[level as usize] += 1);
        on.into_iter().max().unwrap_or(0)
    }

    /// The steps that need no other, by index.
    pub fn roots(&self) -> impl Iterator<Item = StepIndex> {
        self.steps().filter(|&step| self.parents(step).is_empty())
    }

    /// The steps that no other needs, by index.
    pub fn leaves(&self) -> impl Iterator<Item = StepIndex> {
        self.steps().filter(|&step| self.children(step).is_empty())
    }

    /// Every edge as (parent, child), by parent.
    pub fn edges(&self) -> impl Iterator<Item = (StepIndex, StepIndex)> {
        self.steps().flat_map(|parent| self.children(parent).iter().map(move |&child| (parent, child)))
    }

    fn steps(&self) -> impl Iterator<Item = StepIndex> {
        0..self.levels.len() as StepIndex
    }

    /// The path on which the steps took the longest, and how long that was; of two that took as long the one with
    /// more steps, then the one with the lower indexes.
    pub fn longest_path(&self, took: impl Fn(StepIndex) -> Duration) -> (Vec<StepIndex>, Duration) {
        let mut best: Vec<(Duration, u32)> = vec![(Duration::ZERO, 0); self.levels.len()];
        let mut before: Vec<Option<StepIndex>> = vec![None; self.levels.len()];
        for &step in &self.order {
            let parents = self.parents(step).iter().copied();
            let parent = parents.max_by_key(|&parent| (best[parent as usize], std::cmp::Reverse(parent)));
            let (so_far, steps) = parent.map_or((Duration::ZERO, 0), |parent| best[parent as usize]);
            before[step as usize] = parent;
            best[step as usize] = (so_far.saturating_add(took(step)), steps + 1);
        }
        let Some(last) = self.steps().max_by_key(|&step| (best[step as usize], std::cmp::Reverse(step))) else {
            return (Vec::new(), Duration::ZERO);
        };
        let mut path: Vec<StepIndex> = std::iter::successors(Some(last), |&step| before[step as usize]).collect();
        path.reverse();
        (path, best[last as usize].0)
    }
}

//! Decisions: a step that declares branches chooses among them when it completes. What it leaves out
//! is skipped, and so is whatever has nothing but such steps before it.
//!
//! The rule, for every step: one that a decision before it left out is skipped, whatever else it
//! needs; one whose every parent was skipped by a decision is skipped, too; any other runs once its
//! parents are done, those that were skipped among them. Only a decision's skips go on like this: who
//! skips a step by hand, or with `on_failure: skip`, wants the rest to go on without it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fault::{Fault, hint};
use super::graph::Graph;
use super::id::StepIndex;
use super::template::Template;

/// The branches of a template's decisions. Of one without decisions it is empty and costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branches {
    of: BTreeMap<StepIndex, Vec<StepIndex>>,
    /// By step, whether a decision can skip it.
    optional: Vec<bool>,
}

impl Branches {
    /// The branches of steps given as (name, names of branches), in the order of the graph.
    ///
    /// # Errors
    /// Every fault of them, each with its path (`steps[2].branches`).
    pub fn build(graph: &Graph, steps: &[(&str, &[String])]) -> Result<Self, Vec<Fault>> {
        if steps.iter().all(|(_, branches)| branches.is_empty()) {
            return Ok(Self::default());
        }
        let index_of: HashMap<&str, StepIndex> =
            steps.iter().enumerate().map(|(i, (name, _))| (*name, i as StepIndex)).collect();
        let mut faults = Vec::new();
        let mut of: BTreeMap<StepIndex, Vec<StepIndex>> = BTreeMap::new();
        for (i, (name, branches)) in steps.iter().enumerate() {
            let known = graph.children(i as StepIndex).iter().filter_map(|&child| steps.get(child as usize));
            for branch in *branches {
                let found = index_of.get(branch.as_str()).copied();
                let taken = of.entry(i as StepIndex).or_default();
                let fault = match found {
                    Some(index) if taken.contains(&index) => format!("{branch:?} is named twice"),
                    Some(index) if graph.parents(index).contains(&(i as StepIndex)) => {
                        taken.push(index);
                        continue;
                    }
                    Some(_) => format!("the step {branch:?} does not depend on {name:?}"),
                    None => {
                        format!("there is no step {branch:?}{}", hint(branch, known.clone().map(|(name, _)| *name)))
                    }
                };
                let expected = format!("names of steps that depend on {name:?}");
                faults.push(Fault::new(format!("steps[{i}].branches"), fault).with(expected, format!("{branch:?}")));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let optional = optional(graph, &of);
        Ok(Self { of, optional })
    }

    /// Whether there is no decision.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// The branches of a step; none when it is no decision.
    pub fn of(&self, step: StepIndex) -> &[StepIndex] {
        self.of.get(&step).map_or(&[], Vec::as_slice)
    }

    /// The branches of a decision that its route leaves out.
    pub fn left_out(&self, step: StepIndex, route: &[StepIndex]) -> BTreeSet<StepIndex> {
        let mut left_out: BTreeSet<StepIndex> = self.of(step).iter().copied().collect();
        route.iter().for_each(|chosen| _ = left_out.remove(chosen));
        left_out
    }

    /// What may be skipped when these are left out: they, and what comes after nothing but steps that
    /// decisions can skip.
    pub fn reach(&self, graph: &Graph, left_out: &[StepIndex]) -> BTreeSet<StepIndex> {
        let mut reached = BTreeSet::new();
        let mut next = left_out.to_vec();
        while let Some(step) = next.pop() {
            if reached.insert(step) {
                let is_optional = |child: &StepIndex| self.optional.get(*child as usize).copied().unwrap_or(false);
                next.extend(graph.children(step).iter().copied().filter(is_optional));
            }
        }
        reached
    }
}

/// By step, whether a decision can skip it: a branch, or one with nothing but such steps before it.
fn optional(graph: &Graph, of: &BTreeMap<StepIndex, Vec<StepIndex>>) -> Vec<bool> {
    let mut optional = vec![false; graph.len()];
    let mut certain: Vec<usize> = (0..graph.len() as StepIndex).map(|step| graph.parents(step).len()).collect();
    let mut next: Vec<StepIndex> = of.values().flatten().copied().collect();
    while let Some(step) = next.pop() {
        let Some(known @ false) = optional.get_mut(step as usize) else { continue };
        *known = true;
        for &child in graph.children(step) {
            if let Some(left) = certain.get_mut(child as usize) {
                *left -= 1;
                if *left == 0 {
                    next.push(child);
                }
            }
        }
    }
    optional
}

/// The steps that are skipped when `left_out` are: of those that wait for a parent, these, and each
/// whose parents all are skipped by a decision, now or (`was_bypassed`) earlier.
pub fn bypassed(
    graph: &Graph,
    left_out: &[StepIndex],
    is_blocked: impl Fn(StepIndex) -> bool,
    was_bypassed: impl Fn(StepIndex) -> bool,
) -> BTreeSet<StepIndex> {
    let mut skipped = BTreeSet::new();
    let mut feeding: HashMap<StepIndex, usize> = HashMap::new();
    let mut next: Vec<StepIndex> = left_out.iter().copied().filter(|&step| is_blocked(step)).collect();
    while let Some(step) = next.pop() {
        if !skipped.insert(step) {
            continue;
        }
        for &child in graph.children(step).iter().filter(|&&child| is_blocked(child)) {
            let parents = graph.parents(child).iter();
            let left = feeding.entry(child).or_insert_with(|| parents.filter(|&&parent| !was_bypassed(parent)).count());
            *left -= 1;
            if *left == 0 {
                next.push(child);
            }
        }
    }
    skipped
}

impl Template {
    /// The index of a branch of this decision.
    ///
    /// # Errors
    /// When the step has no such branch; the nearest is named.
    pub fn branch(&self, decision: StepIndex, name: &str) -> Result<StepIndex, Fault> {
        let branches = self.branches.of(decision);
        let found = self.index(name).filter(|index| branches.contains(index));
        found.ok_or_else(|| {
            let known: Vec<&str> = self.names(branches).collect();
            let step = self.step(decision).map_or("", |step| step.name.as_str());
            if known.is_empty() {
                return Fault::new("route", format!("the step {step:?} has no branches to choose from"));
            }
            let message = format!("the step {step:?} has no branch {name:?}{}", hint(name, known.iter().copied()));
            Fault::new("route", message).with(known.join(", "), format!("{name:?}"))
        })
    }

    /// Checks what a handler chose when it returned.
    ///
    /// # Errors
    /// When a decision chose nothing, or a step chose what is none of its branches.
    pub fn check_route(&self, step: StepIndex, route: &[StepIndex]) -> Result<(), Fault> {
        let branches = self.branches.of(step);
        if route.is_empty() && !branches.is_empty() {
            let known: Vec<&str> = self.names(branches).collect();
            let name = self.step(step).map_or("", |step| step.name.as_str());
            let message = format!("the step {name:?} has branches, and its handler returned without choosing any");
            return Err(Fault::new("route", message)
                .with(format!("route with one or several of: {}", known.join(", ")), "none"));
        }
        match route.iter().find(|chosen| !branches.contains(chosen)) {
            Some(&wrong) => self.branch(step, self.names(&[wrong]).next().unwrap_or("")).map(|_| ()),
            None => Ok(()),
        }
    }

    /// The names of these steps.
    pub fn names<'a>(&'a self, steps: &'a [StepIndex]) -> impl Iterator<Item = &'a str> {
        steps.iter().filter_map(|&step| Some(self.step(step)?.name.as_str()))
    }
}

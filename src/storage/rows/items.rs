//! Steps that are made while a task runs: one for each item of a list.

use crate::domain::id::{StepIndex, StepKey, Token};
use crate::domain::json::Json;

/// The items of a group to insert, each as a step.
#[derive(Clone, Debug)]
pub struct NewItems {
    /// The group.
    pub group: StepKey,
    /// The index of the first item's step; the others follow.
    pub first: StepIndex,
    /// What each step waits for: 1 where the task is paused, else nothing.
    pub waiting: i32,
    /// The items in their order, each with the first token of its step.
    pub items: Vec<(Json, Token)>,
}

impl NewItems {
    /// The steps with their places in the list, items and tokens.
    pub fn steps(&self) -> impl Iterator<Item = (StepKey, StepIndex, &Json, Token)> {
        (0..).zip(&self.items).map(|(position, (item, token))| {
            (StepKey { task: self.group.task, index: self.first + position }, position, item, *token)
        })
    }
}

/// A group whose list was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpandedStep {
    /// The group.
    pub key: StepKey,
    /// How many items its list has.
    pub items: u32,
    /// Attempts used: by making the list.
    pub attempts: u16,
}

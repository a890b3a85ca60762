//! Graphs as pictures: of a template, or of a task with the states of its steps. The same graph gives the same
//! picture, whichever language asks.
//!
//! * [`Picture`]: what is drawn: nodes and edges, checked. [`items`] folds the items of a list into one node.
//! * [`layout`]: boxes and lines with coordinates, from `layers` (who stands in which row, in which order) and `places`
//!   (where in the row). [`svg`] is that as a document.
//! * [`rails`]: lines of text, one for each step, with the edges as rails beside them, for terminals.
//! * [`markup`]: the languages of other programs that draw, Mermaid and DOT.

pub mod items;
mod layers;
pub mod layout;
pub mod markup;
mod places;
pub mod rails;
pub mod svg;

use super::analysis::shape::Shape;
use super::fault::Faults;
use super::graph::Graph;
use super::id::StepIndex;
use super::state::StepState;

/// A step to be drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The names of the steps that it needs.
    pub depends_on: Vec<String>,
    /// Where it is; a template's is nowhere.
    pub state: Option<StepState>,
    /// What else there is to say of it, in a few words.
    pub note: Option<String>,
    /// Of the step of a list's item, the name of the step with the list.
    pub item_of: Option<String>,
}

/// A graph that can be drawn.
#[derive(Clone, Debug)]
pub struct Picture {
    title: String,
    nodes: Vec<Node>,
    edges: Vec<(StepIndex, StepIndex)>,
    shape: Shape,
}

impl Picture {
    /// A picture of these steps.
    ///
    /// # Errors
    /// Every fault of the edges: an unknown step, two of a name, a cycle.
    pub fn new(title: impl Into<String>, nodes: Vec<Node>) -> Result<Self, Faults> {
        let steps: Vec<(&str, &[String])> =
            nodes.iter().map(|node| (node.name.as_str(), node.depends_on.as_slice())).collect();
        let edges: Vec<_> = match Graph::build(&steps) {
            Ok(graph) => graph.edges().collect(),
            Err(faults) => Faults::check(faults).map(|()| Vec::new())?,
        };
        let shape = Shape::of(nodes.len(), &edges);
        Ok(Self { title: title.into(), nodes, edges, shape })
    }

    /// What it is called.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Its steps.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Its edges as (parent, child), by parent.
    pub fn edges(&self) -> &[(StepIndex, StepIndex)] {
        &self.edges
    }

    /// What their edges make of them.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
}

/// How a state looks, where there are colours: the fill of a box and its border.
fn colours(state: Option<StepState>) -> (&'static str, &'static str) {
    match state {
        None => ("#ffffff", "#57606a"),
        Some(StepState::Pending) => ("#f6f8fa", "#6e7781"),
        Some(StepState::InProgress) => ("#ddf4ff", "#0969da"),
        Some(StepState::WaitingForRetry) => ("#fff8c5", "#9a6700"),
        Some(StepState::Complete | StepState::ResolvedManually) => ("#dafbe1", "#1a7f37"),
        Some(StepState::Error) => ("#ffebe9", "#cf222e"),
        Some(StepState::Skipped | StepState::Cancelled) => ("#eaeef2", "#6e7781"),
    }
}

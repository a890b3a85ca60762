//! Pictures of graphs, for any host: [`DrawInput`] says what is drawn; text comes of it, or [`Layout`]'s coordinates,
//! or [`Rails`].

use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::domain::drawing::items::folded;
use crate::domain::drawing::layout::{Layout, Point};
use crate::domain::drawing::rails::{self, Charset};
use crate::domain::drawing::{Node, Picture, markup, svg};
use crate::domain::fault::{Fault, Faults, hint};
use crate::domain::state::StepState;
use crate::ffi::shared::reading::Input;
use crate::ffi::shared::validation;

/// The formats of [`DrawInput::draw`].
const FORMATS: &[&str] = &["ascii", "dot", "mermaid", "svg", "text"];

/// What is to be drawn.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct DrawInput {
    /// What it is called.
    #[serde(default)]
    title: Option<String>,
    /// `svg`, `mermaid`, `dot`, `text` or `ascii`; `text` when left out.
    #[serde(default)]
    format: Option<String>,
    /// Whether each item of a list is a step of its own; else the list's step stands for them.
    #[serde(default)]
    items: Option<bool>,
    steps: Vec<DrawnStep>,
}

/// A step of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DrawnStep {
    name: String,
    #[serde(default)]
    depends_on: Option<Vec<String>>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    note: Option<String>,
    /// Of the step of a list's item, the name of the step with the list.
    #[serde(default)]
    item_of: Option<String>,
}

impl Input for DrawInput {
    fn check(&self) -> Result<(), Faults> {
        validation::check(self)
    }
}

impl DrawInput {
    /// The picture, as text of its format.
    ///
    /// # Errors
    /// What is wrong with its steps; a format that there isn't.
    pub fn draw(self) -> Result<String, Faults> {
        let format = self.format.clone();
        let picture = self.into_picture()?;
        match format.as_deref().unwrap_or("text") {
            "svg" => Ok(svg::svg(&picture)),
            "mermaid" => Ok(markup::mermaid(&picture)),
            "dot" => Ok(markup::dot(&picture)),
            "text" => Ok(rails::text(&picture, Charset::Unicode)),
            "ascii" => Ok(rails::text(&picture, Charset::Ascii)),
            other => {
                let known = hint(other, FORMATS.iter().copied());
                let fault = Fault::new("format", format!("there is no format {other:?}{known}"));
                Err(fault.with(FORMATS.join(", "), other).into())
            }
        }
    }

    /// Where everything stands.
    ///
    /// # Errors
    /// What is wrong with its steps.
    pub fn layout(self) -> Result<Placed, Faults> {
        let picture = self.into_picture()?;
        Ok(Placed::of(&picture, Layout::of(&picture)))
    }

    /// Its lines for a terminal.
    ///
    /// # Errors
    /// What is wrong with its steps.
    pub fn rails(self) -> Result<Rails, Faults> {
        let charset = if self.format.as_deref() == Some("ascii") { Charset::Ascii } else { Charset::Unicode };
        let picture = self.into_picture()?;
        let rows = rails::rows(&picture, charset);
        let has_rails = rows.is_some();
        let rows = rows.unwrap_or_else(|| rails::plain(&picture, charset));
        let rows = rows.into_iter().map(|row| {
            let node = row.step.and_then(|(step, _)| picture.nodes().get(step as usize));
            RailRow {
                rails: row.rails,
                mark: row.step.map(|(_, place)| place),
                step: node.map(|node| node.name.clone()),
                note: node.and_then(|node| node.note.clone()),
            }
        });
        Ok(Rails { has_rails, rows: rows.collect() })
    }

    fn into_picture(self) -> Result<Picture, Faults> {
        self.check()?;
        let mut faults = Vec::new();
        let mut node = |(index, step): (usize, DrawnStep)| {
            let state = step.status.as_deref().and_then(|status| {
                let state = StepState::parse(status);
                if state.is_none() {
                    let known = hint(status, StepState::ALL.iter().map(|state| state.as_str()));
                    let message = format!("there is no such status of a step as {status:?}{known}");
                    faults.push(Fault::new(format!("steps[{index}].status"), message));
                }
                state
            });
            let DrawnStep { name, depends_on, note, item_of, .. } = step;
            Node { name, depends_on: depends_on.unwrap_or_default(), state, note, item_of }
        };
        let nodes: Vec<Node> = self.steps.into_iter().enumerate().map(&mut node).collect();
        Faults::check(faults)?;
        let nodes = if self.items.unwrap_or(false) { nodes } else { folded(nodes)? };
        Picture::new(self.title.unwrap_or_default(), nodes)
    }
}

/// A layout as a host sees it: steps are named.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Placed {
    pub width: i32,
    pub height: i32,
    pub steps: Vec<PlacedStep>,
    pub lines: Vec<PlacedLine>,
}

/// A step's box.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct PlacedStep {
    pub name: String,
    pub status: Option<&'static str>,
    pub note: Option<String>,
    pub layer: u32,
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

/// A line from a step to one that needs it.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct PlacedLine {
    pub from: String,
    pub to: String,
    pub points: Vec<(i32, i32)>,
}

impl Placed {
    fn of(picture: &Picture, layout: Layout) -> Self {
        let name = |step: u32| picture.nodes().get(step as usize).map(|node| node.name.clone()).unwrap_or_default();
        let steps = picture.nodes().iter().zip(layout.frames).map(|(node, frame)| PlacedStep {
            name: node.name.clone(),
            status: node.state.map(StepState::as_str),
            note: node.note.clone(),
            layer: frame.layer,
            x: frame.corner.x,
            y: frame.corner.y,
            width: frame.width,
            height: frame.height,
        });
        let lines = layout.lines.into_iter().map(|line| PlacedLine {
            from: name(line.from),
            to: name(line.to),
            points: line.points.into_iter().map(|Point { x, y }| (x, y)).collect(),
        });
        Self { width: layout.width, height: layout.height, steps: steps.collect(), lines: lines.collect() }
    }
}

/// The lines of a graph in a terminal.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Rails {
    /// Whether edges are drawn; there may be too many.
    pub has_rails: bool,
    pub rows: Vec<RailRow>,
}

/// One line.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct RailRow {
    pub rails: String,
    /// Where in it the mark of its step is, in characters.
    pub mark: Option<usize>,
    pub step: Option<String>,
    pub note: Option<String>,
}

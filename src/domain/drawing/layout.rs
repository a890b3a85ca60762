//! A picture with coordinates: boxes in rows, parents above their children, and lines between them. All numbers are
//! pixels from the upper left corner, whole ones, the same on every machine.

use super::layers::{Layers, Slot};
use super::places::places;
use super::{Node, Picture};
use crate::domain::id::StepIndex;

/// The width of a character of a label, and the most that are shown of a name.
const CHARACTER: f64 = 7.4;
const MOST_CHARACTERS: usize = 36;
const PADDING: f64 = 28.0;
const NARROWEST: f64 = 96.0;
const HEIGHT: i32 = 48;
/// Between boxes side by side, and between rows.
const GAP: f64 = 28.0;
const ROW_GAP: i32 = 52;
const BEND: f64 = 6.0;
const MARGIN: i32 = 16;

/// A point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// From the left.
    pub x: i32,
    /// From above.
    pub y: i32,
}

/// A step's box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its row, from above: its level in the graph.
    pub layer: u32,
    /// Its upper left corner.
    pub corner: Point,
    /// How wide it is.
    pub width: i32,
    /// How high it is.
    pub height: i32,
    /// What fits into it of the step's name.
    pub label: String,
}

/// A line from a step to one that needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The step.
    pub from: StepIndex,
    /// The one that needs it.
    pub to: StepIndex,
    /// From the lower side of the one box to the upper side of the other, with a point in each row that it passes.
    pub points: Vec<Point>,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How wide the picture is.
    pub width: i32,
    /// How high it is.
    pub height: i32,
    /// A box for each step, in their order.
    pub frames: Vec<Frame>,
    /// A line for each edge, in their order.
    pub lines: Vec<Line>,
}

impl Layout {
    /// Where everything of a picture stands.
    pub fn of(picture: &Picture) -> Self {
        let layers = Layers::of(picture);
        let labels: Vec<String> = picture.nodes().iter().map(label).collect();
        let widths: Vec<f64> = picture.nodes().iter().zip(&labels).map(|(node, label)| width(node, label)).collect();
        let width = |slot| match slot {
            Slot::Step(step) => widths[step],
            Slot::Bend(_) => BEND,
        };
        let middles = places(&layers, width, GAP);
        let half = |slot: usize| width(layers.slots[slot]) / 2.0;
        let left = (0..middles.len()).map(|slot| middles[slot] - half(slot)).fold(f64::INFINITY, f64::min);
        let right = (0..middles.len()).map(|slot| middles[slot] + half(slot)).fold(f64::NEG_INFINITY, f64::max);
        let x = |slot: usize| (middles[slot] - left).round() as i32 + MARGIN;

        let levels = picture.shape().levels();
        let frames: Vec<Frame> = (labels.into_iter().zip(&widths).enumerate())
            .map(|(step, (label, &width))| {
                let corner = Point { x: x(step) - (width / 2.0) as i32, y: top(levels[step]) };
                Frame { layer: levels[step], corner, width: width as i32, height: HEIGHT, label }
            })
            .collect();
        let line = |(&(from, to), bends): (&(StepIndex, StepIndex), &Vec<usize>)| {
            let begin = Point { x: x(from as usize), y: top(levels[from as usize]) + HEIGHT };
            let end = Point { x: x(to as usize), y: top(levels[to as usize]) };
            let passed = levels[from as usize] + 1..;
            let bends = bends.iter().zip(passed).map(|(&bend, row)| Point { x: x(bend), y: top(row) + HEIGHT / 2 });
            Line { from, to, points: [begin].into_iter().chain(bends).chain([end]).collect() }
        };
        let lines = picture.edges().iter().zip(&layers.bends).map(line).collect();
        let rows = picture.shape().depth() as i32;
        let across = if right > left { (right - left).ceil() as i32 } else { 0 };
        let down = (rows * (HEIGHT + ROW_GAP) - ROW_GAP).max(0);
        Self { width: across + 2 * MARGIN, height: down + 2 * MARGIN, frames, lines }
    }
}

fn top(row: u32) -> i32 {
    MARGIN + row as i32 * (HEIGHT + ROW_GAP)
}

/// A name as far as it fits.
fn label(node: &Node) -> String {
    match node.name.char_indices().nth(MOST_CHARACTERS) {
        None => node.name.clone(),
        Some(_) => {
            let shown: String = node.name.chars().take(MOST_CHARACTERS - 1).collect();
            format!("{shown}…")
        }
    }
}

fn width(node: &Node, label: &str) -> f64 {
    let below = caption(node).map_or(0.0, |text| columns(&text) * 0.85);
    (columns(label).max(below) * CHARACTER + PADDING).max(NARROWEST).ceil()
}

/// How many characters wide a text is; those of East Asia are twice as wide.
fn columns(text: &str) -> f64 {
    text.chars().map(|character| if character >= '\u{1100}' { 2.0 } else { 1.0 }).sum()
}

/// What stands below a step's name: where it is, and what else there is to say.
pub(super) fn caption(node: &Node) -> Option<String> {
    let state = node.state.map(|state| state.as_str().replace('_', " "));
    let note = node.note.as_deref().map(|note| note.chars().take(2 * MOST_CHARACTERS).collect::<String>());
    match (state, note) {
        (Some(state), Some(note)) => Some(format!("{state}, {note}")),
        (state, note) => state.or(note),
    }
}

//! A graph in lines of text: a line for each step in the order of the template, parents before children, and the edges
//! as rails beside them. A rail leads to one step, and all edges to that step run into it:
//!
//! ```text
//! ●    validate
//! ├─╮
//! ● │  reserve
//! │ ●  charge
//! ├─╯
//! ●    ship
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Picture;
use crate::domain::id::StepIndex;
use crate::domain::state::StepState;

/// The most rails. A graph that needs more is shown without them.
pub const MOST_RAILS: usize = 24;

/// What rails and marks are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// Box drawings.
    Unicode,
    /// What every terminal has.
    Ascii,
}

/// A line: rails, and maybe a step's mark among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The rails, without blanks at the end.
    pub rails: String,
    /// The step, and the place of its mark in the rails, in characters.
    pub step: Option<(StepIndex, usize)>,
}

/// The lines of a graph; `None` where it needs too many rails.
pub fn rows(picture: &Picture, charset: Charset) -> Option<Vec<Row>> {
    let mut track = Track { picture, charset, rails: Vec::new(), rows: Vec::new() };
    for step in order(picture) {
        if picture.shape().children(step).len() > MOST_RAILS {
            return None;
        }
        let at = track.step(step);
        track.children(step, at);
        if track.rails.len() > MOST_RAILS {
            return None;
        }
    }
    Some(track.rows)
}

/// A line for each step, without rails.
pub fn plain(picture: &Picture, charset: Charset) -> Vec<Row> {
    let row = |step| Row { rails: mark(charset, picture.nodes()[step as usize].state).into(), step: Some((step, 0)) };
    order(picture).into_iter().map(row).collect()
}

/// Every step after its parents, else in the order of the template.
pub fn order(picture: &Picture) -> Vec<StepIndex> {
    let shape = picture.shape();
    let mut waiting: Vec<usize> =
        (0..picture.nodes().len()).map(|step| shape.parents(step as StepIndex).len()).collect();
    let mut free: BinaryHeap<Reverse<StepIndex>> = shape.roots().map(Reverse).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(Reverse(step)) = free.pop() {
        order.push(step);
        for &child in shape.children(step) {
            waiting[child as usize] -= 1;
            if waiting[child as usize] == 0 {
                free.push(Reverse(child));
            }
        }
    }
    order
}

/// All of it as one text: rails, names, and where the steps are. Without rails each name is followed by what it needs.
pub fn text(picture: &Picture, charset: Charset) -> String {
    let rows = rows(picture, charset);
    let rails = rows.is_some();
    let rows = rows.unwrap_or_else(|| plain(picture, charset));
    let width = rows.iter().map(|row| row.rails.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        text.push_str(&row.rails);
        if let Some((step, _)) = row.step {
            let node = &picture.nodes()[step as usize];
            text.extend(std::iter::repeat_n(' ', width + 2 - row.rails.chars().count()));
            text.push_str(&node.name.replace(char::is_control, " "));
            if let Some(caption) = super::layout::caption(node) {
                text.push_str(&format!(" ({})", caption.replace(char::is_control, " ")));
            }
            if !rails && !node.depends_on.is_empty() {
                text.push_str(&format!(" needs {}", node.depends_on.join(", ").replace(char::is_control, " ")));
            }
        }
        text.push('\n');
    }
    text
}

/// What stands for a step.
pub fn mark(charset: Charset, state: Option<StepState>) -> char {
    let (unicode, ascii) = match state {
        None => ('●', '*'),
        Some(StepState::Pending) => ('○', 'o'),
        Some(StepState::InProgress) => ('▶', '>'),
        Some(StepState::WaitingForRetry) => ('↻', '~'),
        Some(StepState::Complete | StepState::ResolvedManually) => ('✓', '+'),
        Some(StepState::Error) => ('✗', 'x'),
        Some(StepState::Skipped | StepState::Cancelled) => ('⊘', '-'),
    };
    if charset == Charset::Unicode { unicode } else { ascii }
}

/// The rails as they are below the last row.
struct Track<'p> {
    picture: &'p Picture,
    charset: Charset,
    /// Where each leads; `None` where there is none.
    rails: Vec<Option<StepIndex>>,
    rows: Vec<Row>,
}

impl Track<'_> {
    /// The row of a step, whose rail ends there; the step's place.
    fn step(&mut self, step: StepIndex) -> usize {
        let at = self.rail_to(step).unwrap_or_else(|| self.free_rail(0));
        self.rails[at] = Some(step);
        let sign = mark(self.charset, self.picture.nodes()[step as usize].state);
        let cells: Vec<char> = (0..self.rails.len())
            .map(|rail| match self.rails[rail] {
                _ if rail == at => sign,
                Some(_) => '│',
                None => ' ',
            })
            .collect();
        self.push(&cells, |_| false, Some((step, 2 * at)));
        at
    }

    /// The rows in which a step's edges part.
    fn children(&mut self, step: StepIndex, at: usize) {
        let children = self.picture.shape().children(step);
        let (old, new): (Vec<StepIndex>, Vec<StepIndex>) =
            children.iter().partition(|&&child| self.rail_to(child).is_some());
        let mut new = new.into_iter();
        let goes_on = new.next();
        let branches: Vec<(usize, StepIndex)> = new
            .map(|child| {
                let rail = self.free_rail(at + 1);
                self.rails[rail] = Some(child);
                (rail, child)
            })
            .collect();
        if let Some(last) = branches.iter().map(|(rail, _)| *rail).max() {
            self.part(at, last, &branches);
        }
        let mut old =
            old.into_iter().filter_map(|child| self.rail_to(child)).collect::<Vec<_>>().into_iter().peekable();
        while let Some(rail) = old.next() {
            self.run_into(at, rail, goes_on.is_some() || old.peek().is_some());
        }
        self.rails[at] = goes_on;
        while self.rails.last() == Some(&None) {
            self.rails.pop();
        }
    }

    /// New rails to the right.
    fn part(&mut self, at: usize, last: usize, branches: &[(usize, StepIndex)]) {
        let is_new = |rail: usize| branches.iter().any(|(other, _)| *other == rail);
        let cells: Vec<char> = (0..self.rails.len())
            .map(|rail| match self.rails[rail] {
                _ if rail == at => '├',
                _ if rail == last => '╮',
                _ if is_new(rail) => '┬',
                Some(_) if rail > at && rail < last => '┼',
                Some(_) => '│',
                None if rail > at && rail < last => '─',
                None => ' ',
            })
            .collect();
        self.push(&cells, |rail| rail >= at && rail < last, None);
    }

    /// A rail of another step's edges that takes this step's edge up.
    fn run_into(&mut self, at: usize, other: usize, goes_on: bool) {
        let (first, last) = (at.min(other), at.max(other));
        let begin = match (goes_on, other > at) {
            (true, true) => '├',
            (true, false) => '┤',
            (false, true) => '╰',
            (false, false) => '╯',
        };
        let cells: Vec<char> = (0..self.rails.len())
            .map(|rail| match self.rails[rail] {
                _ if rail == at => begin,
                _ if rail == other => {
                    if other > at {
                        '┤'
                    } else {
                        '├'
                    }
                }
                Some(_) if rail > first && rail < last => '┼',
                Some(_) => '│',
                None if rail > first && rail < last => '─',
                None => ' ',
            })
            .collect();
        self.push(&cells, |rail| rail >= first && rail < last, None);
    }

    /// A row of cells with, behind those of which `joined` says so, a line to the next.
    fn push(&mut self, cells: &[char], joined: impl Fn(usize) -> bool, step: Option<(StepIndex, usize)>) {
        let mut rails = String::new();
        for (rail, &cell) in cells.iter().enumerate() {
            rails.push(self.drawn(cell));
            rails.push(if joined(rail) { self.drawn('─') } else { ' ' });
        }
        rails.truncate(rails.trim_end().len());
        self.rows.push(Row { rails, step });
    }

    fn drawn(&self, cell: char) -> char {
        match (self.charset, cell) {
            (Charset::Unicode, cell) => cell,
            (_, '│') => '|',
            (_, '─') => '-',
            (_, '├' | '┤' | '┼' | '┬') => '+',
            (_, '╮') => '.',
            (_, '╯' | '╰') => '\'',
            (_, other) => other,
        }
    }

    fn rail_to(&self, step: StepIndex) -> Option<usize> {
        self.rails.iter().position(|&rail| rail == Some(step))
    }

    /// The first place without a rail, from this one on.
    fn free_rail(&mut self, from: usize) -> usize {
        let free = (from..self.rails.len()).find(|&rail| self.rails[rail].is_none());
        free.unwrap_or_else(|| {
            self.rails.push(None);
            self.rails.len() - 1
        })
    }
}

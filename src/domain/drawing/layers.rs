//! The rows of a drawing and who stands beside whom: Sugiyama, Tagawa and Toda's method (1981). Every edge is cut into
//! links from one row to the next; what stands on a row where an edge only passes is a bend. Rows are then sorted by the
//! mean place of their neighbours, down and up, and the order with the fewest crossings is kept.

use super::Picture;

/// How often all rows are sorted down and up.
const ROUNDS: usize = 8;
/// The most bends. Where there would be more, edges that pass rows go straight through them.
const MOST_BENDS: usize = 20_000;

/// What stands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// A step, by index.
    Step(usize),
    /// A place where an edge passes, by the edge's index.
    Bend(usize),
}

/// Rows of slots, with links between neighbouring rows.
pub(super) struct Layers {
    pub(super) slots: Vec<Slot>,
    /// By row the slots in it, from left to right.
    pub(super) rows: Vec<Vec<usize>>,
    /// The linked slots in the row above, by slot; and below.
    pub(super) above: Vec<Vec<usize>>,
    pub(super) below: Vec<Vec<usize>>,
    /// The slots of the bends of each edge, from above.
    pub(super) bends: Vec<Vec<usize>>,
    /// Where in its row each slot stands.
    place: Vec<usize>,
}

impl Layers {
    pub(super) fn of(picture: &Picture) -> Self {
        let shape = picture.shape();
        let levels = shape.levels();
        let mut layers = Self {
            slots: (0..levels.len()).map(Slot::Step).collect(),
            rows: vec![Vec::new(); shape.depth()],
            above: vec![Vec::new(); levels.len()],
            below: vec![Vec::new(); levels.len()],
            bends: vec![Vec::new(); picture.edges().len()],
            place: Vec::new(),
        };
        for (step, &level) in levels.iter().enumerate() {
            layers.rows[level as usize].push(step);
        }
        let length = |&(parent, child): &(u32, u32)| (levels[child as usize] - levels[parent as usize]) as usize;
        let bent = picture.edges().iter().map(|edge| length(edge) - 1).sum::<usize>() <= MOST_BENDS;
        for (index, edge) in picture.edges().iter().enumerate() {
            if bent || length(edge) == 1 {
                layers.link(index, edge.0 as usize, edge.1 as usize, levels);
            }
        }
        layers.place = vec![0; layers.slots.len()];
        (0..layers.rows.len()).for_each(|row| layers.keep_places(row));
        layers.sort();
        layers
    }

    fn link(&mut self, edge: usize, parent: usize, child: usize, levels: &[u32]) {
        let mut last = parent;
        for row in levels[parent] + 1..levels[child] {
            let bend = self.slots.len();
            self.slots.push(Slot::Bend(edge));
            self.above.push(Vec::new());
            self.below.push(Vec::new());
            self.rows[row as usize].push(bend);
            self.bends[edge].push(bend);
            self.join(last, bend);
            last = bend;
        }
        self.join(last, child);
    }

    fn join(&mut self, upper: usize, lower: usize) {
        self.below[upper].push(lower);
        self.above[lower].push(upper);
    }

    /// Sorts the rows until there are few crossings.
    fn sort(&mut self) {
        let mut fewest = self.crossings();
        let mut best = self.rows.clone();
        for _ in 0..ROUNDS {
            if fewest == 0 {
                break;
            }
            let depth = self.rows.len();
            (1..depth).for_each(|row| self.sort_row(row, |layers, slot| &layers.above[slot]));
            (1..depth).rev().for_each(|row| self.sort_row(row - 1, |layers, slot| &layers.below[slot]));
            let crossings = self.crossings();
            if crossings < fewest {
                fewest = crossings;
                best.clone_from(&self.rows);
            }
        }
        self.rows = best;
    }

    /// Sorts a row by the mean place of each slot's neighbours. One without neighbours stays where it is, so far as the
    /// others let it.
    fn sort_row(&mut self, row: usize, neighbours: impl Fn(&Self, usize) -> &Vec<usize>) {
        let mean = |&slot: &usize| {
            let neighbours = neighbours(self, slot);
            let sum: usize = neighbours.iter().map(|&other| self.place[other]).sum();
            let mean =
                if neighbours.is_empty() { self.place[slot] as f64 } else { sum as f64 / neighbours.len() as f64 };
            (mean, slot)
        };
        let mut keyed: Vec<(f64, usize)> = self.rows[row].iter().map(mean).collect();
        // Sorting is stable: among equals the order stays, which is that of the template at first.
        keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
        self.rows[row] = keyed.into_iter().map(|(_, slot)| slot).collect();
        self.keep_places(row);
    }

    fn keep_places(&mut self, row: usize) {
        for (place, &slot) in self.rows[row].iter().enumerate() {
            self.place[slot] = place;
        }
    }

    /// How many links cross.
    pub(super) fn crossings(&self) -> usize {
        (1..self.rows.len()).map(|row| self.crossings_above(row)).sum()
    }

    /// How many of the links between a row and the one above it cross: pairs of which one starts further left and ends
    /// further right. They are counted from left to right in a Fenwick tree of where those before end.
    fn crossings_above(&self, row: usize) -> usize {
        let mut tree = Tree(vec![0; self.rows[row].len() + 1]);
        let mut crossings = 0;
        for (so_far, end) in self.rows[row - 1]
            .iter()
            .flat_map(|&upper| {
                let mut ends: Vec<usize> = self.below[upper].iter().map(|&lower| self.place[lower]).collect();
                ends.sort_unstable();
                ends
            })
            .enumerate()
        {
            crossings += so_far - tree.up_to(end);
            tree.add(end);
        }
        crossings
    }
}

/// Counts, of which the sum up to a place is found in logarithmic time (Fenwick, 1994).
struct Tree(Vec<usize>);

impl Tree {
    fn add(&mut self, place: usize) {
        let mut at = place + 1;
        while at < self.0.len() {
            self.0[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    /// How many stand at this place or before it.
    fn up_to(&self, place: usize) -> usize {
        let mut at = place + 1;
        let mut sum = 0;
        while at > 0 {
            sum += self.0[at];
            at -= at & at.wrapping_neg();
        }
        sum
    }
}

//! Where in its row everything stands: as near as can be to the middle of its neighbours, in the order of the row and
//! without touching. Going down and up, each row's places are the ones with the least sum of squared distances to where
//! its slots would be (isotonic regression by pooling neighbours that stand too near, as Ayer et al. found in 1955).

use super::layers::{Layers, Slot};

/// How often all rows are placed, down and up.
const ROUNDS: usize = 12;
/// How much more a bend wants to stand straight below its neighbour than a step does.
const STRAIGHTNESS: f64 = 4.0;

/// The middle of each slot. Two neighbours in a row are at least half of both widths and a gap apart.
pub(super) fn places(layers: &Layers, width: impl Fn(Slot) -> f64, gap: f64) -> Vec<f64> {
    let widths: Vec<f64> = layers.slots.iter().map(|&slot| width(slot)).collect();
    let mut middles = vec![0.0; widths.len()];
    for row in &layers.rows {
        place(row, &widths, gap, |_| 0.0, |_| 1.0, &mut middles);
    }
    let depth = layers.rows.len();
    for round in 0..ROUNDS {
        let last = round + 1 == ROUNDS;
        for row in 1..depth {
            pull(layers, row, &widths, gap, |slot| [&layers.above[slot], NONE], &mut middles);
        }
        for row in (0..depth.saturating_sub(1)).rev() {
            let upper = |slot: usize| if last { &layers.above[slot] } else { NONE };
            pull(layers, row, &widths, gap, |slot| [&layers.below[slot], upper(slot)], &mut middles);
        }
    }
    middles
}

const NONE: &Vec<usize> = &Vec::new();

/// Places a row by the means of these neighbours.
fn pull<'l>(
    layers: &Layers,
    row: usize,
    widths: &[f64],
    gap: f64,
    neighbours: impl Fn(usize) -> [&'l Vec<usize>; 2],
    middles: &mut [f64],
) {
    let row = &layers.rows[row];
    let mean = |&slot: &usize| {
        let neighbours = neighbours(slot);
        let all = neighbours.iter().flat_map(|list| list.iter());
        let count = neighbours.iter().map(|list| list.len()).sum::<usize>();
        if count == 0 { middles[slot] } else { all.map(|&other| middles[other]).sum::<f64>() / count as f64 }
    };
    let wanted: Vec<f64> = row.iter().map(mean).collect();
    let weight = |slot: usize| match layers.slots[slot] {
        Slot::Bend(_) => STRAIGHTNESS,
        Slot::Step(_) => 1.0,
    };
    place(row, widths, gap, |at| wanted[at], weight, middles);
}

/// Slots that stand as close together as they may, and move as one.
struct Block {
    /// Where it stands, less the offsets of its slots.
    place: f64,
    weight: f64,
    slots: usize,
}

/// Places one row.
fn place(
    row: &[usize],
    widths: &[f64],
    gap: f64,
    wanted: impl Fn(usize) -> f64,
    weight: impl Fn(usize) -> f64,
    middles: &mut [f64],
) {
    // How far from the first slot each may be at the least; less this, the places only have to be in order.
    let mut offsets = Vec::with_capacity(row.len());
    let mut blocks: Vec<Block> = Vec::new();
    for (at, &slot) in row.iter().enumerate() {
        let offset = match at.checked_sub(1) {
            None => 0.0,
            Some(before) => offsets[before] + (widths[row[before]] + widths[slot]) / 2.0 + gap,
        };
        offsets.push(offset);
        let mut block = Block { place: wanted(at) - offset, weight: weight(slot), slots: 1 };
        while let Some(before) = blocks.pop_if(|before| before.place >= block.place) {
            let weight = before.weight + block.weight;
            let place = (before.place * before.weight + block.place * block.weight) / weight;
            block = Block { place, weight, slots: before.slots + block.slots };
        }
        blocks.push(block);
    }
    let places = blocks.iter().flat_map(|block| std::iter::repeat_n(block.place, block.slots));
    for ((&slot, offset), place) in row.iter().zip(offsets).zip(places) {
        middles[slot] = place + offset;
    }
}

//! How the time that something takes grows with its size: measured in one run, so that neither the machine nor what
//! else it does counts.

use std::time::{Duration, Instant};

/// Runs that other programs delay are slow, the quickest of many is not.
const MOST_ROUNDS: usize = 30;
const FEWEST_ROUNDS: usize = 3;

/// Checks that `work` of the second size takes at most `most` times as long as of the first.
pub fn at_most(most: f64, sizes: [usize; 2], mut work: impl FnMut(usize)) {
    let mut quickest = [Duration::MAX; 2];
    for round in 1..=MOST_ROUNDS {
        for (size, quickest) in sizes.into_iter().zip(&mut quickest) {
            let started = Instant::now();
            work(size);
            *quickest = started.elapsed().min(*quickest);
        }
        if round >= FEWEST_ROUNDS && quickest[1] <= quickest[0].mul_f64(most) {
            return;
        }
    }
    panic!("{sizes:?} took {quickest:?}, and the second may take {most} times as long");
}

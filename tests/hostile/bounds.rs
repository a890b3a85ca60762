//! Runs a test on many inputs, and holds each to its time and memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How long one input may take, on a machine that is busy with other tests.
const LONGEST: Duration = Duration::from_secs(10);
/// What one input may need: so many bytes, and so many for each of its own.
const MOST_BYTES: (usize, usize) = (32 << 20, 400);

/// Counts what each thread holds.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// What the thread holds more than when its count began, and the most of it until now.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    // An error: the thread ends, and nobody asks any more.
    let _ = HELD.try_with(|held| {
        let now = held.get().0 + bytes;
        held.set((now, held.get().1.max(now)));
    });
}

// SAFETY: every call is handed on as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps to what `alloc` asks.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller keeps to what `dealloc` asks.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Runs `test` on inputs by chance; `size` tells how many bytes an input has.
pub fn try_many<S>(what: &str, inputs: &S, size: impl Fn(&S::Value) -> usize, test: impl Fn(S::Value))
where
    S: Strategy,
    S::Value: Debug,
{
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("TASKER_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("{what}: TASKER_SEED={seed}");
    let cases = number("TASKER_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(1_000);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 5_000, ..Config::default() };
    let bytes: Vec<u8> = seed.to_le_bytes().into_iter().cycle().take(32).collect();
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = runner.run(inputs, |input| {
        let allowed = MOST_BYTES.0 + MOST_BYTES.1 * size(&input);
        let began = Instant::now();
        HELD.set((0, 0));
        test(input);
        let most = usize::try_from(HELD.get().1).unwrap_or(0);
        prop_assert!(most <= allowed, "it held {most} bytes, of {allowed} allowed");
        prop_assert!(began.elapsed() < LONGEST, "it took {:?}", began.elapsed());
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{what}, TASKER_SEED={seed}: {error}");
    }
}

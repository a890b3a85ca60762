//! The engine's own transactions in a random order, crashes among them, on two databases side by side and in memory: after
//! each, both gave the same answer, hold the same steps in the same places as the model, and keep what must always hold.
//!
//! * [`actions`]: what happens. [`world`]: a database, and who works on it. [`seen`]: where every step is, and what must
//!   hold of that. [`oracle`]: the model.
//!
//! `TASKER_SEED=7` repeats the run with that seed; the seed of a failed run stands in its output. `TASKER_RUNS=100` has
//! so many runs of other seeds.

mod actions;
mod oracle;
mod seen;
mod world;

use fastrand::Rng;

use actions::{Action, History};
use oracle::Oracle;
use world::World;

/// How many actions a run has.
const ACTIONS: usize = 240;

fn side_by_side(default_seed: u64) {
    let seed = std::env::var("TASKER_SEED").map_or(default_seed, |seed| seed.parse().expect("a number"));
    println!("TASKER_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let other = crate::support::fresh_postgres();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let sqlite = World::open(&format!("sqlite:{}/test.sqlite3", folder.path().display())).await;
        let postgres = World::open(&other.url).await;
        run(seed, [sqlite, postgres]).await;
    });
}

async fn run(seed: u64, mut worlds: [World; 2]) {
    let mut rng = Rng::with_seed(seed);
    let mut history = History::default();
    let mut oracle = Oracle::new(&worlds[0]);
    for number in 0..ACTIONS {
        // What the first world holds is what the second holds: that was compared.
        let action = Action::random(&mut rng, &mut history, &worlds[0]);
        action.wake(&mut history);
        // Where the model finds fault with an answer it says so itself: this tells what was asked.
        let about = format!("seed {seed}, action {number}: {action:?}");
        let [one, two] = &mut worlds;
        let (first, second) = (one.act(&action).await, two.act(&action).await);
        assert_eq!(first, second, "{about}");
        oracle.act(&action, &first, &about);
        let (first, second) = (one.see(&history).await, two.see(&history).await);
        assert_eq!(first, second, "after {about}");
        oracle.compare(&first, &about);
        if let Err(broken) = first.check(one) {
            panic!("after {about}: {broken}");
        }
        history.ended(&first);
    }
    history.all_again();
    let (first, second) = (worlds[0].see(&history).await, worlds[1].see(&history).await);
    assert_eq!(first, second, "seed {seed}, at the end");
    oracle.compare(&first, "at the end");
    println!("{}", first.summary());
    for world in worlds {
        world.close().await;
    }
}

#[test]
fn the_first_seed_goes_the_same_way_on_both() {
    side_by_side(1);
}

#[test]
fn the_second_seed_goes_the_same_way_on_both() {
    side_by_side(0xdead_beef);
}

#[test]
fn any_other_seed_goes_the_same_way_on_both() {
    let runs = std::env::var("TASKER_RUNS").map_or(1, |runs| runs.parse().expect("a number"));
    (0..runs).for_each(|_| side_by_side(fastrand::u64(..)));
}

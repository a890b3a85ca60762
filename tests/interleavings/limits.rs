//! Keys of limits that come and go, and slots that change them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tasker_core::domain::id::{StepKey, TaskId, Token};
use tasker_core::domain::limit::LimitKey;
use tasker_core::engine::intent::TaskIntent;
use tasker_core::engine::transactions::purge::GiveBackSpace;
use tasker_core::storage::rows::Slot;

use crate::stepping::*;
use crate::support::host::single;

fn keys(names: &[&str]) -> Vec<LimitKey> {
    names.iter().map(|&name| LimitKey(name.into())).collect()
}

// Locks keys, and counts its tries.
transaction!(Lock { keys: Vec<LimitKey>, tries: Arc<AtomicU32> } -> (), |self, tx| {
    self.tries.fetch_add(1, Ordering::SeqCst);
    tx.lock_limits(&self.keys).await
});

transaction!(LockAndForget { keys: Vec<LimitKey>, tries: Arc<AtomicU32> } -> (), |self, tx| {
    self.tries.fetch_add(1, Ordering::SeqCst);
    tx.lock_limits(&self.keys).await?;
    tx.forget_limits(&self.keys).await
});

#[test]
fn whoever_lacks_a_key_and_has_others_waits_in_their_order() {
    let scene = Scene::with(&[]);
    let tries = Arc::new(AtomicU32::new(0));
    let lock = |names: &[&str]| Lock { keys: keys(names), tries: tries.clone() };
    scene.run(lock(&["c", "d"]));
    let (c, d) = (Gate::new(), Gate::new());
    let holds_c = scene.begin(Committing { transaction: lock(&["c"]), gate: c.clone() });
    let holds_d = scene.begin(Committing { transaction: lock(&["d"]), gate: d.clone() });
    c.until_reached();
    d.until_reached();
    let one = scene.begin(lock(&["a", "b", "c"]));
    scene.until_waiting(1, &one);
    let makes_b = scene.begin(lock(&["b"]));
    scene.until_waiting(2, &makes_b);
    let other = scene.begin(lock(&["a", "b", "d"]));
    // With it, whoever waits for one of these two.
    scene.until_waiting(2, &other);
    c.open();
    holds_c.end();
    d.open();
    for running in [holds_d, one, makes_b, other] {
        running.end();
    }
    assert_eq!(tries.load(Ordering::SeqCst), 6, "nobody was tried again after a deadlock");
}

#[test]
fn keys_that_come_and_go_deadlock_nobody() {
    let scene = Scene::with(&[]);
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let tries = Arc::new(AtomicU32::new(0));
    let running: Vec<_> = (0..400)
        .map(|_| {
            let mut names = ["a", "b", "c", "d", "e", "f"].to_vec();
            names.retain(|_| random.bool());
            let (keys, tries) = (keys(&names), tries.clone());
            match random.bool() {
                true => scene.begin(Lock { keys, tries }),
                false => scene.begin(LockAndForget { keys, tries }),
            }
        })
        .collect();
    running.into_iter().for_each(Running::end);
    assert_eq!(tries.load(Ordering::SeqCst), 400, "none was tried again");
}

#[test]
fn locks_that_nothing_counts_for_go_with_what_is_purged() {
    let scene = Scene::with(&[single()]);
    let task = scene.host.create("single", TaskIntent::default());
    let tries = Arc::new(AtomicU32::new(0));
    let lock = |names: &[&str]| Lock { keys: keys(names), tries: tries.clone() };
    scene.run(lock(&["a", "b", "c", "d", "e"]));
    let between = Gate::new();
    between.open();
    scene.run(TakeEach { slots: vec![slot("c", task, 0)], between });
    let gate = Gate::new();
    let holding = scene.begin(Committing { transaction: lock(&["e"]), gate: gate.clone() });
    gate.until_reached();
    let left = || scene.number("SELECT count(*) FROM tasker_limit_locks");
    assert!(scene.run(GiveBackSpace { pages: 2 }), "there may be more");
    assert_eq!(left(), 3);
    assert!(!scene.run(GiveBackSpace { pages: 2 }));
    assert_eq!(left(), 2, "one has a slot, one is held");
    gate.open();
    holding.end();
}

fn slot(key: &str, task: TaskId, token: i32) -> Slot {
    Slot { key: LimitKey(key.into()), step: StepKey { task, index: 0 }, token: Token(token) }
}

// Takes one slot after the other.
transaction!(TakeEach { slots: Vec<Slot>, between: Gate } -> (), |self, tx| {
    for slot in &self.slots {
        tx.take_slots(std::slice::from_ref(slot)).await?;
        self.between.pass().await;
    }
    Ok(())
});

transaction!(Count { key: LimitKey, tries: Arc<AtomicU32> } -> usize, |self, tx| {
    self.tries.fetch_add(1, Ordering::SeqCst);
    let keys = [self.key.clone()];
    tx.lock_limits(&keys).await?;
    Ok(tx.count_slots(&keys).await?.first().map_or(0, |&(_, taken)| taken))
});

#[test]
fn a_slot_that_is_taken_under_another_key_meanwhile_stays() {
    let scene = Scene::with(&[single()]);
    let task = scene.host.create("single", TaskIntent::default());
    let (between, gate) = (Gate::new(), Gate::new());
    between.open();
    between.open();
    scene.run(TakeEach { slots: vec![slot("a", task, 7)], between: between.clone() });
    let transaction = TakeEach { slots: vec![slot("b", task, 0)], between };
    let taking = scene.begin(Committing { transaction, gate: gate.clone() });
    gate.until_reached();
    let tries = Arc::new(AtomicU32::new(0));
    let count = |key: &str| Count { key: LimitKey(key.into()), tries: tries.clone() };
    let counting = scene.begin(count("a"));
    scene.until_waiting(1, &counting);
    gate.open();
    taking.end();
    assert_eq!((counting.end(), scene.run(count("b"))), (0, 1));
}

/// Both slots were left by attempts that an operation ended; their steps are claimed under another key by now.
#[test]
fn slots_that_change_their_key_are_not_waited_for() {
    let scene = Scene::with(&[single()]);
    let [one, two] = [(); 2].map(|()| scene.host.create("single", TaskIntent::default()));
    let between = Gate::new();
    between.open();
    between.open();
    // In the order in which they are found, the last one first.
    scene.run(TakeEach { slots: vec![slot("a", two, 7), slot("a", one, 7)], between: between.clone() });
    between.until_reached();
    between.until_reached();
    let again = vec![slot("b", one, 0), slot("b", two, 0)];
    let taking = scene.begin(TakeEach { slots: again, between: between.clone() });
    between.until_reached();
    let tries = Arc::new(AtomicU32::new(0));
    let count = |key: &str| Count { key: LimitKey(key.into()), tries: tries.clone() };
    let counting = scene.begin(count("a"));
    scene.until_waiting(1, &counting);
    between.open();
    between.open();
    taking.end();
    assert_eq!(counting.end(), 0);
    assert_eq!(tries.load(Ordering::SeqCst), 1, "no deadlock");
    assert_eq!((scene.run(count("a")), scene.run(count("b"))), (0, 2));
}

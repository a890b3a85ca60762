//! The order of locks: any two or three transactions, each a sequence of locks, interleaved in every way.
//!
//! The table says what each transaction of `src/engine/transactions` locks on PostgreSQL, in the order in which its
//! statements do. A few tasks stand for many; their steps stand so that keys do not follow the graph: step 4 comes
//! before step 0. A step is held or blocked, never both, so no transaction's own step is another's child here.
//!
//! One meeting is left out, which this order does not rule out. Whoever waits for a step's lock while an operation gives
//! the step to somebody else has the lock afterwards and not the step, which may be a child again; if what it locks next
//! was restarted, claimed and reported in that same while, a settlement may have that and wait for the child. PostgreSQL
//! ends one of them, and the store runs that again.

use std::time::Instant;

use stateright::{Checker, Model, Property};

/// What is locked. The order of the variants, then of the keys, is the order of `storage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Lock {
    Session(u8),
    Step(u8, u8),
    Timer(u8),
    Ready(u8),
    Limit(u8),
    Receipt(u8),
    Task(u8),
}

/// What is done where another has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Wish {
    Wait,
    /// As `Wait`, beside others that share it.
    Share,
    Skip,
    /// Everything is given up.
    GiveUp,
}

#[derive(Clone, Debug)]
struct Plan {
    name: &'static str,
    locks: Vec<(Wish, Lock)>,
}

use Lock::{Limit, Ready, Receipt, Session, Step, Task, Timer};
use Wish::{GiveUp, Share, Skip, Wait};

fn plan(name: &'static str, locks: &[(Wish, Lock)]) -> Plan {
    Plan { name, locks: locks.to_vec() }
}

/// Every kind of transaction that locks what others lock.
fn plans() -> Vec<Plan> {
    vec![
        // settle.rs: two workers end the two parents of step 2 in each of two tasks, then claim.
        settle("settle", 0, 1, [0, 1]),
        settle("settle of the other parent", 1, 3, [0, 1]),
        // settle.rs, sent again: the session alone.
        plan(
            "settle, sent again",
            &[(Wait, Session(0)), (Wait, Receipt(0)), (Wait, Step(0, 1)), (Wait, Step(0, 2)), (Wait, Task(0))],
        ),
        // settle.rs with children.rs: step 4 ends and releases step 0, whose key comes before its own.
        plan(
            "settle against the keys",
            &[(Share, Session(1)), (Wait, Step(0, 4)), (Wait, Step(0, 0)), (Wait, Task(0))],
        ),
        // sessions.rs: its own session, then those past their end.
        plan("renew", &[(Wait, Session(0)), (Skip, Session(1))]),
        plan("renew of the other", &[(Wait, Session(1)), (Skip, Session(0))]),
        // sessions.rs: the steps of a receipt go back, of those that are still its own; slots of limits; tasks last. Its
        // session was shut out, so that nobody settles under it.
        plan(
            "recover",
            &[
                (Wait, Step(0, 1)),
                (Wait, Step(1, 3)),
                (Wait, Limit(0)),
                (Wait, Receipt(2)),
                (Wait, Task(0)),
                (Wait, Task(1)),
            ],
        ),
        operate("operate", 0, GiveUp),
        // checkpoints.rs.
        plan("checkpoints", &[(Wait, Step(0, 1)), (Wait, Step(0, 3)), (Wait, Step(1, 1))]),
        // purge.rs: steps, then tasks. Of ended tasks only, whose steps no settlement locks: their states are none that
        // its fence lets pass.
        plan("purge", &[(Wait, Step(2, 1)), (Wait, Step(2, 2)), (Wait, Step(2, 3)), (Wait, Task(2))]),
        operate("operate on what ended", 2, GiveUp),
        // annotate.rs.
        plan("annotate", &[(Share, Task(0))]),
        plan("annotate what ended", &[(Share, Task(2))]),
    ]
}

fn settle(name: &'static str, session: u8, own: u8, children: [u8; 2]) -> Plan {
    let own = [0, 1].map(|task| (Wait, Step(task, own)));
    let children = children.map(|task| (Wait, Step(task, 2)));
    let queue = [(Skip, Timer(0)), (Skip, Ready(0)), (Skip, Ready(1)), (Wait, Limit(0))];
    let tasks = [(Wait, Task(0)), (Wait, Task(1))];
    let locks = [&[(Share, Session(session)), (Wait, Receipt(session))], &own[..], &children, &queue, &tasks].concat();
    Plan { name, locks }
}

/// operate.rs: all steps of a task by key, its timers, its ready rows, the task.
fn operate(name: &'static str, task: u8, steps: Wish) -> Plan {
    let steps = [0, 1, 2, 3, 4].map(|step| (steps, Step(task, step)));
    Plan { name, locks: [&steps[..], &[(Wait, Timer(task)), (Wait, Ready(task)), (Wait, Task(task))]].concat() }
}

/// How far each transaction is, and which of its locks it has; past its last lock it is over.
type Progress = Vec<(usize, Vec<(bool, Lock)>)>;

struct Interleaving(Vec<Plan>);

impl Interleaving {
    fn is_over(&self, progress: &Progress) -> bool {
        self.0.iter().zip(progress).all(|(plan, (at, _))| *at > plan.locks.len())
    }
}

impl Model for Interleaving {
    type State = Progress;
    type Action = usize;

    fn init_states(&self) -> Vec<Progress> {
        vec![vec![(0, Vec::new()); self.0.len()]]
    }

    fn actions(&self, _: &Progress, actions: &mut Vec<usize>) {
        actions.extend(0..self.0.len());
    }

    /// Takes the next lock, or commits after the last; `None` while it waits.
    fn next_state(&self, progress: &Progress, one: usize) -> Option<Progress> {
        let (at, held) = &progress[one];
        let locks = &self.0[one].locks;
        let mut next = progress.clone();
        let Some(&(wish, lock)) = locks.get(*at) else {
            next[one] = (locks.len() + 1, Vec::new());
            return (*at == locks.len()).then_some(next);
        };
        let shares = wish == Share;
        let mut others = progress.iter().enumerate().filter(|(other, _)| *other != one).flat_map(|(_, (_, held))| held);
        let is_taken = others.any(|(shared, taken)| *taken == lock && !(shares && *shared));
        next[one].0 += 1;
        match wish {
            _ if held.iter().any(|(_, mine)| *mine == lock) => {}
            _ if !is_taken => next[one].1.push((shares, lock)),
            Wait | Share => return None,
            Skip => {}
            GiveUp => next[one] = (locks.len() + 1, Vec::new()),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always(NO_DEADLOCK, |model, progress| {
            model.is_over(progress) || (0..model.0.len()).any(|one| model.next_state(progress, one).is_some())
        })]
    }
}

const NO_DEADLOCK: &str = "some transaction goes on until all are over";

/// The run into a deadlock, if there is any; and how many states there are.
fn deadlock(plans: Vec<Plan>) -> (Option<Vec<usize>>, usize) {
    let checked = Interleaving(plans).checker().spawn_bfs().join();
    (checked.discovery(NO_DEADLOCK).map(|path| path.into_actions()), checked.unique_state_count())
}

#[test]
fn no_two_or_three_transactions_block_each_other() {
    let start = Instant::now();
    let plans = plans();
    let (mut together, mut states) = (0, 0);
    for first in 0..plans.len() {
        for second in first..plans.len() {
            // Two that block each other show once the third is over.
            for third in second..plans.len() {
                let trio = [first, second, third].map(|at| plans[at].clone());
                let names = trio.each_ref().map(|plan| plan.name);
                let (found, seen) = deadlock(trio.to_vec());
                assert_eq!(found, None, "{names:?} come to a deadlock");
                (together, states) = (together + 1, states + seen);
            }
        }
    }
    println!("locks: {together} trios, {states} states, {:.1} s", start.elapsed().as_secs_f64());
}

#[test]
fn children_in_opposite_orders_are_caught() {
    let (found, _) = deadlock(vec![settle("one", 0, 1, [0, 1]), settle("other", 1, 3, [1, 0])]);
    assert!(found.is_some(), "two settlements that lock children in opposite orders");
}

#[test]
fn an_operation_that_waits_for_steps_is_caught() {
    let against = plans().into_iter().find(|plan| plan.name == "settle against the keys").expect("it is in the table");
    let (found, _) = deadlock(vec![operate("operate", 0, Wait), against]);
    assert!(found.is_some(), "an operation that waits for steps in the order of keys");
}

/// Its receipt names the child of one task and the parent of another; both were restarted since.
#[test]
fn a_recovery_that_locks_what_is_in_other_hands_is_caught() {
    let recover = plan("recover", &[(Wait, Step(0, 2)), (Wait, Step(1, 0))]);
    let (found, _) = deadlock(vec![settle("settle", 0, 0, [0, 1]), recover]);
    assert!(found.is_some(), "a recovery that locks a child before a step of a settlement");
}

#[test]
fn tasks_before_children_are_caught() {
    let early = plan("tasks first", &[(Wait, Step(0, 3)), (Wait, Task(0)), (Wait, Step(0, 2))]);
    let (found, _) = deadlock(vec![settle("settle", 0, 1, [0, 1]), early]);
    assert!(found.is_some(), "a settlement that locks a task before a child");
}

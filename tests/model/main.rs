//! Models of the protocol, checked exhaustively: every order of claims, reports, lost answers, deaths, late
//! renewals and operations by hand, within budgets that keep each model finite.
//!
//! * [`world`]: the database, with transactions that ask `domain` what becomes of steps and tasks. [`protocol`]: who
//!   may act when, and what must hold. [`broken`]: variants that the checker has to catch.
//! * [`locks`]: the order in which transactions take locks.

mod broken;
mod locks;
mod protocol;
mod world;

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Instant;

use stateright::{Checker, Model};
use tasker_core::domain::branches::Branches;
use tasker_core::domain::graph::Graph;
use tasker_core::domain::operation::TaskOperation;

use protocol::{Fence, Protocol, Release, Troubles};

/// Two parents of one child.
const JOIN: &[&[usize]] = &[&[], &[], &[0, 1]];
/// A step, two beside each other, and one after both.
const DIAMOND: &[&[usize]] = &[&[], &[0], &[0], &[1, 2]];
/// One after the other.
const CHAIN: &[&[usize]] = &[&[], &[0]];
const NO_TROUBLE: Troubles =
    Troubles { deaths: 0, late_renewals: 0, lost_answers: 0, failures: 0, operations: Vec::new() };

/// The protocol as it is, on steps given by the numbers of their parents.
fn protocol(parents: &[&[usize]], operations: Vec<TaskOperation>, troubles: Troubles) -> Protocol {
    let names: Vec<String> = (0..parents.len()).map(|number| format!("s{number}")).collect();
    let needs: Vec<Vec<String>> =
        parents.iter().map(|parents| parents.iter().map(|&parent| names[parent].clone()).collect()).collect();
    let steps: Vec<(&str, &[String])> = names.iter().map(String::as_str).zip(needs.iter().map(Vec::as_slice)).collect();
    let troubles = Troubles { operations: (0..operations.len()).collect(), ..troubles };
    Protocol {
        graph: Graph::build(&steps).expect("the graph has no fault"),
        branches: Branches::default(),
        fence: Fence::Token,
        release: Release::Counter,
        recalls: true,
        operations,
        troubles,
    }
}

/// Whether no run of the model is endless: a search in depth that meets no state which it is still in.
fn is_acyclic(model: &Protocol) -> bool {
    let fingerprint = |world: &protocol::World| {
        let mut hasher = DefaultHasher::new();
        world.hash(&mut hasher);
        hasher.finish()
    };
    let mut is_left: HashMap<u64, bool> = HashMap::new();
    let mut path: Vec<(u64, Vec<protocol::World>)> = Vec::new();
    let mut next = model.init_states().pop();
    loop {
        if let Some(world) = next.take() {
            let print = fingerprint(&world);
            match is_left.get(&print) {
                Some(false) => return false,
                Some(true) => {}
                None => {
                    is_left.insert(print, false);
                    path.push((print, model.next_states(&world)));
                }
            }
        }
        let Some((print, children)) = path.last_mut() else { return true };
        next = children.pop();
        if next.is_none() {
            is_left.insert(*print, true);
            path.pop();
        }
    }
}

/// Checks every state of the model, and tells how many these are.
fn holds(name: &str, model: Protocol) {
    let start = Instant::now();
    assert!(is_acyclic(&model), "{name}: some run is endless");
    let checked = model.checker().spawn_bfs().join();
    let (states, depth, seconds) = (checked.unique_state_count(), checked.max_depth(), start.elapsed());
    println!("{name}: {states} states, {depth} actions at the most, {:.1} s", seconds.as_secs_f64());
    assert!(checked.is_done(), "{name}: not every state was looked at");
    checked.assert_properties();
}

#[test]
fn a_diamond_survives_a_death() {
    holds("diamond, death", protocol(DIAMOND, vec![], Troubles { deaths: 1, ..NO_TROUBLE }));
}

#[test]
fn a_diamond_survives_a_late_renewal_and_a_failure() {
    let troubles = Troubles { late_renewals: 1, failures: 1, ..NO_TROUBLE };
    holds("diamond, late renewal, failure", protocol(DIAMOND, vec![], troubles));
}

#[test]
fn a_join_survives_lost_answers_and_a_death() {
    let troubles = Troubles { deaths: 1, lost_answers: 2, ..NO_TROUBLE };
    holds("join, lost answers, death", protocol(JOIN, vec![], troubles));
}

#[test]
fn a_join_is_cancelled_and_run_again() {
    let operations = vec![TaskOperation::Cancel, TaskOperation::RestartFrom(0)];
    let troubles = Troubles { lost_answers: 1, ..NO_TROUBLE };
    holds("join, cancel, restart, lost answer", protocol(JOIN, operations, troubles));
}

#[test]
fn a_failed_chain_is_retried_by_hand() {
    let troubles = Troubles { failures: 3, lost_answers: 1, ..NO_TROUBLE };
    let operations = vec![TaskOperation::Retry, TaskOperation::Cancel];
    holds("chain, failures, retry, cancel, lost answer", protocol(CHAIN, operations, troubles));
}

#[test]
fn a_step_that_keeps_killing_its_worker_ends() {
    let troubles = Troubles { deaths: 1, late_renewals: 1, ..NO_TROUBLE };
    holds("chain, death, late renewal, retry", protocol(CHAIN, vec![TaskOperation::Retry], troubles));
}

#[test]
fn a_chain_is_paused_and_resumed() {
    let operations = vec![TaskOperation::Pause, TaskOperation::Resume, TaskOperation::Cancel];
    let troubles = Troubles { deaths: 1, failures: 1, ..NO_TROUBLE };
    holds("chain, pause, resume, cancel, death, failure", protocol(CHAIN, operations, troubles));
}

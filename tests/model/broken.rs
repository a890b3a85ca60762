//! Protocols that look right and are not: each has to be caught, by the property that is there for it. They
//! show that the check can fail.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};
use tasker_core::domain::operation::TaskOperation;

use crate::protocol::{
    ALL_DONE, COUNTERS, Fence, NOTHING_AFTER_END, NOTHING_LATE, ONE_HOLDER, ONE_PLACE, ONE_RESULT, PARENTS_FIRST,
    PROGRESS, Protocol, Release, Troubles,
};
use crate::{CHAIN, JOIN, NO_TROUBLE, protocol};

/// Whether the checker finds a run that breaks each of these properties; it tells the run.
fn is_caught(name: &str, model: Protocol, properties: &[&'static str]) {
    for &property in properties {
        let wanted = HasDiscoveries::AllOf(BTreeSet::from([property]));
        let checked = model.clone().checker().finish_when(wanted).spawn_bfs().join();
        let Some(path) = checked.discovery(property) else { panic!("{name}: not caught by {property:?}") };
        println!("{name}: against {property:?}, {} states: {:?}", checked.unique_state_count(), path.into_actions());
    }
}

/// A failure is sent twice, and a person tries the step again in between.
fn resent() -> Protocol {
    protocol(CHAIN, vec![TaskOperation::Retry], Troubles { lost_answers: 1, failures: 2, ..NO_TROUBLE })
}

#[test]
fn without_a_fence() {
    let model = Protocol { fence: Fence::None, ..resent() };
    is_caught("no fence", model.clone(), &[NOTHING_LATE, ONE_RESULT, COUNTERS]);
    let cancelled = protocol(CHAIN, vec![TaskOperation::Cancel], NO_TROUBLE);
    is_caught("no fence, cancel", Protocol { fence: Fence::None, ..cancelled }, &[NOTHING_AFTER_END]);
}

#[test]
fn with_a_fence_that_looks_at_the_state_only() {
    is_caught("state only", Protocol { fence: Fence::StateOnly, ..resent() }, &[NOTHING_LATE]);
}

#[test]
fn with_the_attempt_for_a_token() {
    // A retry by hand begins at the first attempt again.
    is_caught("attempt as token, retry", Protocol { fence: Fence::Attempt, ..resent() }, &[NOTHING_LATE]);
    // So does a restart, while the holder of before still runs.
    let restarted = protocol(CHAIN, vec![TaskOperation::Cancel, TaskOperation::RestartFrom(0)], NO_TROUBLE);
    is_caught("attempt as token, restart", Protocol { fence: Fence::Attempt, ..restarted }, &[NOTHING_LATE]);
}

#[test]
fn with_a_look_back_instead_of_a_counter() {
    let model = Protocol { release: Release::LookBack, ..protocol(JOIN, vec![], NO_TROUBLE) };
    is_caught("look-back", model, &[ONE_PLACE, ALL_DONE]);
}

#[test]
fn without_a_look_for_what_was_claimed_unheard() {
    let model = protocol(CHAIN, vec![], Troubles { lost_answers: 1, ..NO_TROUBLE });
    is_caught("claims forgotten", Protocol { recalls: false, ..model }, &[PROGRESS]);
}

#[test]
fn with_any_parent_instead_of_all() {
    let model = Protocol { release: Release::AnyParent, ..protocol(JOIN, vec![], NO_TROUBLE) };
    is_caught("any parent", model, &[PARENTS_FIRST, ONE_HOLDER]);
}

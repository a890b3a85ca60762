//! An end against a cancellation, and a recovery against a retry: whichever comes first, the other one finds it.
//!
//! `TASKER_RACES=5000 cargo nextest run --test processes races` has as many of each.

use std::collections::BTreeMap;

use tasker_core::domain::state::{StepState, TaskState};
use tasker_core::engine::intent::TaskIntent;

use crate::actor::{Actor, in_a_moment};
use crate::support::host::{Host, LEASE};
use crate::{asked, check_rest, random, templates};

/// Rounds of a test.
fn rounds() -> usize {
    asked("TASKER_RACES", 100)
}

crate::on_each_database! {
    fn a_task_ends_or_is_cancelled(url: &str) {
        let mut random = random();
        let (mut worker, mut person) = (Actor::on(url), Actor::on(url));
        let host = Host::start(url, 0, LEASE, &templates());
        let mut outcomes: BTreeMap<(bool, bool, bool), usize> = BTreeMap::new();
        for _ in 0..rounds() {
            let is_chain = random.bool();
            let task = host.create(if is_chain { "chain" } else { "single" }, TaskIntent::default());
            assert_eq!(worker.ask("claim default 1"), "1");
            let at = in_a_moment();
            let later = |random: &mut fastrand::Rng| at + random.u128(..3_000_000);
            worker.tell(&format!("settle {} forwards -", later(&mut random)));
            person.tell(&format!("cancel {} {task}", later(&mut random)));
            let settled = worker.numbers()[0] == 1;
            let cancelled = match person.answer().as_str() {
                "changed Some(true)" => true,
                "refused" => false,
                other => panic!("{other}"),
            };
            let steps: Vec<StepState> = host.steps(task).into_iter().map(|step| step.state).collect();
            let (cut, done) = (StepState::Cancelled, StepState::Complete);
            let expected = match (is_chain, settled, cancelled) {
                (false, true, false) => (TaskState::Complete, vec![done]),
                (false, false, true) => (TaskState::Cancelled, vec![cut]),
                (true, true, true) => (TaskState::Cancelled, vec![cut, done]),
                (true, false, true) => (TaskState::Cancelled, vec![cut, cut]),
                impossible => panic!("(chain, settled, cancelled) = {impossible:?}: {steps:?}"),
            };
            assert_eq!((host.state(task), steps), expected);
            assert_eq!(worker.ask("claim default 1"), "0", "nothing of it is left");
            *outcomes.entry((is_chain, settled, cancelled)).or_default() += 1;
        }
        println!("(chain, settled, cancelled): {outcomes:?}");
        check_rest(url);
        host.end();
    }

    fn a_lost_step_comes_back_beside_one_that_is_retried(url: &str) {
        let mut random = random();
        let (mut keeper, mut person, mut lost) = (Actor::on(url), Actor::on(url), Actor::start());
        let host = Host::start(url, 0, LEASE, &templates());
        for _ in 0..rounds().div_ceil(2) {
            let task = host.create("pair", TaskIntent::default());
            lost.ask(&format!("open 0 {url}"));
            assert_eq!(lost.ask("claim default 1"), "1", "the step that is to be lost");
            assert_eq!(keeper.ask("claim default 1"), "1", "the step that is to fail");
            keeper.ask("settle 0 forwards fails");
            assert_eq!(lost.ask("lose"), "lost");
            let at = in_a_moment();
            let later = |random: &mut fastrand::Rng| at + random.u128(..2_000_000);
            keeper.tell(&format!("recover {}", later(&mut random)));
            person.tell(&format!("retry {} {task}", later(&mut random)));
            assert_eq!(keeper.numbers(), [1, 0], "it is returned, once, and no deadlock ended that");
            assert_eq!(person.answer(), "changed Some(true)");
            let steps = host.steps(task);
            let seen = steps.iter().map(|step| (step.state, step.crashes, step.attempts)).collect::<Vec<_>>();
            let pending = StepState::Pending;
            assert_eq!(seen, [(pending, 1, 0), (pending, 0, 0), (pending, 0, 0)]);
            assert!(lost.ask("settle 0 forwards -").starts_with("0 "), "it is late");
            assert_eq!(keeper.ask("claim default 3"), "2", "both, once");
            keeper.ask("settle 0 forwards -");
            assert_eq!(keeper.ask("claim default 3"), "1", "their child");
            keeper.ask("settle 0 forwards -");
            assert_eq!(host.state(task), TaskState::Complete);
        }
        check_rest(url);
        host.end();
    }
}

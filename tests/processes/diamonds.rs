//! Diamonds whose two parents end at the same instant, in two processes that report them in opposite orders.
//!
//! `TASKER_DIAMONDS=20000 cargo nextest run --test processes diamonds` has as many of them.

use tasker_core::domain::id::TaskId;
use tasker_core::domain::state::TaskState;
use tasker_core::engine::intent::TaskIntent;

use crate::actor::{Actor, in_a_moment};
use crate::support::host::{Host, LEASE};
use crate::{asked, check_rest, random, templates};

crate::on_each_database! {
    fn parents_that_end_at_once_release_their_child_once(url: &str) {
        let mut random = random();
        let (mut one, mut other) = (Actor::on(url), Actor::on(url));
        let host = Host::start(url, 0, LEASE, &templates());
        let (mut diamonds, mut rounds, mut at_once) = (0, 0, 0);
        while diamonds < asked("TASKER_DIAMONDS", 500) {
            let width = random.usize(1..=4);
            let tasks: Vec<TaskId> = (0..width).map(|_| host.create("diamond", TaskIntent::default())).collect();
            let claim = |actor: &mut Actor, queue: &str| actor.ask(&format!("claim {queue} {}", width + 1));
            assert_eq!(claim(&mut one, "default"), width.to_string(), "the tops");
            one.ask("settle 0 forwards -");
            assert_eq!(claim(&mut one, "default"), width.to_string(), "one parent of each");
            assert_eq!(claim(&mut other, "right"), width.to_string(), "the other parent of each");
            let at = in_a_moment();
            one.tell(&format!("settle {at} forwards -"));
            other.tell(&format!("settle {at} backwards -"));
            let (one_did, other_did) = (one.numbers(), other.numbers());
            let expected = [width as u128, 1];
            assert_eq!(one_did[..2], expected, "all were accepted, and no deadlock ended it");
            assert_eq!(other_did[..2], expected, "all were accepted, and no deadlock ended it");
            at_once += usize::from(one_did[2] < other_did[3] && other_did[2] < one_did[3]);
            assert_eq!(claim(&mut one, "default"), width.to_string(), "each child once");
            one.ask("settle 0 forwards -");
            assert!(tasks.iter().all(|&task| host.state(task) == TaskState::Complete));
            (diamonds, rounds) = (diamonds + width, rounds + 1);
        }
        println!("{diamonds} diamonds in {rounds} rounds, in {at_once} of which both settled at once");
        assert!(at_once * 2 > rounds, "they hardly ever met: {at_once} times in {rounds} rounds");
        check_rest(url);
        host.end();
    }
}

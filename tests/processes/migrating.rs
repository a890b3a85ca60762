//! Processes that start at the same instant on a database that is empty, or of an earlier version.

use tasker_core::domain::state::TaskState;
use tasker_core::engine::intent::TaskIntent;

use crate::actor::{Actor, in_a_moment};
use crate::fixtures::{load, versions};
use crate::support::behind::rows_behind_the_back;
use crate::support::host::{Host, LEASE, block};
use crate::templates;

/// Has processes open it at once, and do a task.
fn open_at_once(url: &str, from: usize) {
    let mut actors: Vec<Actor> = (0..3).map(|_| Actor::start()).collect();
    let at = in_a_moment() + 50_000_000;
    actors.iter_mut().for_each(|actor| actor.tell(&format!("open {at} {url}")));
    assert!(actors.iter_mut().all(|actor| actor.answer() == "opened"));
    let applied = "SELECT 'version ' || version FROM tasker_schema_migrations ORDER BY version";
    let expected: Vec<String> = (1..=versions()).map(|version| format!("version {version}")).collect();
    assert_eq!(block(rows_behind_the_back(url, applied)), expected, "from {from}, each once");
    let host = Host::start(url, 0, LEASE, &templates());
    let task = host.create("diamond", TaskIntent::default());
    let (first, others) = actors.split_first_mut().expect("some");
    for _ in 0..2 {
        assert_ne!(first.ask("claim default 1"), "0");
        first.ask("settle 0 forwards -");
    }
    assert_eq!(others[0].ask("claim right 1"), "1");
    others[0].ask("settle 0 forwards -");
    assert_eq!(others[1].ask("claim default 1"), "1");
    others[1].ask("settle 0 forwards -");
    assert_eq!(host.state(task), TaskState::Complete);
    host.end();
}

crate::on_each_database! {
    fn processes_that_start_at_once_migrate_an_empty_database_once(url: &str) {
        open_at_once(url, 0);
    }

    fn processes_that_start_at_once_migrate_the_first_version_once(url: &str) {
        load(url, 1);
        open_at_once(url, 1);
    }
}

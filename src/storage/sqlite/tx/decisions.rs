//! What decisions choose, and the steps that they skip.

use rusqlite::Connection;

use super::settlement::held_step;
use super::{each, probe};
use crate::domain::id::{StepIndex, StepKey};
use crate::domain::state::StepState;
use crate::domain::time::Timestamp;
use crate::storage::Result;
use crate::storage::rows::HeldStep;
use crate::storage::sqlite::values::{Route, step_key};

const FIND_BLOCKED: &str = "
    SELECT task_id, idx, state, token, attempts, crashes FROM tasker_workflow_steps
    WHERE task_id = ?1 AND idx = ?2 AND state = 'pending' AND waiting > 0";

const BYPASSED: &str =
    "SELECT task_id, idx FROM tasker_workflow_steps WHERE task_id = ?1 AND idx = ?2 AND bypassed = 1";

pub(super) const BYPASS_STEP: &str = "
    UPDATE tasker_workflow_steps SET state = ?3, token = token + 1, waiting = 0, bypassed = 1, finished_at = ?4
    WHERE task_id = ?1 AND idx = ?2";

pub(super) const KEEP_ROUTE: &str = "UPDATE tasker_workflow_steps SET route = ?3 WHERE task_id = ?1 AND idx = ?2";

pub(super) fn find_blocked(connection: &Connection, keys: &[StepKey]) -> Result<Vec<HeldStep>> {
    probe(connection, FIND_BLOCKED, keys, |key| (key.task, key.index), held_step)
}

pub(super) fn bypassed(connection: &Connection, keys: &[StepKey]) -> Result<Vec<StepKey>> {
    probe(connection, BYPASSED, keys, |key| (key.task, key.index), |row| step_key(row, 0))
}

pub(super) fn bypass_steps(connection: &Connection, keys: &[StepKey], to: StepState, now: Timestamp) -> Result<()> {
    each(connection, BYPASS_STEP, keys, |key| (key.task, key.index, to, now))
}

pub(super) fn keep_routes(connection: &Connection, rows: &[(StepKey, Vec<StepIndex>)]) -> Result<()> {
    each(connection, KEEP_ROUTE, rows, |(key, route)| (key.task, key.index, Route(route.clone())))
}

//! Values on their way into statements and out of rows.

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgRow, Postgres};
use sqlx::{Decode, Row, Type};
use uuid::Uuid;

use crate::domain::id::{LaneId, StepIndex, StepKey, TaskId, Token};
use crate::domain::json::Json;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;
use crate::storage::rows::ReadyRow;
use crate::storage::{Result, StoreError};

/// A column by its place.
pub(super) fn get<'r, T>(row: &'r PgRow, column: usize) -> Result<T>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(column).map_err(|error| StoreError::Database(format!("a row cannot be read: {error}").into()))
}

/// A moment for a statement.
///
/// # Errors
/// [`StoreError::Data`] when it is some 260,000 years away.
pub(super) fn instant(at: Timestamp) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(at.0)
        .ok_or_else(|| StoreError::Data(format!("the moment {} is out of range", at.0).into()))
}

/// [`instant`] of one that may be missing.
pub(super) fn instant_option(at: Option<Timestamp>) -> Result<Option<DateTime<Utc>>> {
    at.map(instant).transpose()
}

/// A moment in a row.
pub(super) fn timestamp(row: &PgRow, column: usize) -> Result<Timestamp> {
    get::<DateTime<Utc>>(row, column).map(|at| Timestamp(at.timestamp_micros()))
}

/// A moment in a row that may be missing.
pub(super) fn timestamp_option(row: &PgRow, column: usize) -> Result<Option<Timestamp>> {
    Ok(get::<Option<DateTime<Utc>>>(row, column)?.map(|at| Timestamp(at.timestamp_micros())))
}

/// Free JSON in a row, read as text.
pub(super) fn json(row: &PgRow, column: usize) -> Result<Json> {
    get::<&str>(row, column).map(Json::from_trusted)
}

/// Free JSON in a row that may be missing.
pub(super) fn json_option(row: &PgRow, column: usize) -> Result<Option<Json>> {
    Ok(get::<Option<&str>>(row, column)?.map(Json::from_trusted))
}

/// A step's state in a row, read as text.
pub(super) fn step_state(row: &PgRow, column: usize) -> Result<StepState> {
    step_state_named(get(row, column)?)
}

/// The step's state with this name.
pub(super) fn step_state_named(name: &str) -> Result<StepState> {
    StepState::parse(name).ok_or_else(|| StoreError::Database(format!("{name:?} is not a state of a step").into()))
}

/// A task's state in a row, read as text.
pub(super) fn task_state(row: &PgRow, column: usize) -> Result<TaskState> {
    let name: &str = get(row, column)?;
    TaskState::parse(name).ok_or_else(|| StoreError::Database(format!("{name:?} is not a state of a task").into()))
}

/// A task's id in a row.
pub(super) fn task_id(row: &PgRow, column: usize) -> Result<TaskId> {
    get(row, column).map(TaskId)
}

/// A step's key in a row: its task and, in the next column, its index.
pub(super) fn step_key(row: &PgRow, column: usize) -> Result<StepKey> {
    Ok(StepKey { task: task_id(row, column)?, index: index(get(row, column + 1)?) })
}

/// A step's index as stored. No task has that many steps that it would not fit.
pub(super) fn stored_index(index: StepIndex) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

/// A step's index from its stored form.
pub(super) fn index(stored: i32) -> StepIndex {
    StepIndex::try_from(stored).unwrap_or(0)
}

/// A count of attempts or crashes as stored. Templates allow 10,000.
pub(super) fn stored_count(count: u16) -> i16 {
    i16::try_from(count).unwrap_or(i16::MAX)
}

/// A count of attempts or crashes from its stored form.
pub(super) fn count(stored: i16) -> u16 {
    u16::try_from(stored).unwrap_or(0)
}

/// A priority as stored: lower goes first.
pub(super) fn rank(priority: i16) -> i32 {
    -i32::from(priority)
}

/// A priority from its stored form.
pub(super) fn priority(rank: i32) -> i16 {
    i16::try_from(-i64::from(rank)).unwrap_or(0)
}

/// A limit for a statement.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Step keys as two arrays, in key order.
pub(super) fn key_arrays(keys: &[StepKey]) -> (Vec<Uuid>, Vec<i32>) {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.iter().map(|key| (key.task.0, stored_index(key.index))).unzip()
}

/// Step keys with their tokens as three arrays, in key order.
pub(super) fn held_arrays(held: &[(StepKey, Token)]) -> (Vec<Uuid>, Vec<i32>, Vec<i32>) {
    let mut held = held.to_vec();
    held.sort_unstable_by_key(|(key, _)| *key);
    held.iter().map(|(key, token)| (key.task.0, stored_index(key.index), token.0)).collect()
}

/// Ids in order.
pub(super) fn id_array(ids: &[TaskId]) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids
}

/// Claimable steps as arrays, one for each column.
#[derive(Default)]
pub(super) struct ReadyArrays {
    pub lanes: Vec<i32>,
    pub ranks: Vec<i32>,
    pub tasks: Vec<Uuid>,
    pub idxs: Vec<i32>,
    pub tokens: Vec<i32>,
    pub attempts: Vec<i16>,
    pub states: Vec<&'static str>,
}

impl<'a> FromIterator<&'a ReadyRow> for ReadyArrays {
    fn from_iter<I: IntoIterator<Item = &'a ReadyRow>>(rows: I) -> Self {
        let mut arrays = Self::default();
        for row in rows {
            arrays.lanes.push(row.lane.0);
            arrays.ranks.push(rank(row.priority));
            arrays.tasks.push(row.key.task.0);
            arrays.idxs.push(stored_index(row.key.index));
            arrays.tokens.push(row.token.0);
            arrays.attempts.push(stored_count(row.attempts));
            arrays.states.push(row.state.as_str());
        }
        arrays
    }
}

/// A claimable step in a row whose first columns are lane, rank, task, index, token, attempts and
/// state.
pub(super) fn ready_row(row: &PgRow) -> Result<ReadyRow> {
    Ok(ReadyRow {
        lane: LaneId(get(row, 0)?),
        priority: priority(get(row, 1)?),
        key: step_key(row, 2)?,
        token: Token(get(row, 4)?),
        attempts: count(get(row, 5)?),
        state: step_state(row, 6)?,
    })
}

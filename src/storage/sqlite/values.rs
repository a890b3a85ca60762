//! How the domain's types stand in a column.

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

use crate::domain::id::{LaneId, NamedTaskId, ReceiptId, RevisionId, SessionId, StepIndex, StepKey, TaskId, Token};
use crate::domain::json::Json;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;
use crate::storage::rows::{ReadyRow, TimerKind};

/// Newtypes over an integer.
macro_rules! integers {
    ($($name:ident: $of:ty),+) => { $(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.0.into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <$of>::column_result(value).map(Self)
            }
        }
    )+ };
}

/// Newtypes over a UUID: 16 bytes, which sort as the UUID does.
macro_rules! uuids {
    ($($name:ident),+) => { $(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 16]>::column_result(value).map(Uuid::from_bytes).map(Self)
            }
        }
    )+ };
}

/// States, by their names.
macro_rules! states {
    ($($name:ident),+) => { $(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let name = value.as_str()?;
                Self::parse(name).ok_or_else(|| FromSqlError::Other(format!("{name:?} is no state").into()))
            }
        }
    )+ };
}

integers!(Timestamp: i64, NamedTaskId: i64, RevisionId: i64, LaneId: i32, Token: i32);
uuids!(TaskId, SessionId, ReceiptId);
states!(TaskState, StepState);

impl ToSql for Json {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Json {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(Self::from_trusted)
    }
}

impl ToSql for TimerKind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

/// The branches that a decision chose: a JSON array.
pub(super) struct Route(pub Vec<StepIndex>);

impl ToSql for Route {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(format!("{:?}", self.0).into())
    }
}

impl FromSql for Route {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// A priority as the queue's keys hold it: the most urgent first.
pub(super) fn rank(priority: i16) -> i32 {
    -i32::from(priority)
}

/// A row of `lane, rank, task_id, idx, token, attempts, state`, beginning at the column `first`.
pub(super) fn ready_row(row: &Row<'_>, first: usize) -> rusqlite::Result<ReadyRow> {
    let rank: i32 = row.get(first + 1)?;
    Ok(ReadyRow {
        lane: row.get(first)?,
        priority: i16::try_from(-i64::from(rank))
            .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(first + 1, rank.into()))?,
        key: step_key(row, first + 2)?,
        token: row.get(first + 4)?,
        attempts: row.get(first + 5)?,
        state: row.get(first + 6)?,
    })
}

/// A `task_id, idx`, beginning at the column `first`.
pub(super) fn step_key(row: &Row<'_>, first: usize) -> rusqlite::Result<StepKey> {
    Ok(StepKey { task: row.get(first)?, index: row.get(first + 1)? })
}

/// A `LIMIT`.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

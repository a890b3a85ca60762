//! What people look at: one task, its steps, its history.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row};

use super::{all, probe, sessions};
use crate::domain::id::{SessionId, StepIndex, StepKey, TaskId, Token};
use crate::domain::json::Json;
use crate::domain::state::{StepState, TaskState};
use crate::domain::time::Timestamp;
use crate::storage::rows::{HeldNow, HistoryRow, Hold, StepProgress, StepRow, StoredTransition, TaskRow};
use crate::storage::sqlite::values::Route;
use crate::storage::{Result, StoreError};

/// The columns that [`task_row`] reads, and where they come from. CROSS JOIN keeps the order: a
/// listing reads tasks from the newest on and stops early, whatever the planner knows of it.
macro_rules! select_tasks {
    ($rest:literal) => {
        select_tasks!("tasker_tasks t", $rest)
    };
    ($from:literal, $rest:literal) => {
        concat!(
            "SELECT t.id, n.name, d.name, d.version, t.revision_id, t.state, t.key, t.priority, t.queue, t.tags,
                t.initiator, t.reason, t.run_at, t.context, t.created_at, t.started_at, t.finished_at, t.error
            FROM ",
            $from,
            "
            CROSS JOIN tasker_named_tasks d ON d.id = t.named_task_id
            CROSS JOIN tasker_task_namespaces n ON n.id = d.namespace_id ",
            $rest
        )
    };
}
pub(super) use select_tasks;

pub(super) const TASK: &str = select_tasks!("WHERE t.id = ?1");

pub(super) const STEPS: &str = "
    SELECT s.idx, state, attempts, crashes, waiting, token, result, error, started_at, finished_at, next_retry_at,
        checkpoint, route, bypassed, i.item, items
    FROM tasker_workflow_steps s
    LEFT JOIN tasker_workflow_step_items i ON i.task_id = s.task_id AND i.idx = s.idx
    WHERE s.task_id = ?1
    ORDER BY s.idx";

pub(super) const PROGRESS: &str = "
    SELECT idx, state, attempts, started_at, finished_at, next_retry_at, token, items
    FROM tasker_workflow_steps
    WHERE task_id = ?1
    ORDER BY idx";

pub(super) const PARKED: &str = "SELECT idx FROM tasker_parked WHERE task_id = ?1 ORDER BY idx";

pub(super) const TASK_HISTORY: &str = "
    SELECT NULL, seq, from_state, to_state, at, 0, NULL, detail
    FROM tasker_task_transitions
    WHERE task_id = ?1
    ORDER BY seq";

/// What is recorded, and the steps whose rows tell of plain successes.
pub(super) const STEP_HISTORY: &str = "
    SELECT idx, seq, from_state, to_state, at, attempt, session_id, detail, claimed_at, coalesce(claimed_by, session_id)
    FROM tasker_workflow_step_transitions
    WHERE task_id = ?1
    UNION ALL
    SELECT idx, 2 * token, 'in_progress', state, finished_at, attempts, settled_by, NULL, started_at, settled_by
    FROM tasker_workflow_steps
    WHERE task_id = ?1 AND settled_by IS NOT NULL
    ORDER BY 1, 2";

const TOKEN: &str = "SELECT token FROM tasker_workflow_steps WHERE task_id = ?1 AND idx = ?2";

const STATE: &str = "SELECT state FROM tasker_tasks WHERE id = ?1";

pub(super) fn tasks(connection: &Connection, ids: &[TaskId]) -> Result<Vec<TaskRow>> {
    probe(connection, TASK, ids, |id| [*id], RawTask::read)?.into_iter().map(RawTask::decode).collect()
}

pub(super) fn steps(connection: &Connection, task: TaskId) -> Result<Vec<StepRow>> {
    let mut steps = all(connection, STEPS, [task], step_row)?;
    let claimed = Claimed::of(connection, task)?;
    for step in &mut steps {
        (step.state, step.attempts) = claimed.seen(step.index, step.token, step.items, step.state, step.attempts);
    }
    Ok(steps)
}

pub(super) fn progress(connection: &Connection, task: TaskId) -> Result<Vec<StepProgress>> {
    let claimed = Claimed::of(connection, task)?;
    all(connection, PROGRESS, [task], |row| {
        let index = row.get(0)?;
        let items = row.get(7)?;
        let (state, attempts) = claimed.seen(index, row.get(6)?, items, row.get(1)?, row.get(2)?);
        let (started_at, finished_at, next_retry_at) = (row.get(3)?, row.get(4)?, row.get(5)?);
        Ok(StepProgress { index, state, attempts, started_at, finished_at, next_retry_at, items })
    })
}

/// The steps of a task that receipts name. A step is in progress while a receipt names it with the token that it still
/// has: a receipt may outlive a step that was meanwhile moved by hand.
struct Claimed(HashMap<(StepIndex, Token), Hold>);

impl Claimed {
    fn of(connection: &Connection, task: TaskId) -> Result<Self> {
        let claimed = sessions::claimed_steps(connection, task)?.into_iter();
        Ok(Self(claimed.map(|(step, hold)| ((step.key.index, step.token), hold)).collect()))
    }

    /// The state and attempts of a step that is stored with these.
    fn seen(
        &self,
        index: StepIndex,
        token: Token,
        items: Option<u32>,
        state: StepState,
        attempts: u16,
    ) -> (StepState, u16) {
        match self.held(index, token, items, state, attempts) {
            Some(held) => (StepState::InProgress, held.attempt),
            None => (state, attempts),
        }
    }

    /// The step as it is held, if it is. That a list was made was the attempt of its group.
    fn held(
        &self,
        index: StepIndex,
        token: Token,
        items: Option<u32>,
        state: StepState,
        attempts: u16,
    ) -> Option<HeldNow> {
        let &hold = self.0.get(&(index, token)).filter(|_| state.is_unfinished())?;
        let attempt = attempts.saturating_add(u16::from(items.is_none()));
        Some(HeldNow { index, token, from: state, attempt, hold })
    }
}

pub(super) fn parked(connection: &Connection, task: TaskId) -> Result<Vec<StepIndex>> {
    all(connection, PARKED, [task], |row| row.get(0))
}

pub(super) fn task_history(connection: &Connection, task: TaskId) -> Result<Vec<HistoryRow>> {
    all(connection, TASK_HISTORY, [task], history_row)
}

pub(super) fn step_history(connection: &Connection, task: TaskId) -> Result<Vec<StoredTransition>> {
    all(connection, STEP_HISTORY, [task], |row| {
        let (since, by): (Option<Timestamp>, Option<SessionId>) = (row.get(8)?, row.get(9)?);
        let hold = since.zip(by).map(|(since, by)| Hold { since, by });
        Ok(StoredTransition { row: history_row(row)?, hold })
    })
}

pub(super) fn held_now(connection: &Connection, task: TaskId) -> Result<Vec<HeldNow>> {
    let claimed = Claimed::of(connection, task)?;
    let held = all(connection, PROGRESS, [task], |row| {
        Ok(claimed.held(row.get(0)?, row.get(6)?, row.get(7)?, row.get(1)?, row.get(2)?))
    })?;
    Ok(held.into_iter().flatten().collect())
}

pub(super) fn superseded(connection: &Connection, held: &[(StepKey, Token)]) -> Result<Vec<(StepKey, Token)>> {
    let mut find = connection.prepare_cached(TOKEN)?;
    let mut superseded = Vec::new();
    for (key, token) in held {
        let now: Option<Token> = find.query_row((key.task, key.index), |row| row.get(0)).optional()?;
        if now != Some(*token) {
            superseded.push((*key, *token));
        }
    }
    Ok(superseded)
}

pub(super) fn ended(connection: &Connection, ids: &[TaskId]) -> Result<Vec<TaskId>> {
    let mut find = connection.prepare_cached(STATE)?;
    let mut ended = Vec::new();
    for id in ids {
        let state: Option<TaskState> = find.query_row([id], |row| row.get(0)).optional()?;
        if state.is_none_or(TaskState::is_ended) {
            ended.push(*id);
        }
    }
    Ok(ended)
}

/// A task before its tags are taken apart.
pub(super) struct RawTask {
    task: TaskRow,
    tags: String,
}

impl RawTask {
    /// Reads a row of [`select_tasks`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let task = TaskRow {
            id: row.get(0)?,
            namespace: row.get(1)?,
            name: row.get(2)?,
            version: row.get(3)?,
            revision: row.get(4)?,
            state: row.get(5)?,
            key: row.get(6)?,
            priority: row.get(7)?,
            queue: row.get(8)?,
            tags: Vec::new(),
            initiator: row.get(10)?,
            reason: row.get(11)?,
            run_at: row.get(12)?,
            context: row.get(13)?,
            created_at: row.get(14)?,
            started_at: row.get(15)?,
            finished_at: row.get(16)?,
            error: row.get(17)?,
        };
        Ok(Self { task, tags: row.get(9)? })
    }

    pub(super) fn decode(mut self) -> Result<TaskRow> {
        self.task.tags = serde_json::from_str(&self.tags).map_err(|error| {
            StoreError::Database(format!("the tags of the task {} are damaged: {error}", self.task.id).into())
        })?;
        Ok(self.task)
    }
}

fn step_row(row: &Row<'_>) -> rusqlite::Result<StepRow> {
    Ok(StepRow {
        index: row.get(0)?,
        state: row.get(1)?,
        attempts: row.get(2)?,
        crashes: row.get(3)?,
        waiting: row.get(4)?,
        token: row.get(5)?,
        result: row.get::<_, Option<Json>>(6)?,
        error: row.get(7)?,
        started_at: row.get(8)?,
        finished_at: row.get(9)?,
        next_retry_at: row.get(10)?,
        checkpoint: row.get(11)?,
        route: row.get::<_, Option<Route>>(12)?.map(|route| route.0),
        bypassed: row.get(13)?,
        item: row.get(14)?,
        items: row.get(15)?,
    })
}

fn history_row(row: &Row<'_>) -> rusqlite::Result<HistoryRow> {
    Ok(HistoryRow {
        index: row.get(0)?,
        seq: row.get(1)?,
        from: row.get(2)?,
        to: row.get(3)?,
        at: row.get(4)?,
        attempt: row.get(5)?,
        by: row.get(6)?,
        detail: row.get(7)?,
    })
}

//! Remarks on tasks.

use rusqlite::{Connection, OptionalExtension};

use super::{all, terms};
use crate::domain::id::TaskId;
use crate::domain::search::Term;
use crate::domain::time::Timestamp;
use crate::storage::Result;
use crate::storage::rows::{AnnotationRow, NewAnnotation, TermRow};

/// Nothing where there is no such task.
const ANNOTATE: &str = "
    INSERT INTO tasker_task_annotations (task_id, id, at, type, by, value)
    SELECT id, ?2, ?3, ?4, ?5, ?6 FROM tasker_tasks WHERE id = ?1
    ON CONFLICT (task_id, id) DO UPDATE SET id = excluded.id
    RETURNING at";

/// Those of one task are few.
pub(super) const ANNOTATIONS: &str = "
    SELECT type, value, by, at
    FROM tasker_task_annotations
    WHERE task_id = ?1 AND (?2 IS NULL OR type = ?2)
    ORDER BY at, id";

pub(super) fn annotate(connection: &Connection, new: &NewAnnotation, now: Timestamp) -> Result<Option<Timestamp>> {
    let made_at = connection
        .prepare_cached(ANNOTATE)?
        .query_row((new.task, new.id.as_bytes(), now, &new.kind, &new.by, &new.value), |row| row.get(0))
        .optional()?;
    if made_at.is_some() {
        terms::put(connection, &[TermRow { task: new.task, term: Term::annotation(&new.kind) }])?;
    }
    Ok(made_at)
}

pub(super) fn of_task(connection: &Connection, task: TaskId, kind: Option<&str>) -> Result<Vec<AnnotationRow>> {
    all(connection, ANNOTATIONS, (task, kind), |row| {
        Ok(AnnotationRow { kind: row.get(0)?, value: row.get(1)?, by: row.get(2)?, at: row.get(3)? })
    })
}

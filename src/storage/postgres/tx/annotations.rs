//! Remarks on tasks.

use super::{PostgresTx, terms};
use crate::domain::id::TaskId;
use crate::domain::search::Term;
use crate::domain::time::Timestamp;
use crate::storage::Result;
use crate::storage::postgres::values::{get, json, timestamp};
use crate::storage::rows::{AnnotationRow, NewAnnotation, TermRow};

/// A probe of the primary key, which whoever deletes the task waits for. Nothing where there is none.
const ANNOTATE: &str = "
    WITH held AS MATERIALIZED (SELECT id FROM tasker_tasks WHERE id = $1 FOR KEY SHARE)
    INSERT INTO tasker_task_annotations AS a (task_id, id, at, type, by, value)
    SELECT held.id, $2, $3, $4, $5, $6::text::json FROM held
    ON CONFLICT (task_id, id) DO UPDATE SET id = a.id
    RETURNING a.at";

/// Walks the primary key of the task's annotations, which are few.
const ANNOTATIONS: &str = "
    SELECT type, value::text, by, at
    FROM tasker_task_annotations
    WHERE task_id = $1 AND ($2::text IS NULL OR type = $2)
    ORDER BY at, id";

pub(super) async fn annotate(tx: &mut PostgresTx<'_>, new: &NewAnnotation) -> Result<Option<Timestamp>> {
    let now = tx.now_stored().await?;
    let statement = sqlx::query(ANNOTATE)
        .bind(new.task.0)
        .bind(new.id)
        .bind(now)
        .bind(new.kind.clone())
        .bind(new.by.clone())
        .bind(new.value.as_str());
    let Some(row) = tx.row(statement).await? else { return Ok(None) };
    terms::put(tx, &[TermRow { task: new.task, term: Term::annotation(&new.kind) }]).await?;
    timestamp(&row, 0).map(Some)
}

pub(super) async fn of_task(tx: &mut PostgresTx<'_>, task: TaskId, kind: Option<&str>) -> Result<Vec<AnnotationRow>> {
    let rows = tx.rows(sqlx::query(ANNOTATIONS).bind(task.0).bind(kind.map(str::to_owned))).await?;
    let annotation = |row: &sqlx::postgres::PgRow| {
        Ok(AnnotationRow { kind: get(row, 0)?, value: json(row, 1)?, by: get(row, 2)?, at: timestamp(row, 3)? })
    };
    rows.iter().map(annotation).collect()
}

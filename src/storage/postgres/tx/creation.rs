//! Keys, tasks and steps to insert.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::PostgresTx;
use crate::domain::id::{NamedTaskId, TaskId};
use crate::storage::postgres::values::{get, instant_option, task_id};
use crate::storage::rows::{KeyRow, NewSteps, NewTask};
use crate::storage::{Result, StoreError};

/// Probes of the primary key, locked in id order. KEY SHARE: creators do not wait for one another,
/// whoever replaces the version waits for them.
const HOLD: &str = "
    SELECT clock_timestamp() FROM tasker_named_tasks WHERE id = ANY ($1) ORDER BY id FOR KEY SHARE";

/// In key order, so that two processes that take the same keys wait for one another in one order.
const TAKE_KEYS: &str = "
    INSERT INTO tasker_task_keys (namespace, name, key, task_id)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[])
    ON CONFLICT (namespace, name, key) DO NOTHING
    RETURNING namespace, name, key";

/// Probes of the primary key; a statement of its own, which sees what the insert waited for.
const KEY_OWNERS: &str = "
    SELECT k.namespace, k.name, k.key, k.task_id
    FROM unnest($1::text[], $2::text[], $3::text[]) AS w (namespace, name, key)
    JOIN tasker_task_keys AS k ON k.namespace = w.namespace AND k.name = w.name AND k.key = w.key";

/// Tags come as array literals, since an array of arrays must not be ragged.
const INSERT_TASKS: &str = "
    INSERT INTO tasker_tasks (
        id, named_task_id, revision_id, created_at, run_at, state, live, priority, key, queue, tags,
        initiator, reason, context)
    SELECT
        n.id, n.named_task_id, n.revision_id, $1, n.run_at, n.state::tasker_task_state, n.live, n.priority, n.key,
        n.queue, n.tags::text[], n.initiator, n.reason, n.context::json
    FROM unnest(
        $2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::text[], $7::int[], $8::smallint[],
        $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[]
    ) AS n (
        id, named_task_id, revision_id, run_at, state, live, priority,
        key, queue, tags, initiator, reason, context)";

/// Tasks of one shape times its steps: 16 bytes a task on the wire instead of 24 a step.
const INSERT_STEPS: &str = "
    INSERT INTO tasker_workflow_steps (task_id, idx, state, waiting)
    SELECT t.id, s.place - 1, 'pending', s.waiting
    FROM unnest($1::uuid[]) AS t (id)
    CROSS JOIN unnest($2::int[]) WITH ORDINALITY AS s (waiting, place)";

pub(super) async fn hold_named_tasks(tx: &mut PostgresTx, ids: &[NamedTaskId]) -> Result<bool> {
    let mut ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(true);
    }
    let expected = ids.len();
    let rows = tx.rows(sqlx::query(HOLD).bind(ids)).await?;
    if let Some(row) = rows.last() {
        tx.saw_clock(get(row, 0)?);
    }
    Ok(rows.len() == expected)
}

pub(super) async fn take_keys(tx: &mut PostgresTx, rows: &[KeyRow]) -> Result<Vec<Option<TaskId>>> {
    // Who would take each key: the first row that names it.
    let mut owners: BTreeMap<(&str, &str, &str), TaskId> = BTreeMap::new();
    for row in rows {
        owners.entry(name_of(row)).or_insert(row.task);
    }
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    let (mut keys, mut namespaces, mut names, mut tasks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((namespace, name, key), task) in &owners {
        keys.push(*key);
        namespaces.push(*namespace);
        names.push(*name);
        tasks.push(task.0);
    }
    let insert = sqlx::query(TAKE_KEYS).bind(&namespaces).bind(&names).bind(&keys).bind(tasks);
    let mut taken: HashMap<(String, String, String), TaskId> = HashMap::new();
    let inserted = tx.rows(insert).await?;
    if inserted.len() < owners.len() {
        let found = sqlx::query(KEY_OWNERS).bind(namespaces).bind(names).bind(keys);
        for row in tx.rows(found).await? {
            taken.insert((get(&row, 0)?, get(&row, 1)?, get(&row, 2)?), task_id(&row, 3)?);
        }
        let mut free = 0;
        for row in inserted {
            taken.remove(&(get(&row, 0)?, get(&row, 1)?, get(&row, 2)?));
            free += 1;
        }
        if free + taken.len() < owners.len() {
            // Who had it was purged in between: the key is free by now, and nobody took it.
            return Err(StoreError::Conflict("the owner of a key was deleted meanwhile".into()));
        }
    }
    let mut seen = HashSet::new();
    let mut outcome = Vec::with_capacity(rows.len());
    for row in rows {
        let before = taken.get(&(row.namespace.clone(), row.name.clone(), row.key.clone()));
        outcome.push(match before {
            Some(owner) => Some(*owner),
            None if seen.insert(name_of(row)) => None,
            None => owners.get(&name_of(row)).copied(),
        });
    }
    Ok(outcome)
}

/// A key's full name, in the order of the primary key.
fn name_of(row: &KeyRow) -> (&str, &str, &str) {
    (&row.namespace, &row.name, &row.key)
}

pub(super) async fn insert_tasks(tx: &mut PostgresTx, rows: &[NewTask]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let now = tx.now_stored().await?;
    let run_at = rows.iter().map(|row| instant_option(row.run_at)).collect::<Result<Vec<_>>>()?;
    let statement = sqlx::query(INSERT_TASKS)
        .bind(now)
        .bind(rows.iter().map(|row| row.id.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.named_task.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.revision.0).collect::<Vec<_>>())
        .bind(run_at)
        .bind(rows.iter().map(|row| row.state.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.live).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.priority).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.key.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.queue.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| array_literal(&row.tags)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.initiator.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.reason.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.context.as_str()).collect::<Vec<_>>());
    tx.run(statement).await
}

pub(super) async fn insert_steps(tx: &mut PostgresTx, rows: &[NewSteps]) -> Result<()> {
    let mut shapes: HashMap<&Arc<[i32]>, Vec<Uuid>> = HashMap::new();
    for row in rows {
        shapes.entry(&row.waiting).or_default().push(row.task.0);
    }
    for (waiting, tasks) in shapes {
        tx.run(sqlx::query(INSERT_STEPS).bind(tasks).bind(&waiting[..])).await?;
    }
    Ok(())
}

/// Words as the text of a PostgreSQL array.
fn array_literal(words: &[String]) -> String {
    let mut literal = String::from("{");
    for word in words {
        if literal.len() > 1 {
            literal.push(',');
        }
        literal.push('"');
        for character in word.chars() {
            if matches!(character, '"' | '\\') {
                literal.push('\\');
            }
            literal.push(character);
        }
        literal.push('"');
    }
    literal.push('}');
    literal
}

//! Keys to take, and tasks to insert with all that they have.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::queue::bind_ready;
use super::{PostgresTx, rare};
use crate::domain::id::TaskId;
use crate::domain::json::Json;
use crate::storage::postgres::values::{get, instant_option, task_id};
use crate::storage::rows::{KeyRow, NewTask, ReadyRow};
use crate::storage::{Result, StoreError};

/// In key order, so that two processes that take the same keys wait for one another in one order.
const TAKE_KEYS: &str = "
    INSERT INTO tasker_task_keys (namespace, name, key, task_id)
    SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::uuid[])
    ON CONFLICT (namespace, name, key) DO NOTHING
    RETURNING namespace, name, key";

/// Probes of the primary key; a statement of its own, which sees what the insert waited for.
const KEY_OWNERS: &str = "
    SELECT k.namespace, k.name, k.key, k.task_id
    FROM (SELECT unnest($1::text[]) AS namespace, unnest($2::text[]) AS name, unnest($3::text[]) AS key) AS w
    JOIN tasker_task_keys AS k ON k.namespace = w.namespace AND k.name = w.name AND k.key = w.key";

/// Everything that a new task has, in one statement. The template versions are found by their primary key and
/// locked in id order, KEY SHARE: creators do not wait for one another, whoever replaces a version waits for them.
/// The moment of creation is after that wait; where a version is gone there is none, and nothing is inserted.
///
/// What is ragged comes as array literals: tags, and how many parents each step has, once for each shape of task. The
/// steps' places come, too: of a function that counts them the planner expects a thousand rows for each task.
const INSERT_TASKS: &str = concat!(
    "WITH held AS MATERIALIZED (
        SELECT FROM tasker_named_tasks WHERE id = ANY ($1) ORDER BY id FOR KEY SHARE
    ), moment AS MATERIALIZED (
        SELECT clock, coalesce($2, clock + $3 * interval '1 microsecond') AS at
        FROM (SELECT count(*) AS held, clock_timestamp() AS clock FROM held) AS look
        WHERE held = cardinality($1)
    ), tasks AS (
        INSERT INTO tasker_tasks (
            id, named_task_id, revision_id, created_at, run_at, state, live, priority, key, queue, tags,
            initiator, reason, context, headers, rare)
        SELECT
            n.id, n.named_task_id, n.revision_id, moment.at, n.run_at, n.state::tasker_task_state, n.live,
            n.priority, n.key, n.queue, n.tags::text[], n.initiator, n.reason, n.context::json, n.headers::json, ",
    rare!("n.state"),
    "
        FROM moment CROSS JOIN (
            SELECT unnest($4::uuid[]) AS id, unnest($7::bigint[]) AS named_task_id,
                unnest($8::bigint[]) AS revision_id, unnest($9::timestamptz[]) AS run_at, unnest($6::text[]) AS state,
                unnest($10::int[]) AS live, unnest($11::smallint[]) AS priority, unnest($12::text[]) AS key,
                unnest($13::text[]) AS queue, unnest($14::text[]) AS tags, unnest($15::text[]) AS initiator,
                unnest($16::text[]) AS reason, unnest($17::text[]) AS context, unnest($18::text[]) AS headers
        ) AS n
    ), steps AS (
        INSERT INTO tasker_workflow_steps (task_id, idx, state, waiting)
        SELECT n.id, s.idx, 'pending', s.waiting
        FROM moment
        CROSS JOIN (SELECT unnest($4::uuid[]) AS id, ($19::text[])[unnest($5::int[])]::int[] AS parents) AS n
        CROSS JOIN LATERAL (
            SELECT unnest(n.parents) AS waiting, unnest(($20::int[])[:cardinality(n.parents)]) AS idx
        ) AS s
    ), ready AS (
        INSERT INTO tasker_ready (lane, rank, task_id, idx, token, attempts, state, ready_at)
        SELECT r.lane, r.rank, r.task_id, r.idx, r.token, r.attempts, r.state::tasker_step_state, moment.at
        FROM moment CROSS JOIN (
            SELECT unnest($21::int[]) AS lane, unnest($22::int[]) AS rank, unnest($23::uuid[]) AS task_id,
                unnest($24::int[]) AS idx, unnest($25::int[]) AS token, unnest($26::smallint[]) AS attempts,
                unnest($27::text[]) AS state
        ) AS r
    )
    SELECT clock FROM moment"
);

pub(super) async fn take_keys(tx: &mut PostgresTx<'_>, rows: &[KeyRow]) -> Result<Vec<Option<TaskId>>> {
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

pub(super) async fn insert_tasks(tx: &mut PostgresTx<'_>, rows: &[NewTask], ready: &[ReadyRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let named_tasks: BTreeSet<i64> = rows.iter().map(|row| row.named_task.0).collect();
    let run_at = rows.iter().map(|row| instant_option(row.run_at)).collect::<Result<Vec<_>>>()?;
    let (shapes, shape_of) = shapes(rows);
    let most = rows.iter().map(|row| row.waiting.len()).max().unwrap_or_default() as i32;
    let (now, offset) = tx.time()?;
    let statement = sqlx::query(INSERT_TASKS)
        .bind(named_tasks.into_iter().collect::<Vec<_>>())
        .bind(now)
        .bind(offset)
        .bind(rows.iter().map(|row| row.id.0).collect::<Vec<_>>())
        .bind(shape_of)
        .bind(rows.iter().map(|row| row.state.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.named_task.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.revision.0).collect::<Vec<_>>())
        .bind(run_at)
        .bind(rows.iter().map(|row| row.live).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.priority).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.key.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.queue.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| words_literal(&row.tags)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.initiator.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.reason.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.context.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.headers.as_ref().map(Json::as_str)).collect::<Vec<_>>())
        .bind(shapes)
        .bind((0..most).collect::<Vec<_>>());
    let moment = tx.row(bind_ready(statement, ready.iter().collect())).await?.ok_or(StoreError::TemplateGone)?;
    tx.saw_clock(get(&moment, 0)?);
    Ok(())
}

/// The shapes that tasks have, as literals of how many parents each step has; and for each task the number of its
/// own, from 1 on. Few: 16 bytes a task pass instead of 24 a step.
fn shapes(rows: &[NewTask]) -> (Vec<String>, Vec<i32>) {
    let (mut literals, mut numbers): (Vec<String>, HashMap<&[i32], i32>) = Default::default();
    let mut shape_of = Vec::with_capacity(rows.len());
    for row in rows {
        let next = numbers.len() as i32 + 1;
        let number = *numbers.entry(&row.waiting).or_insert(next);
        if number == next {
            let parents: Vec<String> = row.waiting.iter().map(ToString::to_string).collect();
            literals.push(format!("{{{}}}", parents.join(",")));
        }
        shape_of.push(number);
    }
    (literals, shape_of)
}

/// Words as the text of a PostgreSQL array.
fn words_literal(words: &[String]) -> String {
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

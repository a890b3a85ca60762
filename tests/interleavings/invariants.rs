//! What holds in the database whenever somebody looks: all of it in one snapshot.

use sqlx::{Connection, PgConnection, Row};

/// Where steps stand, and which of them are still to be run.
const PLACES: &str = "
    WITH place AS (
        SELECT task_id, idx, token, 'ready' AS place FROM tasker_ready
        UNION ALL SELECT task_id, idx, token, 'timer' FROM tasker_timers
        UNION ALL SELECT task_id, idx, token, 'parked' FROM tasker_parked
        UNION ALL SELECT h.task_id, h.idx, h.token, 'held'
            FROM tasker_receipts AS r, unnest(r.task_ids, r.idxs, r.tokens) AS h (task_id, idx, token)
    ), step AS (
        SELECT s.*, s.state IN ('pending', 'waiting_for_retry') AS unfinished,
            (SELECT count(*) FROM place AS p WHERE p.task_id = s.task_id AND p.idx = s.idx AND p.token = s.token) AS places,
            (SELECT min(p.place) FROM place AS p WHERE p.task_id = s.task_id AND p.idx = s.idx AND p.token = s.token) AS place
        FROM tasker_workflow_steps AS s
    )";

const CHECKS: [(&str, &str); 7] = [
    (
        "the queue holds what is not to be run",
        "SELECT format('%s %s %s: %s', p.task_id, p.idx, p.place, to_json(s)) FROM place AS p
         LEFT JOIN step AS s ON s.task_id = p.task_id AND s.idx = p.idx
         WHERE p.place <> 'held' AND (s.token IS DISTINCT FROM p.token OR NOT s.unfinished OR s.waiting > 0)",
    ),
    (
        "what waits for no parent stands in one place",
        "SELECT format('%s', to_json(s)) FROM step AS s JOIN tasker_tasks AS t ON t.id = s.task_id
         WHERE s.places > 1 OR s.unfinished AND s.waiting = 0 AND s.places <> 1 AND t.finished_at IS NULL
            OR s.places = 1 AND s.place <> 'held' AND s.waiting > 0",
    ),
    (
        "what waits for nothing is in a task that ended",
        "SELECT format('%s', to_json(s)) FROM step AS s JOIN tasker_tasks AS t ON t.id = s.task_id
         WHERE t.finished_at IS NOT NULL AND s.unfinished AND s.places > 0",
    ),
    (
        "the counter is that of unfinished parents",
        "SELECT format('%s: %s', to_json(s), c.parents) FROM step AS s JOIN tasker_tasks AS t ON t.id = s.task_id
         CROSS JOIN LATERAL (
            SELECT count(*) + (t.state = 'paused')::int AS parents FROM tasker_workflow_step_edges AS e
            JOIN tasker_workflow_steps AS p ON p.task_id = e.task_id AND p.idx = e.from_index
            WHERE e.task_id = s.task_id AND e.to_index = s.idx
              AND p.state NOT IN ('complete', 'skipped', 'resolved_manually')) AS c
         WHERE s.unfinished AND s.waiting <> c.parents",
    ),
    (
        "live and failed steps are counted",
        "SELECT format('%s %s: live %s, %s; failed %s, %s', t.id, t.state, t.live, c.live, t.failed, c.failed)
         FROM tasker_tasks AS t CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE s.unfinished AND s.places > 0) AS live,
                count(*) FILTER (WHERE s.state = 'error') AS failed
            FROM step AS s WHERE s.task_id = t.id) AS c
         WHERE t.live <> c.live OR t.failed <> c.failed",
    ),
    (
        "a task ends when nothing of it is live",
        "SELECT format('%s %s: live %s', t.id, t.state, t.live) FROM tasker_tasks AS t
         WHERE t.state <> 'paused' AND (t.live = 0) <> (t.finished_at IS NOT NULL)",
    ),
    (
        "no more run than their limit lets",
        "SELECT format('%s: %s', l.key, count(*)) FROM tasker_slots AS l
         JOIN step AS s ON s.task_id = l.task_id AND s.idx = l.idx AND s.token = l.token
         WHERE s.unfinished GROUP BY l.key HAVING count(*) > 2
         UNION ALL
         SELECT format('held without a slot: %s', to_json(s)) FROM step AS s
         JOIN tasker_tasks AS t ON t.id = s.task_id JOIN tasker_named_tasks AS n ON n.id = t.named_task_id
         WHERE n.name = 'limited' AND s.unfinished AND s.place = 'held' AND s.idx <= 1
           AND NOT EXISTS (
             SELECT FROM tasker_slots AS l WHERE l.task_id = s.task_id AND l.idx = s.idx AND l.token = s.token)",
    ),
];

/// What does not hold.
pub async fn broken(connection: &mut PgConnection) -> Vec<String> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut tx = connection.begin_with(begin).await.expect("a transaction");
    let mut broken = Vec::new();
    for (what, check) in CHECKS {
        let sql = format!("{PLACES} {check} LIMIT 3");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *tx).await.expect(what);
        broken.extend(rows.iter().map(|row| format!("{what}: {}", row.get::<String, _>(0))));
    }
    broken
}

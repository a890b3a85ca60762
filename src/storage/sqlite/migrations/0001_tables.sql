-- The first schema. Times are microseconds since 1970 in UTC; ids of tasks, sessions and receipts
-- are UUIDs of 16 bytes; JSON is text that comes back byte for byte.
--
-- Foreign keys stand where templates are written, never where steps run: there the engine's own
-- order of writes keeps rows together, and each key would cost a probe for every row.

-- Templates. AUTOINCREMENT: processes remember these ids, so that of a deleted row must never
-- come back as another's.

CREATE TABLE tasker_task_namespaces (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE tasker_named_tasks (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace_id INTEGER NOT NULL REFERENCES tasker_task_namespaces (id),
    name         TEXT NOT NULL,
    version      TEXT NOT NULL,
    fixed        TEXT NOT NULL,
    -- Whether a task was ever created from it: spares the tasks an index of their own for that.
    used         INTEGER NOT NULL DEFAULT 0 CHECK (used IN (0, 1)),
    created_at   INTEGER NOT NULL,
    UNIQUE (namespace_id, name, version)
) STRICT;

CREATE TABLE tasker_named_task_revisions (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    named_task_id INTEGER NOT NULL REFERENCES tasker_named_tasks (id),
    template      TEXT NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX tasker_named_task_revisions_by_named_task ON tasker_named_task_revisions (named_task_id, id);

CREATE TABLE tasker_named_steps (
    named_task_id INTEGER NOT NULL REFERENCES tasker_named_tasks (id),
    idx           INTEGER NOT NULL CHECK (idx >= 0),
    name          TEXT NOT NULL,
    PRIMARY KEY (named_task_id, idx),
    UNIQUE (named_task_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasker_named_step_edges (
    named_task_id INTEGER NOT NULL,
    from_index    INTEGER NOT NULL,
    to_index      INTEGER NOT NULL,
    PRIMARY KEY (named_task_id, from_index, to_index),
    CHECK (from_index <> to_index),
    FOREIGN KEY (named_task_id, from_index) REFERENCES tasker_named_steps (named_task_id, idx),
    FOREIGN KEY (named_task_id, to_index) REFERENCES tasker_named_steps (named_task_id, idx)
) STRICT, WITHOUT ROWID;

CREATE INDEX tasker_named_step_edges_by_child ON tasker_named_step_edges (named_task_id, to_index);

CREATE TABLE tasker_lanes (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    named_task_id INTEGER NOT NULL REFERENCES tasker_named_tasks (id),
    queue         TEXT NOT NULL,
    UNIQUE (named_task_id, queue)
) STRICT;

-- Tasks and their steps.

CREATE TABLE tasker_tasks (
    id            BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    named_task_id INTEGER NOT NULL,
    revision_id   INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN
        ('pending', 'in_progress', 'paused', 'complete', 'error', 'cancelled', 'resolved_manually')),
    live          INTEGER NOT NULL,
    failed        INTEGER NOT NULL DEFAULT 0,
    -- The place of its last transition in its history.
    seq           INTEGER NOT NULL DEFAULT 0,
    priority      INTEGER,
    created_at    INTEGER NOT NULL,
    run_at        INTEGER,
    started_at    INTEGER,
    finished_at   INTEGER,
    key           TEXT,
    queue         TEXT,
    tags          TEXT NOT NULL DEFAULT '[]',
    initiator     TEXT,
    reason        TEXT,
    error         TEXT,
    context       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Listings of the states in which few tasks are. The common ones are found by reading back from
-- the newest, and an index of every state would be written on every task's way.
CREATE INDEX tasker_tasks_rare ON tasker_tasks (state, id) WHERE state NOT IN ('pending', 'in_progress', 'complete');
CREATE INDEX tasker_tasks_by_key ON tasker_tasks (key, id) WHERE key IS NOT NULL;

CREATE TABLE tasker_task_keys (
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    key       TEXT NOT NULL,
    task_id   BLOB NOT NULL,
    PRIMARY KEY (namespace, name, key)
) STRICT, WITHOUT ROWID;

-- Never in_progress: a step is in progress while a receipt names it with its present token.
CREATE TABLE tasker_workflow_steps (
    task_id       BLOB NOT NULL,
    idx           INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN
        ('pending', 'waiting_for_retry', 'complete', 'error', 'skipped', 'cancelled', 'resolved_manually')),
    token         INTEGER NOT NULL DEFAULT 0,
    attempts      INTEGER NOT NULL DEFAULT 0,
    crashes       INTEGER NOT NULL DEFAULT 0,
    waiting       INTEGER NOT NULL CHECK (waiting >= 0),
    started_at    INTEGER,
    finished_at   INTEGER,
    next_retry_at INTEGER,
    error         TEXT,
    result        TEXT,
    PRIMARY KEY (task_id, idx)
) STRICT, WITHOUT ROWID;

CREATE VIEW tasker_workflow_step_edges AS
SELECT t.id AS task_id, e.from_index, e.to_index, f.name AS from_step, g.name AS to_step
FROM tasker_tasks t
JOIN tasker_named_step_edges e ON e.named_task_id = t.named_task_id
JOIN tasker_named_steps f ON f.named_task_id = e.named_task_id AND f.idx = e.from_index
JOIN tasker_named_steps g ON g.named_task_id = e.named_task_id AND g.idx = e.to_index;

-- The queue: small tables whose rows come and go. The keys are the order of claiming; a rank is a
-- priority turned round, so that one ascending scan takes the most urgent and then the oldest.

CREATE TABLE tasker_ready (
    lane     INTEGER NOT NULL,
    rank     INTEGER NOT NULL,
    task_id  BLOB NOT NULL,
    idx      INTEGER NOT NULL,
    token    INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    state    TEXT NOT NULL,
    PRIMARY KEY (lane, rank, task_id, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasker_timers (
    due_at   INTEGER NOT NULL,
    task_id  BLOB NOT NULL,
    idx      INTEGER NOT NULL,
    kind     TEXT NOT NULL CHECK (kind IN ('retry', 'start')),
    lane     INTEGER NOT NULL,
    rank     INTEGER NOT NULL,
    token    INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    state    TEXT NOT NULL,
    PRIMARY KEY (due_at, task_id, idx)
) STRICT, WITHOUT ROWID;

-- Tells whether a lane waits for a retry without reading the tasks that start next week.
CREATE INDEX tasker_timers_of_retries ON tasker_timers (lane) WHERE kind = 'retry';

-- Who holds what.

CREATE TABLE tasker_sessions (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    label      TEXT NOT NULL,
    epoch      INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER NOT NULL,
    opened_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- lanes: [1, 2]. steps: [[lane, priority, "task id", index, token, attempts, "state"], ...].
CREATE TABLE tasker_receipts (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    session_id BLOB NOT NULL,
    lanes      TEXT NOT NULL,
    steps      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tasker_receipts_by_session ON tasker_receipts (session_id, id);

-- The audit trail. Its keys refuse to record a transition twice.

CREATE TABLE tasker_task_transitions (
    task_id    BLOB NOT NULL,
    seq        INTEGER NOT NULL,
    from_state TEXT,
    to_state   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    detail     TEXT,
    PRIMARY KEY (task_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasker_workflow_step_transitions (
    task_id    BLOB NOT NULL,
    idx        INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    from_state TEXT,
    to_state   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    session_id BLOB,
    detail     TEXT,
    PRIMARY KEY (task_id, idx, seq)
) STRICT, WITHOUT ROWID;

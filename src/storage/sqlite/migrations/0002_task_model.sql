-- The rest of the task model. Whatever a process of the release before does still works: new columns
-- have defaults, and no column or table it reads is gone.

-- Tasks and steps once more, with checks without IN, and the index of rare states without it: a list of more than two
-- makes a temporary b-tree each time that a row is written. The view comes again below.
DROP VIEW tasker_workflow_step_edges;

CREATE TABLE tasker_tasks_anew (
    id            BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    named_task_id INTEGER NOT NULL,
    revision_id   INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (
        state = 'pending' OR state = 'in_progress' OR state = 'paused' OR state = 'complete' OR state = 'error'
        OR state = 'cancelled' OR state = 'resolved_manually'
    ),
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
INSERT INTO tasker_tasks_anew SELECT
    id, named_task_id, revision_id, state, live, failed, seq, priority, created_at, run_at, started_at, finished_at, key,
    queue, tags, initiator, reason, error, context
FROM tasker_tasks;
DROP TABLE tasker_tasks;
ALTER TABLE tasker_tasks_anew RENAME TO tasker_tasks;
CREATE INDEX tasker_tasks_rare ON tasker_tasks (state, id)
    WHERE state <> 'pending' AND state <> 'in_progress' AND state <> 'complete';
CREATE INDEX tasker_tasks_by_key ON tasker_tasks (key, id) WHERE key IS NOT NULL;

CREATE TABLE tasker_workflow_steps_anew (
    task_id       BLOB NOT NULL,
    idx           INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (
        state = 'pending' OR state = 'waiting_for_retry' OR state = 'complete' OR state = 'error'
        OR state = 'skipped' OR state = 'cancelled' OR state = 'resolved_manually'
    ),
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
INSERT INTO tasker_workflow_steps_anew SELECT
    task_id, idx, state, token, attempts, crashes, waiting, started_at, finished_at, next_retry_at, error, result
FROM tasker_workflow_steps;
DROP TABLE tasker_workflow_steps;
ALTER TABLE tasker_workflow_steps_anew RENAME TO tasker_workflow_steps;

-- Operations on one task find its timers; a timer is written for a retry or a later start only.
CREATE INDEX tasker_timers_of_task ON tasker_timers (task_id);

-- How many times the task was started: restarting from a step begins the next run.
ALTER TABLE tasker_tasks ADD COLUMN run INTEGER NOT NULL DEFAULT 1;

-- What a step's handler saved for the next attempt.
ALTER TABLE tasker_workflow_steps ADD COLUMN checkpoint TEXT;

-- To find ended tasks by when they ended: to purge them, and to sum them up.
CREATE INDEX tasker_tasks_by_finish ON tasker_tasks (finished_at) WHERE finished_at IS NOT NULL;

-- Decisions. route: of a decision that is done, the indexes of the branches that it chose, [2, 3].
-- bypassed: the step was skipped by a decision, and counts for its children as if it were not there.
ALTER TABLE tasker_workflow_steps ADD COLUMN route TEXT;
ALTER TABLE tasker_workflow_steps ADD COLUMN bypassed INTEGER NOT NULL DEFAULT 0 CHECK (bypassed IN (0, 1));

-- What any process does now and then, for all: whoever moves the time has begun it.
CREATE TABLE tasker_chores (
    name     TEXT NOT NULL PRIMARY KEY,
    begun_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Queues of which nothing is claimed. An empty namespace stands for all.
CREATE TABLE tasker_paused_queues (
    queue     TEXT NOT NULL,
    namespace TEXT NOT NULL,
    paused_at INTEGER NOT NULL,
    by        TEXT,
    reason    TEXT,
    PRIMARY KEY (queue, namespace)
) STRICT, WITHOUT ROWID;

-- Whether its task's queue or priority was changed while the step was held: its holder does not know.
ALTER TABLE tasker_workflow_steps ADD COLUMN stale INTEGER NOT NULL DEFAULT 0 CHECK (stale IN (0, 1));

-- Steps that are made while a task runs, one for each item of a list. items: of the step that made the list, its
-- length; it waits for as many parents more.
ALTER TABLE tasker_workflow_steps ADD COLUMN items INTEGER;

CREATE TABLE tasker_workflow_step_items (
    task_id   BLOB NOT NULL,
    idx       INTEGER NOT NULL,
    group_idx INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    item      TEXT NOT NULL,
    PRIMARY KEY (task_id, idx)
) STRICT, WITHOUT ROWID;

-- With the items: each needs what its group needs, and the group needs it.
CREATE VIEW tasker_workflow_step_edges AS
SELECT t.id AS task_id, e.from_index, e.to_index, f.name AS from_step, g.name AS to_step
FROM tasker_tasks t
JOIN tasker_named_step_edges e ON e.named_task_id = t.named_task_id
JOIN tasker_named_steps f ON f.named_task_id = e.named_task_id AND f.idx = e.from_index
JOIN tasker_named_steps g ON g.named_task_id = e.named_task_id AND g.idx = e.to_index
UNION ALL
SELECT t.id, e.from_index, i.idx, f.name, g.name || '[' || i.position || ']'
FROM tasker_tasks t
JOIN tasker_workflow_step_items i ON i.task_id = t.id
JOIN tasker_named_step_edges e ON e.named_task_id = t.named_task_id AND e.to_index = i.group_idx
JOIN tasker_named_steps f ON f.named_task_id = e.named_task_id AND f.idx = e.from_index
JOIN tasker_named_steps g ON g.named_task_id = e.named_task_id AND g.idx = e.to_index
UNION ALL
SELECT t.id, i.idx, i.group_idx, g.name || '[' || i.position || ']', g.name
FROM tasker_tasks t
JOIN tasker_workflow_step_items i ON i.task_id = t.id
JOIN tasker_named_steps g ON g.named_task_id = t.named_task_id AND g.idx = i.group_idx;

-- What tasks are found by: values of the paths into their contexts that templates declare ("context.order_id"), tags,
-- types of annotations. Each list of tasks is walked from the newest. A process of the release before writes none of
-- it: tasks that it goes on to create with tags are not found by these.
CREATE TABLE tasker_task_terms (
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    task_id BLOB NOT NULL,
    PRIMARY KEY (name, value, task_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX tasker_task_terms_of_task ON tasker_task_terms (task_id);

INSERT INTO tasker_task_terms (name, value, task_id)
SELECT DISTINCT 'tag', j.value, t.id FROM tasker_tasks t CROSS JOIN json_each(t.tags) j;

-- Which paths those are. One that was declared stays: there may be tasks that are found by it.
CREATE TABLE tasker_search_paths (
    named_task_id INTEGER NOT NULL REFERENCES tasker_named_tasks (id),
    path          TEXT NOT NULL,
    PRIMARY KEY (named_task_id, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasker_task_annotations (
    task_id BLOB NOT NULL,
    id      BLOB NOT NULL,
    at      INTEGER NOT NULL,
    type    TEXT NOT NULL,
    by      TEXT,
    value   TEXT NOT NULL,
    PRIMARY KEY (task_id, id)
) STRICT, WITHOUT ROWID;

-- To find tasks by when they were created: their ids are of their creators' clocks.
CREATE INDEX tasker_tasks_by_creation ON tasker_tasks (created_at);

-- Limits. A slot is a running attempt of a step that has a limit; it counts as long as its token is the step's, which
-- grows whenever the step leaves a worker's hands: none can leak. A parked step waits for one: it was claimed while all
-- were taken.
CREATE TABLE tasker_slots (
    task_id BLOB NOT NULL,
    idx     INTEGER NOT NULL,
    token   INTEGER NOT NULL,
    key     TEXT NOT NULL,
    PRIMARY KEY (task_id, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX tasker_slots_of_key ON tasker_slots (key);

CREATE TABLE tasker_parked (
    task_id  BLOB NOT NULL,
    idx      INTEGER NOT NULL,
    lane     INTEGER NOT NULL,
    rank     INTEGER NOT NULL,
    token    INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    state    TEXT NOT NULL,
    key      TEXT NOT NULL,
    running  INTEGER NOT NULL,
    PRIMARY KEY (task_id, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX tasker_parked_of_key ON tasker_parked (key, rank, task_id, idx);
CREATE INDEX tasker_parked_of_lane ON tasker_parked (lane);

-- To count unfinished tasks by state without reading them; for that the condition's column has to be in it.
CREATE INDEX tasker_tasks_unfinished ON tasker_tasks (state, finished_at) WHERE finished_at IS NULL;

-- Since when a step is ready; null where a process of the release before made it so.
ALTER TABLE tasker_ready ADD COLUMN ready_at INTEGER;

-- What the host made of a step for its limit, where it makes the key.
ALTER TABLE tasker_workflow_steps ADD COLUMN limit_key TEXT;

-- A claim stands in its receipt, and from its end on in the transition that ended it. claimed_by: where that was not
-- the session which did so. Of a receipt that a process of the release before writes, the default says when.
CREATE TABLE tasker_receipts_anew (
    id         BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    session_id BLOB NOT NULL,
    lanes      TEXT NOT NULL,
    steps      TEXT NOT NULL,
    claimed_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))
) STRICT, WITHOUT ROWID;
INSERT INTO tasker_receipts_anew (id, session_id, lanes, steps) SELECT id, session_id, lanes, steps FROM tasker_receipts;
DROP TABLE tasker_receipts;
ALTER TABLE tasker_receipts_anew RENAME TO tasker_receipts;
CREATE INDEX tasker_receipts_by_session ON tasker_receipts (session_id, id);
ALTER TABLE tasker_workflow_step_transitions ADD COLUMN claimed_at INTEGER;
ALTER TABLE tasker_workflow_step_transitions ADD COLUMN claimed_by BLOB;

-- Who settled it, where the row tells of that alone: of a plain success no transition is recorded.
ALTER TABLE tasker_workflow_steps ADD COLUMN settled_by BLOB;

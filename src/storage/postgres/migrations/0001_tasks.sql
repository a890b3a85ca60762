-- Tables of tasker_core on PostgreSQL 12 or later, in the first schema of the search path.
--
-- * Hot tables (ready, timers, receipts) are inserted into and deleted from, never updated, and are
--   vacuumed early, so that a claim never wades through dead rows.
-- * A step's only index is its primary key, on columns that never change: every update of it is HOT.
-- * Columns stand in an order that leaves no padding between them.
-- * Free JSON is json, not jsonb: the text comes back byte for byte.
-- * No triggers, no sequences on the hot path, foreign keys between templates only.

CREATE TYPE tasker_task_state AS ENUM
    ('pending', 'in_progress', 'paused', 'complete', 'error', 'cancelled', 'resolved_manually');
CREATE TYPE tasker_step_state AS ENUM
    ('pending', 'in_progress', 'waiting_for_retry', 'complete', 'error', 'skipped', 'cancelled', 'resolved_manually');

-- Templates.

CREATE TABLE tasker_task_namespaces (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE tasker_named_tasks (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace_id bigint NOT NULL REFERENCES tasker_task_namespaces,
    name         text NOT NULL,
    version      text NOT NULL,
    fixed        json NOT NULL,
    created_at   timestamptz NOT NULL,
    UNIQUE (namespace_id, name, version)
);

CREATE TABLE tasker_named_task_revisions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    named_task_id bigint NOT NULL REFERENCES tasker_named_tasks ON DELETE CASCADE,
    template      json NOT NULL,
    created_at    timestamptz NOT NULL
);
CREATE INDEX tasker_named_task_revisions_latest ON tasker_named_task_revisions (named_task_id, id);

CREATE TABLE tasker_named_steps (
    named_task_id bigint NOT NULL REFERENCES tasker_named_tasks ON DELETE CASCADE,
    idx           integer NOT NULL,
    name          text NOT NULL,
    PRIMARY KEY (named_task_id, idx),
    UNIQUE (named_task_id, name)
);

CREATE TABLE tasker_named_step_edges (
    named_task_id bigint NOT NULL,
    from_index    integer NOT NULL,
    to_index      integer NOT NULL,
    PRIMARY KEY (named_task_id, from_index, to_index),
    CHECK (from_index <> to_index),
    FOREIGN KEY (named_task_id, from_index) REFERENCES tasker_named_steps ON DELETE CASCADE,
    FOREIGN KEY (named_task_id, to_index) REFERENCES tasker_named_steps ON DELETE CASCADE
);

CREATE TABLE tasker_lanes (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    named_task_id bigint NOT NULL REFERENCES tasker_named_tasks ON DELETE CASCADE,
    queue         text NOT NULL,
    UNIQUE (named_task_id, queue)
);

-- Tasks and steps.

CREATE TABLE tasker_tasks (
    id            uuid PRIMARY KEY,
    named_task_id bigint NOT NULL,
    revision_id   bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    finished_at   timestamptz,
    run_at        timestamptz,
    state         tasker_task_state NOT NULL,
    live          integer NOT NULL,
    failed        integer NOT NULL DEFAULT 0,
    seq           integer NOT NULL DEFAULT 0,
    priority      smallint,
    key           text,
    queue         text,
    tags          text[] NOT NULL DEFAULT '{}',
    initiator     text,
    reason        text,
    context       json NOT NULL,
    error         json
) WITH (fillfactor = 80);
-- To list the tasks of a template, and to see whether it has any.
CREATE INDEX tasker_tasks_of_template ON tasker_tasks (named_task_id, id);
-- To find the few that somebody has to look at; the common states are found by walking the newest.
CREATE INDEX tasker_tasks_in_rare_states ON tasker_tasks (state, id)
    WHERE state IN ('paused', 'error', 'cancelled', 'resolved_manually');
CREATE INDEX tasker_tasks_of_key ON tasker_tasks (key) WHERE key IS NOT NULL;

CREATE TABLE tasker_task_keys (
    task_id   uuid NOT NULL,
    namespace text NOT NULL,
    name      text NOT NULL,
    key       text NOT NULL,
    PRIMARY KEY (namespace, name, key)
);

CREATE TABLE tasker_workflow_steps (
    task_id       uuid NOT NULL,
    idx           integer NOT NULL,
    state         tasker_step_state NOT NULL CHECK (state <> 'in_progress'),
    token         integer NOT NULL DEFAULT 0,
    waiting       integer NOT NULL CHECK (waiting >= 0),
    attempts      smallint NOT NULL DEFAULT 0,
    crashes       smallint NOT NULL DEFAULT 0,
    started_at    timestamptz,
    finished_at   timestamptz,
    next_retry_at timestamptz,
    result        json,
    error         json,
    PRIMARY KEY (task_id, idx)
) WITH (fillfactor = 70);

CREATE VIEW tasker_workflow_step_edges AS
    SELECT t.id AS task_id, e.from_index, e.to_index, parent.name AS from_step, child.name AS to_step
    FROM tasker_tasks t
    JOIN tasker_named_step_edges e ON e.named_task_id = t.named_task_id
    JOIN tasker_named_steps parent ON parent.named_task_id = e.named_task_id AND parent.idx = e.from_index
    JOIN tasker_named_steps child ON child.named_task_id = e.named_task_id AND child.idx = e.to_index;

-- The queue. rank is the negative priority: lower goes first. The token is part of the keys, so that
-- a row that outlived its step's token does not stand in the way of the step's next one.

CREATE TABLE tasker_ready (
    task_id  uuid NOT NULL,
    lane     integer NOT NULL,
    rank     integer NOT NULL,
    idx      integer NOT NULL,
    token    integer NOT NULL,
    state    tasker_step_state NOT NULL,
    attempts smallint NOT NULL,
    PRIMARY KEY (lane, rank, task_id, idx, token)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
        autovacuum_vacuum_cost_delay = 0);

CREATE TABLE tasker_timers (
    due_at   timestamptz NOT NULL,
    task_id  uuid NOT NULL,
    lane     integer NOT NULL,
    rank     integer NOT NULL,
    idx      integer NOT NULL,
    token    integer NOT NULL,
    state    tasker_step_state NOT NULL,
    attempts smallint NOT NULL,
    kind     text NOT NULL CHECK (kind IN ('retry', 'start')),
    PRIMARY KEY (due_at, task_id, idx, token)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
        autovacuum_vacuum_cost_delay = 0);
-- To tell whether a worker that waits for idleness has to wait for a retry.
CREATE INDEX tasker_timers_of_retries ON tasker_timers (lane) WHERE kind = 'retry';

-- Sessions and what they hold.

CREATE TABLE tasker_sessions (
    id         uuid PRIMARY KEY,
    opened_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    epoch      integer NOT NULL DEFAULT 0,
    label      text NOT NULL
) WITH (fillfactor = 50);

-- A receipt of a few hundred steps stays in its page and is not worth compressing: it is gone soon.
CREATE TABLE tasker_receipts (
    id         uuid PRIMARY KEY,
    session_id uuid NOT NULL,
    lanes      integer[] NOT NULL,
    task_ids   uuid[] NOT NULL,
    idxs       integer[] NOT NULL,
    tokens     integer[] NOT NULL,
    attempts   smallint[] NOT NULL,
    step_lanes integer[] NOT NULL,
    ranks      integer[] NOT NULL,
    states     tasker_step_state[] NOT NULL
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);
ALTER TABLE tasker_receipts
    ALTER COLUMN task_ids SET STORAGE EXTERNAL,
    ALTER COLUMN idxs SET STORAGE EXTERNAL,
    ALTER COLUMN tokens SET STORAGE EXTERNAL,
    ALTER COLUMN attempts SET STORAGE EXTERNAL,
    ALTER COLUMN step_lanes SET STORAGE EXTERNAL,
    ALTER COLUMN ranks SET STORAGE EXTERNAL,
    ALTER COLUMN states SET STORAGE EXTERNAL;
CREATE INDEX tasker_receipts_of_session ON tasker_receipts (session_id, id);

-- History.

CREATE TABLE tasker_task_transitions (
    task_id    uuid NOT NULL,
    at         timestamptz NOT NULL,
    seq        integer NOT NULL,
    from_state tasker_task_state,
    to_state   tasker_task_state NOT NULL,
    detail     json,
    PRIMARY KEY (task_id, seq)
);

CREATE TABLE tasker_workflow_step_transitions (
    task_id    uuid NOT NULL,
    at         timestamptz NOT NULL,
    idx        integer NOT NULL,
    seq        integer NOT NULL,
    to_state   tasker_step_state NOT NULL,
    from_state tasker_step_state,
    attempt    smallint NOT NULL,
    session_id uuid,
    detail     json,
    PRIMARY KEY (task_id, idx, seq)
);

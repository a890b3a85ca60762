-- Tasks that an application asked for within a transaction of its own, on its own connection: whoever commits that has
-- the row. A worker makes the task of it, under the row's id, and deletes it, in one transaction. A row of which no task
-- can be made says why, and is tried again later. text, not json: nothing is to refuse a row before a worker reads it.
CREATE TABLE tasker_outbox (
    id         uuid PRIMARY KEY,
    task       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at     timestamptz NOT NULL DEFAULT '-infinity',
    attempts   integer NOT NULL DEFAULT 0,
    error      text
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX tasker_outbox_due ON tasker_outbox (due_at, created_at);

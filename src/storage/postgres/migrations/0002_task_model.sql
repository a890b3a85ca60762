-- The rest of the task model. Whatever a process of the release before does still works: new columns
-- have defaults, and no column or table it reads is gone.

-- To find the few tasks that somebody has to look at; the common states are found by walking the newest. The state itself
-- is in no index any more, nor in the condition of one: what starts a task stays HOT. rare is the state where it is paused,
-- error, cancelled or resolved_manually, written wherever that is: tasks that a process of the release before goes on to
-- end in error are not found by that. It is not generated: for an update that had to wait for another, older servers don't
-- work that out again (15.1 does not; 14.9 and 15.3 do).
ALTER TABLE tasker_tasks ADD COLUMN rare tasker_task_state;
UPDATE tasker_tasks SET rare = state WHERE state IN ('paused', 'error', 'cancelled', 'resolved_manually');
DROP INDEX tasker_tasks_in_rare_states;
CREATE INDEX tasker_tasks_in_rare_states ON tasker_tasks (rare, id) WHERE rare IS NOT NULL;

-- Operations on one task find its timers; a timer is written for a retry or a later start only.
CREATE INDEX tasker_timers_of_task ON tasker_timers (task_id);

-- How many times the task was started: restarting from a step begins the next run.
ALTER TABLE tasker_tasks ADD COLUMN run integer NOT NULL DEFAULT 1;

-- What a step's handler saved for the next attempt.
ALTER TABLE tasker_workflow_steps ADD COLUMN checkpoint json;

-- To find ended tasks by when they ended: to purge them, and to sum them up. Moving a task changes its state, which is
-- indexed, so that no update that could have been HOT is kept from it (none of 40,000 final updates was, with the index
-- or without); what it costs is one entry for each ended task, measured as about 70 bytes of WAL beside 600.
CREATE INDEX tasker_tasks_by_finish ON tasker_tasks (finished_at) WHERE finished_at IS NOT NULL;

-- Decisions. route: of a decision that is done, the indexes of the branches that it chose.
-- bypassed: the step was skipped by a decision, and counts for its children as if it were not there.
ALTER TABLE tasker_workflow_steps ADD COLUMN route integer[];
ALTER TABLE tasker_workflow_steps ADD COLUMN bypassed boolean NOT NULL DEFAULT false;

-- What any process does now and then, for all: whoever moves the time has begun it.
CREATE TABLE tasker_chores (
    name     text PRIMARY KEY,
    begun_at timestamptz NOT NULL
);

-- Queues of which nothing is claimed. An empty namespace stands for all.
CREATE TABLE tasker_paused_queues (
    queue     text NOT NULL,
    namespace text NOT NULL,
    paused_at timestamptz NOT NULL,
    by        text,
    reason    text,
    PRIMARY KEY (queue, namespace)
);

-- Whether its task's queue or priority was changed while the step was held: its holder does not know.
ALTER TABLE tasker_workflow_steps ADD COLUMN stale boolean NOT NULL DEFAULT false;

-- Steps that are made while a task runs, one for each item of a list. items: of the step that made the list, its
-- length; it waits for as many parents more.
ALTER TABLE tasker_workflow_steps ADD COLUMN items integer;

CREATE TABLE tasker_workflow_step_items (
    task_id   uuid NOT NULL,
    idx       integer NOT NULL,
    group_idx integer NOT NULL,
    position  integer NOT NULL,
    item      json NOT NULL,
    PRIMARY KEY (task_id, idx)
);

-- With the items: each needs what its group needs, and the group needs it.
CREATE OR REPLACE VIEW tasker_workflow_step_edges AS
    SELECT t.id AS task_id, e.from_index, e.to_index, parent.name AS from_step, child.name AS to_step
    FROM tasker_tasks t
    JOIN tasker_named_step_edges e ON e.named_task_id = t.named_task_id
    JOIN tasker_named_steps parent ON parent.named_task_id = e.named_task_id AND parent.idx = e.from_index
    JOIN tasker_named_steps child ON child.named_task_id = e.named_task_id AND child.idx = e.to_index
    UNION ALL
    SELECT t.id, e.from_index, i.idx, parent.name, child.name || '[' || i.position || ']'
    FROM tasker_tasks t
    JOIN tasker_workflow_step_items i ON i.task_id = t.id
    JOIN tasker_named_step_edges e ON e.named_task_id = t.named_task_id AND e.to_index = i.group_idx
    JOIN tasker_named_steps parent ON parent.named_task_id = e.named_task_id AND parent.idx = e.from_index
    JOIN tasker_named_steps child ON child.named_task_id = e.named_task_id AND child.idx = e.to_index
    UNION ALL
    SELECT t.id, i.idx, i.group_idx, child.name || '[' || i.position || ']', child.name
    FROM tasker_tasks t
    JOIN tasker_workflow_step_items i ON i.task_id = t.id
    JOIN tasker_named_steps child ON child.named_task_id = t.named_task_id AND child.idx = i.group_idx;

-- What tasks are found by: values of the paths into their contexts that templates declare ("context.order_id"), tags,
-- types of annotations. Each list of tasks is walked from the newest. A process of the release before writes none of
-- it: tasks that it goes on to create with tags are not found by these.
CREATE TABLE tasker_task_terms (
    task_id uuid NOT NULL,
    name    text NOT NULL,
    value   text NOT NULL,
    PRIMARY KEY (name, value, task_id)
);
CREATE INDEX tasker_task_terms_of_task ON tasker_task_terms (task_id);
INSERT INTO tasker_task_terms (task_id, name, value)
    SELECT DISTINCT t.id, 'tag', tag FROM tasker_tasks AS t CROSS JOIN LATERAL unnest(t.tags) AS tag;

-- Which paths those are. One that was declared stays: there may be tasks that are found by it.
CREATE TABLE tasker_search_paths (
    named_task_id bigint NOT NULL REFERENCES tasker_named_tasks ON DELETE CASCADE,
    path          text NOT NULL,
    PRIMARY KEY (named_task_id, path)
);

CREATE TABLE tasker_task_annotations (
    task_id uuid NOT NULL,
    id      uuid NOT NULL,
    at      timestamptz NOT NULL,
    type    text NOT NULL,
    by      text,
    value   json NOT NULL,
    PRIMARY KEY (task_id, id)
);

-- To find tasks by when they were created: their ids are of their creators' clocks.
CREATE INDEX tasker_tasks_by_creation ON tasker_tasks (created_at);

-- Limits. A slot is a running attempt of a step that has a limit; it counts as long as its token is the step's, which
-- grows whenever the step leaves a worker's hands: none can leak. A parked step waits for one: it was claimed while all
-- were taken. Whoever counts, takes, parks or frees holds the key's lock.
CREATE TABLE tasker_slots (
    task_id uuid NOT NULL,
    idx     integer NOT NULL,
    token   integer NOT NULL,
    key     text NOT NULL,
    PRIMARY KEY (task_id, idx)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX tasker_slots_of_key ON tasker_slots (key);

CREATE TABLE tasker_parked (
    task_id  uuid NOT NULL,
    lane     integer NOT NULL,
    rank     integer NOT NULL,
    idx      integer NOT NULL,
    token    integer NOT NULL,
    running  integer NOT NULL,
    state    tasker_step_state NOT NULL,
    attempts smallint NOT NULL,
    key      text NOT NULL,
    PRIMARY KEY (task_id, idx)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX tasker_parked_of_key ON tasker_parked (key, rank, task_id, idx);
CREATE INDEX tasker_parked_of_lane ON tasker_parked (lane);

CREATE TABLE tasker_limit_locks (
    key text PRIMARY KEY
);

-- To count unfinished tasks without reading the others. The finish is in another index already: no update that could
-- have been HOT is kept from it.
CREATE INDEX tasker_tasks_unfinished ON tasker_tasks (id) WHERE finished_at IS NULL;

-- Since when a step is ready.
ALTER TABLE tasker_ready ADD COLUMN ready_at timestamptz NOT NULL DEFAULT clock_timestamp();

-- What the host made of a step for its limit, where it makes the key; json as checkpoints are.
ALTER TABLE tasker_workflow_steps ADD COLUMN limit_key json;

-- A claim stands in its receipt, and from its end on in the transition that ended it. claimed_by: where that was not
-- the session which did so.
ALTER TABLE tasker_receipts ADD COLUMN claimed_at timestamptz NOT NULL DEFAULT clock_timestamp();
ALTER TABLE tasker_workflow_step_transitions ADD COLUMN claimed_at timestamptz;
ALTER TABLE tasker_workflow_step_transitions ADD COLUMN claimed_by uuid;

-- A batch changes most steps of a page, some of them twice: only where half of the page is free do all these updates
-- stay HOT. Measured with diamonds at 70, 140,000 updates: 83,000 HOT, 179 and 173 bytes of WAL for each step that was
-- settled and released; at 50: 127,000, 150 and 101 bytes.
ALTER TABLE tasker_workflow_steps SET (fillfactor = 50);
ALTER TABLE tasker_tasks SET (fillfactor = 50);

-- The state before the last touch: an update can't give back what it found.
ALTER TABLE tasker_tasks ADD COLUMN was tasker_task_state;

-- Who settled it, where the row tells of that alone: of a plain success no transition is recorded.
ALTER TABLE tasker_workflow_steps ADD COLUMN settled_by uuid;

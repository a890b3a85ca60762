-- What is pending is counted as what is left of all tasks: a new task is in an index less, a file's commit writes a page
-- less. Those in progress are counted by this one, which also finds them newest first; for that the condition's column
-- has to be in it.
DROP INDEX tasker_tasks_unfinished;
CREATE INDEX tasker_tasks_in_progress ON tasker_tasks (state) WHERE state = 'in_progress';

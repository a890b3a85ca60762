-- What whoever created a task gives its handlers on the way, beside the context: the language, who is signed in. An
-- object. A process of the release before writes none, and its handlers see none.
ALTER TABLE tasker_tasks ADD COLUMN headers TEXT;

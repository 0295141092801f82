-- A run with several writers at a time ends with the last of them, and has failed if one has.
-- `state` is NULL for a writer that has no say in it; `first_step` is the step of its first call
-- that names none, so that ranks which join later count from the same one.

ALTER TABLE writers ADD COLUMN state TEXT CHECK (state IN ('running', 'completed', 'failed'));
ALTER TABLE writers ADD COLUMN first_step ANY;
ALTER TABLE writers ADD COLUMN ended_at INTEGER;

UPDATE writers SET state = (SELECT runs.state FROM runs WHERE runs.id = writers.run_id);

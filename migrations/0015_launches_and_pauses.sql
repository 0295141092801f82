-- `launch` is a JSON object of what a writer knows about the processes that log together with it;
-- NULL without any. `resumed_after` is the time of the last activity of earlier attempts, in
-- microseconds since the epoch: from then to `started_at`, the run paused.

ALTER TABLE writers ADD COLUMN launch TEXT CHECK (launch IS NULL OR json_valid(launch));
ALTER TABLE writers ADD COLUMN resumed_after INTEGER;

UPDATE writers SET resumed_after = (
    SELECT max(earlier.ended_at) FROM writers AS earlier
    WHERE earlier.run_id = writers.run_id
      AND earlier.attempt < writers.attempt
      AND earlier.ended_at <= writers.started_at
)
WHERE attempt > 1;

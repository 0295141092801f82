-- Runs that are out of the way, and runs that are about to be deleted. Both keep all data.

-- When a run was archived, and when it was moved to the trash.
ALTER TABLE runs ADD COLUMN archived_at bigint;
ALTER TABLE runs ADD COLUMN trashed_at bigint;

-- Pages and counts of the runs of a project read this index, and no row that they do not show.
CREATE INDEX active_runs ON runs (project_id, created_at, id)
WHERE archived_at IS NULL AND trashed_at IS NULL;
CREATE INDEX archived_runs ON runs (project_id) WHERE archived_at IS NOT NULL;
CREATE INDEX trashed_runs ON runs (project_id) WHERE trashed_at IS NOT NULL;

-- The function that SQLite has for regular expressions, which come in a form that both read alike.
CREATE FUNCTION matches(pattern text, value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT value ~ pattern
$$;

CREATE OR REPLACE VIEW run_overview AS
SELECT
    runs.id,
    projects.name AS project,
    runs.slug     AS run,
    runs.name,
    runs.group_name,
    runs.state,
    readable_time(runs.created_at) AS created,
    round((coalesce(runs.finished_at, runs.updated_at) - runs.created_at) / 1e6, 1) AS seconds,
    coalesce(logged.points, 0) AS points,
    readable_time(runs.archived_at) AS archived,
    readable_time(runs.trashed_at) AS trashed
FROM runs
JOIN projects ON projects.id = runs.project_id
LEFT JOIN (
    SELECT run_id, sum(points)::bigint AS points FROM series GROUP BY run_id
) AS logged ON logged.run_id = runs.id;

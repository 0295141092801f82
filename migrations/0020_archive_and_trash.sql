-- Runs that are out of the way, and runs that are about to be deleted. Both keep all data.

-- When a run was archived, and when it was moved to the trash, in microseconds since the epoch.
ALTER TABLE runs ADD COLUMN archived_at INTEGER;
ALTER TABLE runs ADD COLUMN trashed_at INTEGER;

-- Pages, counts and searches of the runs of a project read this index, and no row that they do not
-- show. The columns of the condition are in it so that SQLite takes it for covering.
CREATE INDEX active_runs ON runs (
    project_id, created_at, id, archived_at, trashed_at, slug, name
)
WHERE archived_at IS NULL AND trashed_at IS NULL;
CREATE INDEX archived_runs ON runs (project_id) WHERE archived_at IS NOT NULL;
CREATE INDEX trashed_runs ON runs (project_id) WHERE trashed_at IS NOT NULL;

DROP VIEW run_overview;

CREATE VIEW run_overview AS
SELECT
    runs.id,
    projects.name AS project,
    runs.slug     AS run,
    runs.name,
    runs.group_name,
    runs.state,
    strftime('%Y-%m-%dT%H:%M:%SZ', runs.created_at / 1000000, 'unixepoch') AS created,
    round((coalesce(runs.finished_at, runs.updated_at) - runs.created_at) / 1e6, 1) AS seconds,
    (SELECT coalesce(sum(points), 0) FROM series WHERE series.run_id = runs.id) AS points,
    strftime('%Y-%m-%dT%H:%M:%SZ', runs.archived_at / 1000000, 'unixepoch') AS archived,
    strftime('%Y-%m-%dT%H:%M:%SZ', runs.trashed_at / 1000000, 'unixepoch') AS trashed
FROM runs
JOIN projects ON projects.id = runs.project_id;

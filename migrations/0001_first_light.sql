-- Projects, runs, who logged them, their configuration and their points.
-- Times are integer microseconds since the epoch, UTC. NaN is NULL: SQLite has none.

CREATE TABLE schema_migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    checksum   TEXT    NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

-- AUTOINCREMENT: the id of a deleted row never comes back as somebody else.
CREATE TABLE projects (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    slug       TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- `uid` is the run's identity wherever its data goes, `slug` what people call it.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    uid         TEXT    NOT NULL UNIQUE,
    project_id  INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    slug        TEXT    NOT NULL,
    name        TEXT,
    group_name  TEXT,
    state       TEXT    NOT NULL CHECK (state IN ('running', 'completed', 'failed')),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    finished_at INTEGER,
    fork_uid    TEXT,  -- the run it continues, which need not be here, up to `fork_step`
    fork_step   ANY,
    UNIQUE (project_id, slug)
) STRICT;

CREATE INDEX runs_by_name ON runs (project_id, name);
CREATE INDEX runs_by_creation ON runs (created_at, id);

-- Nested configuration is flat here: {"opt": {"lr": 1}} is the key 'opt/lr' with the value '1'.
CREATE TABLE configs (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key    TEXT    NOT NULL,
    value  TEXT    NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;

-- A process that logs to a run. A resume is a new attempt; ranks beside each other share one.
CREATE TABLE writers (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    uid        TEXT    NOT NULL UNIQUE,
    run_id     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt    INTEGER NOT NULL,
    rank       INTEGER NOT NULL DEFAULT 0,
    host       TEXT    NOT NULL,
    pid        INTEGER NOT NULL,
    started_at INTEGER NOT NULL
) STRICT;

CREATE INDEX writers_of_run ON writers (run_id, attempt);

-- One row per metric of a run, with running figures over its points. On the axis 'time'
-- (system metrics) steps are timestamps. min, max and sum are over finite numbers.
CREATE TABLE series (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id          INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    path            TEXT    NOT NULL,
    axis            TEXT    NOT NULL CHECK (axis IN ('step', 'time')),
    kind            TEXT    NOT NULL CHECK (kind IN ('number', 'bool', 'text', 'histogram')),
    points          INTEGER NOT NULL DEFAULT 0,
    finite_points   INTEGER NOT NULL DEFAULT 0,
    nan_points      INTEGER NOT NULL DEFAULT 0,
    first_step      ANY,
    last_step       ANY,
    first_timestamp INTEGER,
    last_timestamp  INTEGER,
    last_value      ANY,
    min_value       ANY,
    min_step        ANY,
    max_value       ANY,
    max_step        ANY,
    sum             REAL    NOT NULL DEFAULT 0,
    UNIQUE (run_id, path, axis)
) STRICT;

-- One row per logged point, clustered: a series is one contiguous read. No foreign key: it would
-- be looked up for every point; the repository deletes points before their series.
CREATE TABLE metrics (
    series_id INTEGER NOT NULL,
    step      ANY     NOT NULL,
    timestamp INTEGER NOT NULL,
    value     ANY,
    writer_id INTEGER NOT NULL,
    PRIMARY KEY (series_id, step, timestamp, writer_id)
) STRICT, WITHOUT ROWID;

-- From which step on a later attempt stands in the place of the earlier ones. Their points stay;
-- figures and curves leave them out.
CREATE TABLE attempts (
    series_id  INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
    attempt    INTEGER NOT NULL CHECK (attempt > 1),
    first_step ANY     NOT NULL,
    PRIMARY KEY (series_id, attempt)
) STRICT, WITHOUT ROWID;

-- How many bytes of each journal are in this database. A row outlives its run: a run that was
-- deleted while it was logging must not come back.
CREATE TABLE journals (
    name     TEXT    PRIMARY KEY,
    consumed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For people at the sqlite3 prompt: names instead of ids, readable times.
CREATE VIEW run_overview AS
SELECT
    runs.id,
    projects.name AS project,
    runs.slug     AS run,
    runs.name,
    runs.group_name,
    runs.state,
    strftime('%Y-%m-%d %H:%M:%S', runs.created_at / 1000000, 'unixepoch') AS created,
    round((coalesce(runs.finished_at, runs.updated_at) - runs.created_at) / 1e6, 1) AS seconds,
    (SELECT coalesce(sum(points), 0) FROM series WHERE series.run_id = runs.id) AS points
FROM runs
JOIN projects ON projects.id = runs.project_id;

CREATE VIEW metric_overview AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    series.path   AS metric,
    series.kind,
    series.points,
    series.last_value AS last,
    series.min_value  AS min,
    series.max_value  AS max,
    CASE WHEN series.finite_points > 0 THEN series.sum / series.finite_points END AS mean,
    series.nan_points AS nans,
    CASE series.axis WHEN 'step' THEN series.last_step END AS last_step,
    strftime('%Y-%m-%d %H:%M:%S', series.last_timestamp / 1000000, 'unixepoch') AS last_time
FROM series
JOIN runs ON runs.id = series.run_id
JOIN projects ON projects.id = runs.project_id;

CREATE VIEW points AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    series.path   AS metric,
    CASE series.axis WHEN 'step' THEN metrics.step END AS step,
    strftime('%Y-%m-%d %H:%M:%f', metrics.timestamp / 1000000.0, 'unixepoch') AS time,
    metrics.value
FROM metrics
JOIN series ON series.id = metrics.series_id
JOIN runs ON runs.id = series.run_id
JOIN projects ON projects.id = runs.project_id;

CREATE VIEW config_overview AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    configs.key,
    configs.value
FROM configs
JOIN runs ON runs.id = configs.run_id
JOIN projects ON projects.id = runs.project_id;

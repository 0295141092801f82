-- The schema after 0020_archive_and_trash.sql, by scripts/snapshot_schema.py.

CREATE TABLE schema_migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    checksum   TEXT    NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE projects (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    slug       TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

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
    fork_step   ANY, notes TEXT, is_silent INTEGER NOT NULL DEFAULT 0 CHECK (is_silent IN (0, 1)), archived_at INTEGER, trashed_at INTEGER,
    UNIQUE (project_id, slug)
) STRICT;

CREATE INDEX runs_by_name ON runs (project_id, name);

CREATE INDEX runs_by_creation ON runs (created_at, id);

CREATE TABLE writers (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    uid        TEXT    NOT NULL UNIQUE,
    run_id     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt    INTEGER NOT NULL,
    rank       INTEGER NOT NULL DEFAULT 0,
    host       TEXT    NOT NULL,
    pid        INTEGER NOT NULL,
    started_at INTEGER NOT NULL
, import_id INTEGER, state TEXT CHECK (state IN ('running', 'completed', 'failed')), first_step ANY, ended_at INTEGER, launch TEXT CHECK (launch IS NULL OR json_valid(launch)), resumed_after INTEGER, key_name TEXT, seen_at INTEGER) STRICT;

CREATE INDEX writers_of_run ON writers (run_id, attempt);

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

CREATE TABLE metrics (
    series_id INTEGER NOT NULL,
    step      ANY     NOT NULL,
    timestamp INTEGER NOT NULL,
    value     ANY,
    writer_id INTEGER NOT NULL,
    PRIMARY KEY (series_id, step, timestamp, writer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    series_id  INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
    attempt    INTEGER NOT NULL CHECK (attempt > 1),
    first_step ANY     NOT NULL,
    PRIMARY KEY (series_id, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE journals (
    name     TEXT    PRIMARY KEY,
    consumed INTEGER NOT NULL
, is_remote INTEGER NOT NULL DEFAULT 0 CHECK (is_remote IN (0, 1)), orphaned_at INTEGER) STRICT, WITHOUT ROWID;

CREATE TABLE tags (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    tag    TEXT    NOT NULL,
    PRIMARY KEY (run_id, tag)
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_by_tag ON tags (tag, run_id);

CREATE TABLE files (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id    INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    writer_id INTEGER NOT NULL REFERENCES writers (id) ON DELETE CASCADE,
    path      TEXT    NOT NULL,  -- what the run calls it
    kind      TEXT    NOT NULL CHECK (kind IN ('file', 'file_series', 'file_set', 'artifact')),
    name      TEXT    NOT NULL,  -- its file name, inside a set with folders
    step      ANY,
    timestamp INTEGER,
    size      INTEGER,
    sha256    TEXT,
    source    TEXT    NOT NULL   -- where it was when it was stored
) STRICT;

CREATE INDEX files_of_run ON files (run_id, path);

CREATE INDEX files_by_content ON files (sha256);

CREATE INDEX files_by_writer ON files (writer_id);

CREATE TABLE system_steps (
    series_id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    writer_id INTEGER NOT NULL,
    step      ANY     NOT NULL,
    PRIMARY KEY (series_id, timestamp, writer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE imports (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id      INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    part        TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    consumed    INTEGER NOT NULL DEFAULT 0,
    complete    INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),
    counts      TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(counts)),
    UNIQUE (run_id, part)
) STRICT;

CREATE INDEX writers_of_import ON writers (import_id) WHERE import_id IS NOT NULL;

CREATE INDEX runs_by_fork ON runs (fork_uid) WHERE fork_uid IS NOT NULL;

CREATE INDEX series_by_path ON series (
    path, run_id, axis, kind, points, finite_points, sum, last_value, min_value, max_value
);

CREATE TABLE batches (
    run_id    INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    batch_id  TEXT    NOT NULL,
    points    INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (run_id, batch_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_levels (
    series_id INTEGER PRIMARY KEY,
    base      INTEGER NOT NULL,
    top       INTEGER NOT NULL,
    points    INTEGER NOT NULL
) STRICT;

CREATE TABLE stale_rollups (
    series_id  INTEGER NOT NULL,
    first_step ANY     NOT NULL,
    last_step  ANY     NOT NULL,
    PRIMARY KEY (series_id, first_step)
) STRICT, WITHOUT ROWID;

CREATE TABLE deleted_series (
    series_id INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE rollups (
    series_id INTEGER NOT NULL,
    level     INTEGER NOT NULL,
    block     INTEGER NOT NULL,
    buckets   BLOB    NOT NULL,
    PRIMARY KEY (series_id, level, block)
) STRICT, WITHOUT ROWID;

CREATE TABLE large_values (
    series_id INTEGER NOT NULL,
    step      ANY     NOT NULL,
    timestamp INTEGER NOT NULL,
    writer_id INTEGER NOT NULL,
    value     TEXT    NOT NULL,
    PRIMARY KEY (series_id, step, timestamp, writer_id)
) STRICT;

CREATE VIEW metric_overview AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    series.path   AS metric,
    series.kind,
    series.points,
    CASE
        WHEN typeof(series.last_value) = 'blob' THEN (
            SELECT large_values.value
            FROM large_values
            JOIN writers ON writers.id = large_values.writer_id
            WHERE large_values.series_id = series.id
              AND large_values.step = series.last_step
              AND NOT EXISTS (
                  SELECT 1 FROM attempts
                  WHERE attempts.series_id = large_values.series_id
                    AND attempts.first_step <= large_values.step
                    AND attempts.attempt > writers.attempt
              )
            ORDER BY large_values.timestamp DESC, large_values.writer_id DESC
            LIMIT 1
        )
        ELSE series.last_value
    END AS last,
    series.min_value AS min,
    series.max_value AS max,
    CASE WHEN series.finite_points > 0 THEN series.sum / series.finite_points END AS mean,
    series.nan_points AS nans,
    CASE series.axis WHEN 'step' THEN series.last_step END AS last_step,
    strftime('%Y-%m-%dT%H:%M:%SZ', series.last_timestamp / 1000000, 'unixepoch') AS last_time,
    CASE
        WHEN typeof(series.last_value) IN ('integer', 'real')
        THEN CAST(series.last_value AS REAL)
    END AS last_number,
    CAST(series.min_value AS REAL) AS min_number,
    CAST(series.max_value AS REAL) AS max_number,
    CASE series.axis WHEN 'step' THEN CAST(series.last_step AS REAL) END AS last_step_number
FROM series
JOIN runs ON runs.id = series.run_id
JOIN projects ON projects.id = runs.project_id;

CREATE VIEW logged_points AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    series.path   AS metric,
    CASE series.axis WHEN 'step' THEN metrics.step END AS step,
    strftime(
        '%Y-%m-%dT%H:%M:%S',
        metrics.timestamp / 1000000 - (metrics.timestamp % 1000000 < 0),
        'unixepoch'
    ) || printf('.%06dZ', (metrics.timestamp % 1000000 + 1000000) % 1000000) AS time,
    CASE
        WHEN typeof(metrics.value) = 'blob' THEN (
            SELECT large_values.value FROM large_values
            WHERE large_values.series_id = metrics.series_id
              AND large_values.step = metrics.step
              AND large_values.timestamp = metrics.timestamp
              AND large_values.writer_id = metrics.writer_id
        )
        ELSE metrics.value
    END AS value,
    writers.attempt,
    writers.rank,
    EXISTS (
        SELECT 1 FROM attempts
        WHERE attempts.series_id = metrics.series_id
          AND attempts.first_step <= metrics.step
          AND attempts.attempt > writers.attempt
    ) AS superseded,
    CASE series.axis WHEN 'step' THEN CAST(metrics.step AS REAL) END AS step_number,
    CASE
        WHEN typeof(metrics.value) IN ('integer', 'real') THEN CAST(metrics.value AS REAL)
    END AS value_number
FROM metrics
JOIN series ON series.id = metrics.series_id
JOIN runs ON runs.id = series.run_id
JOIN projects ON projects.id = runs.project_id
JOIN writers ON writers.id = metrics.writer_id;

CREATE VIEW points AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    series.path   AS metric,
    CASE series.axis WHEN 'step' THEN metrics.step END AS step,
    strftime(
        '%Y-%m-%dT%H:%M:%S',
        metrics.timestamp / 1000000 - (metrics.timestamp % 1000000 < 0),
        'unixepoch'
    ) || printf('.%06dZ', (metrics.timestamp % 1000000 + 1000000) % 1000000) AS time,
    CASE
        WHEN typeof(metrics.value) = 'blob' THEN (
            SELECT large_values.value FROM large_values
            WHERE large_values.series_id = metrics.series_id
              AND large_values.step = metrics.step
              AND large_values.timestamp = metrics.timestamp
              AND large_values.writer_id = metrics.writer_id
        )
        ELSE metrics.value
    END AS value,
    CASE series.axis WHEN 'step' THEN CAST(metrics.step AS REAL) END AS step_number,
    CASE
        WHEN typeof(metrics.value) IN ('integer', 'real') THEN CAST(metrics.value AS REAL)
    END AS value_number
FROM metrics
JOIN series ON series.id = metrics.series_id
JOIN runs ON runs.id = series.run_id
JOIN projects ON projects.id = runs.project_id
-- For series that were never resumed, the first condition makes the second unnecessary.
WHERE NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.series_id = series.id)
   OR NOT EXISTS (
       SELECT 1 FROM attempts
       WHERE attempts.series_id = metrics.series_id
         AND attempts.first_step <= metrics.step
         AND attempts.attempt >
             (SELECT writers.attempt FROM writers WHERE writers.id = metrics.writer_id)
   );

CREATE TABLE "configs" (
    run_id     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key        TEXT    NOT NULL,
    type       TEXT,
    comparable ANY GENERATED ALWAYS AS (
        CASE
            WHEN length(value) > 900           THEN x'02'
            WHEN instr(value, '\u0000') > 0    THEN x'02'
            WHEN json_type(value) = 'true'     THEN x'01'
            WHEN json_type(value) = 'false'    THEN x'00'
            ELSE value ->> '$'
        END
    ) STORED,
    value      TEXT    NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (run_id, key)
) STRICT;

CREATE INDEX configs_by_key ON configs (key, run_id, comparable);

CREATE VIEW config_overview AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    configs.key,
    configs.value
FROM configs
JOIN runs ON runs.id = configs.run_id
JOIN projects ON projects.id = runs.project_id;

CREATE TABLE "arrivals" (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    series_id       INTEGER NOT NULL,
    writer_id       INTEGER NOT NULL,
    first_step      ANY     NOT NULL,
    last_step       ANY     NOT NULL,
    first_timestamp INTEGER NOT NULL,
    last_timestamp  INTEGER NOT NULL,
    nonce           INTEGER NOT NULL DEFAULT (random() & 0xFFFFFFFF)
) STRICT;

CREATE TABLE ended_sessions (
    id      TEXT PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE,
    scope        TEXT    NOT NULL CHECK (scope IN ('read', 'write', 'admin')),
    project_id   INTEGER REFERENCES projects (id) ON DELETE CASCADE,  -- NULL for all projects
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER
) STRICT;

CREATE UNIQUE INDEX keys_by_name ON keys (name) WHERE revoked_at IS NULL;

CREATE INDEX writers_by_seen_at ON writers (seen_at) WHERE seen_at IS NOT NULL AND state = 'running';

CREATE INDEX remote_journals ON journals (substr(name, 18, 32)) WHERE is_remote;

CREATE TABLE environment (
    run_id     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt    INTEGER NOT NULL,
    key        TEXT    NOT NULL,
    comparable ANY GENERATED ALWAYS AS (
        CASE
            WHEN length(value) > 900           THEN x'02'
            WHEN instr(value, '\u0000') > 0    THEN x'02'
            WHEN json_type(value) = 'true'     THEN x'01'
            WHEN json_type(value) = 'false'    THEN x'00'
            ELSE value ->> '$'
        END
    ) STORED,
    value      TEXT    NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (run_id, attempt, key)
) STRICT;

CREATE INDEX environment_by_key ON environment (key, run_id, attempt, comparable);

CREATE VIEW latest_environment AS
SELECT environment.run_id, environment.key, environment.comparable, environment.value
FROM environment
WHERE environment.attempt = (
    SELECT max(latest.attempt) FROM environment AS latest
    WHERE latest.run_id = environment.run_id
);

CREATE VIEW environment_overview AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    environment.attempt,
    environment.key,
    environment.value
FROM environment
JOIN runs ON runs.id = environment.run_id
JOIN projects ON projects.id = runs.project_id;

CREATE TABLE artifacts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id   INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    type         TEXT    NOT NULL,  -- '' without one
    name         TEXT    NOT NULL,
    next_version INTEGER NOT NULL DEFAULT 0,
    UNIQUE (project_id, name, type)
) STRICT;

CREATE TABLE artifact_versions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    artifact_id INTEGER NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    version     INTEGER NOT NULL,
    digest      TEXT    NOT NULL,
    description TEXT,
    metadata    TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    tags        TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
    created_at  INTEGER NOT NULL,
    logged_at   INTEGER NOT NULL,
    UNIQUE (artifact_id, version),
    UNIQUE (artifact_id, digest)
) STRICT;

CREATE INDEX artifact_versions_by_time ON artifact_versions (artifact_id, logged_at);

CREATE TABLE artifact_files (
    version_id INTEGER NOT NULL REFERENCES artifact_versions (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    size       INTEGER,
    sha256     TEXT,
    reference  TEXT,
    PRIMARY KEY (version_id, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifact_files_by_content ON artifact_files (sha256) WHERE sha256 IS NOT NULL;

CREATE TABLE artifact_aliases (
    artifact_id INTEGER NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    alias       TEXT    NOT NULL,
    version_id  INTEGER NOT NULL REFERENCES artifact_versions (id) ON DELETE CASCADE,
    PRIMARY KEY (artifact_id, alias)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifact_aliases_by_version ON artifact_aliases (version_id);

CREATE TABLE artifact_runs (
    version_id INTEGER NOT NULL REFERENCES artifact_versions (id) ON DELETE CASCADE,
    role       TEXT    NOT NULL CHECK (role IN ('logged', 'used')),
    run_id     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    timestamp  INTEGER NOT NULL,
    PRIMARY KEY (version_id, role, run_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifact_runs_by_run ON artifact_runs (run_id, role);

CREATE VIEW artifact_overview AS
SELECT
    projects.name AS project,
    artifacts.type,
    artifacts.name AS artifact,
    artifact_versions.version,
    NOT EXISTS (
        SELECT 1 FROM artifact_versions AS later
        WHERE later.artifact_id = artifacts.id
          AND later.logged_at > artifact_versions.logged_at
    ) AS latest,
    (
        SELECT group_concat(artifact_aliases.alias, ', ') FROM artifact_aliases
        WHERE artifact_aliases.version_id = artifact_versions.id
    ) AS aliases,
    (
        SELECT runs.slug FROM artifact_runs
        JOIN runs ON runs.id = artifact_runs.run_id
        WHERE artifact_runs.version_id = artifact_versions.id AND artifact_runs.role = 'logged'
        ORDER BY artifact_runs.timestamp, artifact_runs.run_id
        LIMIT 1
    ) AS run,
    (
        SELECT COUNT(artifact_runs.run_id) FROM artifact_runs
        WHERE artifact_runs.version_id = artifact_versions.id AND artifact_runs.role = 'used'
    ) AS used_by,
    (
        SELECT COUNT(artifact_files.name) FROM artifact_files
        WHERE artifact_files.version_id = artifact_versions.id
    ) AS files,
    (
        SELECT coalesce(sum(artifact_files.size), 0) FROM artifact_files
        WHERE artifact_files.version_id = artifact_versions.id
    ) AS size,
    strftime('%Y-%m-%dT%H:%M:%SZ', artifact_versions.created_at / 1000000, 'unixepoch') AS created,
    artifact_versions.description,
    artifact_versions.metadata,
    artifact_versions.digest
FROM artifact_versions
JOIN artifacts ON artifacts.id = artifact_versions.artifact_id
JOIN projects ON projects.id = artifacts.project_id;

CREATE TABLE views (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    layout     TEXT    NOT NULL CHECK (json_valid(layout)),
    version    INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (project_id, name)
) STRICT;

CREATE INDEX active_runs ON runs (
    project_id, created_at, id, archived_at, trashed_at, slug, name
)
WHERE archived_at IS NULL AND trashed_at IS NULL;

CREATE INDEX archived_runs ON runs (project_id) WHERE archived_at IS NOT NULL;

CREATE INDEX trashed_runs ON runs (project_id) WHERE trashed_at IS NOT NULL;

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

INSERT INTO arrivals (
    series_id, writer_id, first_step, last_step, first_timestamp, last_timestamp
)
VALUES (0, 0, 0, 0, 0, 0);

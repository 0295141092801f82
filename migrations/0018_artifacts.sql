-- Artifacts: named sets of files, in versions.

-- `next_version` is never used twice, also after the deletion of versions.
CREATE TABLE artifacts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id   INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    type         TEXT    NOT NULL,  -- '' without one
    name         TEXT    NOT NULL,
    next_version INTEGER NOT NULL DEFAULT 0,
    UNIQUE (project_id, name, type)
) STRICT;

-- `digest` is of the names and contents of its files: the same contents are the same version.
-- The version with the highest `logged_at` is the latest one; no two of an artifact are equal.
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

-- The bytes are those of `files`. A file with a `reference` is elsewhere, and has no bytes here.
CREATE TABLE artifact_files (
    version_id INTEGER NOT NULL REFERENCES artifact_versions (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    size       INTEGER,
    sha256     TEXT,
    reference  TEXT,
    PRIMARY KEY (version_id, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifact_files_by_content ON artifact_files (sha256) WHERE sha256 IS NOT NULL;

-- All aliases but 'latest', which follows from `logged_at`.
CREATE TABLE artifact_aliases (
    artifact_id INTEGER NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    alias       TEXT    NOT NULL,
    version_id  INTEGER NOT NULL REFERENCES artifact_versions (id) ON DELETE CASCADE,
    PRIMARY KEY (artifact_id, alias)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifact_aliases_by_version ON artifact_aliases (version_id);

-- The runs that logged a version, and those that used it. A version is deleted with the last run
-- that logged it.
CREATE TABLE artifact_runs (
    version_id INTEGER NOT NULL REFERENCES artifact_versions (id) ON DELETE CASCADE,
    role       TEXT    NOT NULL CHECK (role IN ('logged', 'used')),
    run_id     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    timestamp  INTEGER NOT NULL,
    PRIMARY KEY (version_id, role, run_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifact_runs_by_run ON artifact_runs (run_id, role);

-- DuckDB cannot pass on the COUNT(*) of a subquery.
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

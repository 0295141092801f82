-- For people in psql: names instead of ids, readable times.

CREATE FUNCTION readable_time(microseconds bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_char(
        timestamp '1970-01-01' + microseconds / 1000000 * interval '1 second',
        'YYYY-MM-DD"T"HH24:MI:SS"Z"'
    )
$$;

CREATE VIEW run_overview AS
SELECT
    runs.id,
    projects.name AS project,
    runs.slug     AS run,
    runs.name,
    runs.group_name,
    runs.state,
    readable_time(runs.created_at) AS created,
    round((coalesce(runs.finished_at, runs.updated_at) - runs.created_at) / 1e6, 1) AS seconds,
    coalesce(logged.points, 0) AS points
FROM runs
JOIN projects ON projects.id = runs.project_id
LEFT JOIN (
    SELECT run_id, sum(points)::bigint AS points FROM series GROUP BY run_id
) AS logged ON logged.run_id = runs.id;

CREATE VIEW metric_overview AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    series.path   AS metric,
    series.kind,
    series.points,
    value_text(series.last_value) AS last,
    series.min_value::double precision AS min,
    series.max_value::double precision AS max,
    CASE
        WHEN series.finite_points > 0
        THEN mean(series.min_value, series.max_value, series.sum, series.finite_points)
    END AS mean,
    series.nan_points AS nans,
    CASE series.axis WHEN 'step' THEN series.last_step::double precision END AS last_step,
    readable_time(series.last_timestamp) AS last_time,
    CASE (series.last_value).kind
        WHEN 0 THEN ((series.last_value).number)::double precision
    END AS last_number,
    series.min_value::double precision AS min_number,
    series.max_value::double precision AS max_number,
    CASE series.axis WHEN 'step' THEN series.last_step::double precision END AS last_step_number
FROM series
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
        SELECT string_agg(artifact_aliases.alias, ', ') FROM artifact_aliases
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
        SELECT coalesce(sum(artifact_files.size), 0)::bigint FROM artifact_files
        WHERE artifact_files.version_id = artifact_versions.id
    ) AS size,
    readable_time(artifact_versions.created_at) AS created,
    artifact_versions.description,
    artifact_versions.metadata,
    artifact_versions.digest
FROM artifact_versions
JOIN artifacts ON artifacts.id = artifact_versions.artifact_id
JOIN projects ON projects.id = artifacts.project_id;

-- Programs that read a whole column as one type, such as polars, connectorx and Grafana, read the
-- floats after an integer as integers. Next to each column of mixed types is a column of floats.
--
-- Times are RFC 3339, which these programs and SQLite recognise. Large values are read from
-- `large_values`.
--
-- DuckDB parses the text of a view, and rewrites it for SQLite. It does not support IS between
-- values, and rewrites NOT IN in a form that SQLite rejects; it then cannot list the tables.

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
    (SELECT coalesce(sum(points), 0) FROM series WHERE series.run_id = runs.id) AS points
FROM runs
JOIN projects ON projects.id = runs.project_id;

DROP VIEW metric_overview;

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

DROP VIEW logged_points;

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

DROP VIEW points;

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

-- `comparable` is x'02' for a large value, as the index over all runs contains it. The column is
-- stored, before the value, so that comparing other values neither reads nor parses a large one.
--
-- It is x'02' as well for texts that may contain U+0000, so that no filter or group confuses such a
-- text with its beginning: SQLite's JSON functions end a text there in versions before about 3.45.
DROP VIEW config_overview;

CREATE TABLE new_configs (
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

INSERT INTO new_configs (run_id, key, type, value)
SELECT run_id, key, type, value FROM configs;

DROP TABLE configs;

ALTER TABLE new_configs RENAME TO configs;

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

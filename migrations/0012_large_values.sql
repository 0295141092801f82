-- Large texts are in a table of their own. To compare the keys of two rows of a table WITHOUT
-- ROWID or of an index, SQLite reads the whole row if it exceeds a quarter of a page: beside a text
-- of 10 MB, each point took 5 ms. In a table with row ids, keys are compared in an index, which has
-- no values.

-- A point whose value is x'' in `metrics` has its value here, under the same key.
CREATE TABLE large_values (
    series_id INTEGER NOT NULL,
    step      ANY     NOT NULL,
    timestamp INTEGER NOT NULL,
    writer_id INTEGER NOT NULL,
    value     TEXT    NOT NULL,
    PRIMARY KEY (series_id, step, timestamp, writer_id)
) STRICT;

-- Bytes are counted, because `length` of a text ends at U+0000.
INSERT INTO large_values (series_id, step, timestamp, writer_id, value)
SELECT series_id, step, timestamp, writer_id, value
FROM metrics
WHERE series_id IN (
        SELECT id FROM series
        WHERE kind IN ('text', 'histogram')
           OR finite_points < points
           OR id IN (SELECT attempts.series_id FROM attempts)
    )
  AND typeof(value) = 'text'
  AND length(CAST(value AS BLOB)) > 900;

UPDATE metrics SET value = x''
WHERE (series_id, step, timestamp, writer_id) IN (
    SELECT series_id, step, timestamp, writer_id FROM large_values
);

-- `last_value` is the value of the last point. A large one is replaced, too: the index
-- `series_by_path` contains it, and each batch of points updates its row.
UPDATE series SET last_value = x''
WHERE id IN (SELECT series_id FROM large_values)
  AND typeof(last_value) = 'text'
  AND length(CAST(last_value AS BLOB)) > 900;

-- Blocks of rollups contain first and last values. They are recomputed.
DELETE FROM rollups WHERE series_id IN (SELECT series_id FROM large_values);

DELETE FROM rollup_levels WHERE series_id IN (SELECT series_id FROM large_values);

DELETE FROM stale_rollups WHERE series_id IN (SELECT series_id FROM large_values);

INSERT INTO stale_rollups (series_id, first_step, last_step)
SELECT id, -1.7976931348623157e308, 1.7976931348623157e308
FROM series
WHERE points >= 4096 AND id IN (SELECT series_id FROM large_values);

-- `comparable` is x'02' for a large value, as the index over all runs contains it. The column is
-- stored, before the value, so that comparing other values neither reads nor parses a large one.
DROP VIEW config_overview;

CREATE TABLE new_configs (
    run_id     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key        TEXT    NOT NULL,
    type       TEXT,
    comparable ANY GENERATED ALWAYS AS (
        CASE
            WHEN length(value) > 900        THEN x'02'
            WHEN json_type(value) = 'true'  THEN x'01'
            WHEN json_type(value) = 'false' THEN x'00'
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

DROP VIEW metric_overview;

CREATE VIEW metric_overview AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    series.path   AS metric,
    series.kind,
    series.points,
    CASE
        WHEN series.last_value IS x'' THEN (
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
    series.min_value  AS min,
    series.max_value  AS max,
    CASE WHEN series.finite_points > 0 THEN series.sum / series.finite_points END AS mean,
    series.nan_points AS nans,
    CASE series.axis WHEN 'step' THEN series.last_step END AS last_step,
    strftime('%Y-%m-%d %H:%M:%S', series.last_timestamp / 1000000, 'unixepoch') AS last_time
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
    strftime('%Y-%m-%d %H:%M:%f', metrics.timestamp / 1000000.0, 'unixepoch') AS time,
    CASE
        WHEN metrics.value IS x'' THEN (
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
    ) AS superseded
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
    strftime('%Y-%m-%d %H:%M:%f', metrics.timestamp / 1000000.0, 'unixepoch') AS time,
    CASE
        WHEN metrics.value IS x'' THEN (
            SELECT large_values.value FROM large_values
            WHERE large_values.series_id = metrics.series_id
              AND large_values.step = metrics.step
              AND large_values.timestamp = metrics.timestamp
              AND large_values.writer_id = metrics.writer_id
        )
        ELSE metrics.value
    END AS value
FROM metrics
JOIN series ON series.id = metrics.series_id
JOIN runs ON runs.id = series.run_id
JOIN projects ON projects.id = runs.project_id
-- For series that were never resumed, the first condition makes the second unnecessary.
WHERE series.id NOT IN (SELECT attempts.series_id FROM attempts)
   OR NOT EXISTS (
       SELECT 1 FROM attempts
       WHERE attempts.series_id = metrics.series_id
         AND attempts.first_step <= metrics.step
         AND attempts.attempt >
             (SELECT writers.attempt FROM writers WHERE writers.id = metrics.writer_id)
   );

-- `points` is the clean curve, as the API and the figures show it; `logged_points` everything.

DROP VIEW points;

CREATE VIEW logged_points AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    series.path   AS metric,
    CASE series.axis WHEN 'step' THEN metrics.step END AS step,
    strftime('%Y-%m-%d %H:%M:%f', metrics.timestamp / 1000000.0, 'unixepoch') AS time,
    metrics.value,
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
JOIN projects ON projects.id = runs.project_id
-- The first half spares the points of series that were never resumed the second.
WHERE series.id NOT IN (SELECT attempts.series_id FROM attempts)
   OR NOT EXISTS (
       SELECT 1 FROM attempts
       WHERE attempts.series_id = metrics.series_id
         AND attempts.first_step <= metrics.step
         AND attempts.attempt >
             (SELECT writers.attempt FROM writers WHERE writers.id = metrics.writer_id)
   );

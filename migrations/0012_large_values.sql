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

-- Rollups of up to 16 neighbouring buckets in one row: bucket b of a level lies in block b / 16
-- (rounded down). They are computed anew from `metrics`, in idle time, so nothing is carried over.
DROP TABLE rollups;

CREATE TABLE rollups (
    series_id INTEGER NOT NULL,
    level     INTEGER NOT NULL,
    block     INTEGER NOT NULL,
    buckets   BLOB    NOT NULL,
    PRIMARY KEY (series_id, level, block)
) STRICT, WITHOUT ROWID;

DELETE FROM rollup_levels;

DELETE FROM stale_rollups;

INSERT INTO stale_rollups (series_id, first_step, last_step)
SELECT id, -1.7976931348623157e308, 1.7976931348623157e308 FROM series WHERE points >= 4096;

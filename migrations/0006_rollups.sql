-- What charts are read from: figures over ranges of steps, so that a chart costs what its width
-- costs. A bucket of level e holds the points with bucket * 2^e <= step < (bucket + 1) * 2^e that
-- are not superseded. Short series have none.
CREATE TABLE rollups (
    series_id       INTEGER NOT NULL,
    level           INTEGER NOT NULL,
    bucket          INTEGER NOT NULL,
    points          INTEGER NOT NULL,
    finite_points   INTEGER NOT NULL,
    nan_points      INTEGER NOT NULL,
    infinite_points INTEGER NOT NULL,
    min_value       ANY,
    max_value       ANY,
    sum             REAL    NOT NULL,
    first_step      ANY     NOT NULL,
    last_step       ANY     NOT NULL,
    first_timestamp INTEGER NOT NULL,
    last_timestamp  INTEGER NOT NULL,
    first_value     ANY,
    last_value      ANY,
    PRIMARY KEY (series_id, level, bucket)
) STRICT, WITHOUT ROWID;

-- Which levels a series has, and how many points it had when they were chosen.
CREATE TABLE rollup_levels (
    series_id INTEGER PRIMARY KEY,
    base      INTEGER NOT NULL,
    top       INTEGER NOT NULL,
    points    INTEGER NOT NULL
) STRICT;

-- Ranges of steps in which points have changed since: they are read from `metrics`, and rolled up
-- in idle time.
CREATE TABLE stale_rollups (
    series_id  INTEGER NOT NULL,
    first_step ANY     NOT NULL,
    last_step  ANY     NOT NULL,
    PRIMARY KEY (series_id, first_step)
) STRICT, WITHOUT ROWID;

INSERT INTO stale_rollups (series_id, first_step, last_step)
SELECT id, first_step, last_step FROM series WHERE points >= 4096;

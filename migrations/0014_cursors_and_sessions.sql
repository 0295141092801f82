-- `nonce` distinguishes a row from the row with the same id in another database, such as a backup
-- that was moved into its place. Cursors of followers contain both.
CREATE TABLE new_arrivals (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    series_id       INTEGER NOT NULL,
    writer_id       INTEGER NOT NULL,
    first_step      ANY     NOT NULL,
    last_step       ANY     NOT NULL,
    first_timestamp INTEGER NOT NULL,
    last_timestamp  INTEGER NOT NULL,
    nonce           INTEGER NOT NULL DEFAULT (random() & 0xFFFFFFFF)
) STRICT;

INSERT INTO new_arrivals (
    id, series_id, writer_id, first_step, last_step, first_timestamp, last_timestamp
)
SELECT id, series_id, writer_id, first_step, last_step, first_timestamp, last_timestamp
FROM arrivals
ORDER BY id;

DROP TABLE arrivals;

ALTER TABLE new_arrivals RENAME TO arrivals;

-- The latest row is never deleted, so that a cursor can always refer to one. This row belongs to no
-- series.
INSERT INTO arrivals (
    series_id, writer_id, first_step, last_step, first_timestamp, last_timestamp
)
VALUES (0, 0, 0, 0, 0, 0);

-- Browser sessions that were signed out before they expired. Times are seconds since the epoch.
CREATE TABLE ended_sessions (
    id      TEXT PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What has come in lately, in the order in which it was committed: how a chart is followed while
-- points arrive in any order of steps. Only the latest rows are kept.
CREATE TABLE arrivals (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    series_id       INTEGER NOT NULL,
    writer_id       INTEGER NOT NULL,
    first_step      ANY     NOT NULL,
    last_step       ANY     NOT NULL,
    first_timestamp INTEGER NOT NULL,
    last_timestamp  INTEGER NOT NULL
) STRICT;

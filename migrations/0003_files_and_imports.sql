-- Files of runs, and what was taken over from elsewhere.

-- The bytes lie beside the database, in `<database>-files/ab/cdef…`, named by their SHA-256.
-- A row without one says that the file existed but its bytes were not there to be stored.
CREATE TABLE files (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id    INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    writer_id INTEGER NOT NULL REFERENCES writers (id) ON DELETE CASCADE,
    path      TEXT    NOT NULL,  -- what the run calls it
    kind      TEXT    NOT NULL CHECK (kind IN ('file', 'file_series', 'file_set', 'artifact')),
    name      TEXT    NOT NULL,  -- its file name, inside a set with folders
    step      ANY,
    timestamp INTEGER,
    size      INTEGER,
    sha256    TEXT,
    source    TEXT    NOT NULL   -- where it was when it was stored
) STRICT;

CREATE INDEX files_of_run ON files (run_id, path);
CREATE INDEX files_by_content ON files (sha256);
CREATE INDEX files_by_writer ON files (writer_id);

-- What JSON has no type for: 'datetime', 'string_set', 'float' where the value is "Infinity".
ALTER TABLE configs ADD COLUMN type TEXT;

-- A system metric lies on the time axis. Where its source counted steps as well, they are here.
CREATE TABLE system_steps (
    series_id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    writer_id INTEGER NOT NULL,
    step      ANY     NOT NULL,
    PRIMARY KEY (series_id, timestamp, writer_id)
) STRICT, WITHOUT ROWID;

-- How far each part of an export is stored, and what became of its rows (JSON). Its points are
-- those of the writers that `import_id` names: what a part brought can be told from the rest.
CREATE TABLE imports (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id      INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    part        TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    consumed    INTEGER NOT NULL DEFAULT 0,
    complete    INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),
    counts      TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(counts)),
    UNIQUE (run_id, part)
) STRICT;

ALTER TABLE writers ADD COLUMN import_id INTEGER;

CREATE INDEX writers_of_import ON writers (import_id) WHERE import_id IS NOT NULL;
CREATE INDEX runs_by_fork ON runs (fork_uid) WHERE fork_uid IS NOT NULL;

-- What people add to a run afterwards.

CREATE TABLE tags (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    tag    TEXT    NOT NULL,
    PRIMARY KEY (run_id, tag)
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_by_tag ON tags (tag, run_id);

ALTER TABLE runs ADD COLUMN notes TEXT;

-- Batches that came over HTTP with an id: sent again, they are not stored again.
CREATE TABLE batches (
    run_id    INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    batch_id  TEXT    NOT NULL,
    points    INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (run_id, batch_id)
) STRICT, WITHOUT ROWID;

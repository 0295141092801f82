-- Keys of a server, and the writers on other machines that log through it.

-- What the holder of a key may do: read, write (log and nothing else), or everything. Only the
-- SHA-256 of a key is stored: a key is 32 random bytes, so nobody can guess it from its hash.
CREATE TABLE keys (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE,
    scope        TEXT    NOT NULL CHECK (scope IN ('read', 'write', 'admin')),
    project_id   INTEGER REFERENCES projects (id) ON DELETE CASCADE,  -- NULL for all projects
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER
) STRICT;

-- A name belongs to one key at a time; a revoked key leaves it free.
CREATE UNIQUE INDEX keys_by_name ON keys (name) WHERE revoked_at IS NULL;

-- The name of the key with which a writer logs, and when the server last heard from it. Both are
-- NULL for a writer that logs to the file itself: the lock of its journal says whether it lives.
ALTER TABLE writers ADD COLUMN key_name TEXT;
ALTER TABLE writers ADD COLUMN seen_at INTEGER;

-- Whether the file of the journal is on another machine.
ALTER TABLE journals ADD COLUMN is_remote INTEGER NOT NULL DEFAULT 0 CHECK (is_remote IN (0, 1));

CREATE INDEX writers_by_seen_at ON writers (seen_at) WHERE seen_at IS NOT NULL AND state = 'running';

-- Since when no writer of a remote journal is in the database, because its run was deleted.
ALTER TABLE journals ADD COLUMN orphaned_at INTEGER;

-- By the identity of the writer, which is in the name.
CREATE INDEX remote_journals ON journals (substr(name, 18, 32)) WHERE is_remote;

-- Whether the run is failed only because the server does not hear from a writer.
ALTER TABLE runs ADD COLUMN is_silent INTEGER NOT NULL DEFAULT 0 CHECK (is_silent IN (0, 1));

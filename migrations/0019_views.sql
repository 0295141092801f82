-- Views of the dashboard: panels in sections, as users have arranged them.

-- `version` counts changes: a change must name the version that it was made from.
CREATE TABLE views (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    layout     TEXT    NOT NULL CHECK (json_valid(layout)),
    version    INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (project_id, name)
) STRICT;

-- What a run knows about where it runs: git, command line, Python, machine, launcher.

-- Each attempt of a run has its own facts, as JSON like configuration values. `comparable` is as in
-- `configs`, see 0013.
CREATE TABLE environment (
    run_id     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt    INTEGER NOT NULL,
    key        TEXT    NOT NULL,
    comparable ANY GENERATED ALWAYS AS (
        CASE
            WHEN length(value) > 900           THEN x'02'
            WHEN instr(value, '\u0000') > 0    THEN x'02'
            WHEN json_type(value) = 'true'     THEN x'01'
            WHEN json_type(value) = 'false'    THEN x'00'
            ELSE value ->> '$'
        END
    ) STORED,
    value      TEXT    NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (run_id, attempt, key)
) STRICT;

CREATE INDEX environment_by_key ON environment (key, run_id, attempt, comparable);

-- The facts of the latest attempt that has any. Filters and tables of runs read them.
CREATE VIEW latest_environment AS
SELECT environment.run_id, environment.key, environment.comparable, environment.value
FROM environment
WHERE environment.attempt = (
    SELECT max(latest.attempt) FROM environment AS latest
    WHERE latest.run_id = environment.run_id
);

CREATE VIEW environment_overview AS
SELECT
    projects.name AS project,
    runs.slug     AS run,
    environment.attempt,
    environment.key,
    environment.value
FROM environment
JOIN runs ON runs.id = environment.run_id
JOIN projects ON projects.id = runs.project_id;

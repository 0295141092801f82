-- Projects, runs, their writers, configuration, series, files and artifacts, as in the tables of
-- SQLite with the same names. Times are integer microseconds since the epoch, UTC; NaN is NULL.

-- A value that may be a number (kind 0), a text (1) or bytes (2, in hex), in this order.
CREATE TYPE any_value AS (
    kind   smallint,
    number numeric,
    text   text COLLATE "C"
);

-- A float has a decimal point.
CREATE FUNCTION typeof(value numeric) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value IS NULL THEN 'null'
        WHEN scale(value) = 0 THEN 'integer'
        ELSE 'real'
    END
$$;

CREATE FUNCTION typeof(value any_value) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE (value).kind
        WHEN 0 THEN typeof((value).number) WHEN 1 THEN 'text' WHEN 2 THEN 'blob' ELSE 'null'
    END
$$;

CREATE FUNCTION typeof(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN value IS NULL THEN 'null' ELSE 'text' END
$$;

CREATE FUNCTION typeof(value double precision) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN value IS NULL THEN 'null' ELSE 'real' END
$$;

CREATE FUNCTION typeof(value bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN value IS NULL THEN 'null' ELSE 'integer' END
$$;

-- What people read in psql.
CREATE FUNCTION value_text(value any_value) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE (value).kind
        WHEN 0 THEN CASE scale((value).number)
            WHEN 0 THEN (value).number::text ELSE ((value).number::double precision)::text
        END
        ELSE (value).text
    END
$$;

CREATE FUNCTION substr(value any_value, first bigint, length bigint) RETURNS any_value
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ROW(
        (value).kind, (value).number, substr((value).text, first::integer, length::integer)
    )::any_value
$$;

CREATE FUNCTION instr(haystack text, needle text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT strpos(haystack, needle)::bigint
$$;

-- Like `str.casefold` of Python for nearly all letters. The comment becomes a collation that knows
-- the letters of Unicode; which one there is depends on how PostgreSQL was built.
CREATE FUNCTION folded(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT replace(lower(value /*unicode*/), 'ß', 'ss') COLLATE "C"
$$;

CREATE FUNCTION min(one numeric, other numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT least(one, other) $$;
CREATE FUNCTION max(one numeric, other numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT greatest(one, other) $$;
CREATE FUNCTION min(one bigint, other bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT least(one, other) $$;
CREATE FUNCTION max(one bigint, other bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT greatest(one, other) $$;
CREATE FUNCTION min(one double precision, other double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT least(one, other) $$;
CREATE FUNCTION max(one double precision, other double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT greatest(one, other) $$;

-- An error for a text that is not JSON: PostgreSQL before 16 cannot answer false.
CREATE FUNCTION json_valid(value text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT value::json IS NOT NULL
$$;

-- Exactly the value of a float, with decimal places. A cast to numeric would round it to 15 digits.
CREATE FUNCTION exact(value double precision) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value IN ('Infinity', '-Infinity', 'NaN') THEN value::numeric
        WHEN exponent >= 0 THEN sign * mantissa * power(2::numeric, exponent) + 0.0
        ELSE trim_scale(
            sign * mantissa * power(5::numeric, -exponent) * ('1e' || exponent)::numeric
        ) + 0.0
    END
    FROM (
        SELECT
            CASE WHEN bits < 0 THEN -1 ELSE 1 END AS sign,
            (bits & 4503599627370495)
                + CASE WHEN bits >> 52 & 2047 > 0 THEN 4503599627370496 ELSE 0 END AS mantissa,
            (greatest(bits >> 52 & 2047, 1) - 1075)::integer AS exponent
        FROM (
            SELECT ('x' || encode(float8send(value), 'hex'))::bit(64)::bigint AS bits
        ) AS sent
    ) AS parts
$$;

-- A number in JSON: an integer of 64 bits, or a float.
CREATE FUNCTION json_number(value text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value ~ '^-?[0-9]+$' AND abs(value::numeric) < 9223372036854775808
            THEN value::numeric
        WHEN abs(value::numeric) > 1.7976931348623157e308
            THEN sign(value::numeric) * 'Infinity'::numeric
        ELSE exact(value::double precision)
    END
$$;

-- A JSON value as filters compare it: texts as texts, numbers as numbers, booleans as bytes that
-- equal no number. Long texts are compared by their JSON: bytes 02.
CREATE FUNCTION comparable(value text) RETURNS any_value
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN length(value) > 900 OR strpos(value, '\u0000') > 0 THEN ROW(2, 0, '02')::any_value
        WHEN json_typeof(value::json) = 'number' THEN ROW(0, json_number(value), '')::any_value
        WHEN json_typeof(value::json) = 'string'
            THEN ROW(1, 0, value::json #>> '{}')::any_value
        WHEN json_typeof(value::json) = 'boolean'
            THEN ROW(2, 0, CASE value WHEN 'true' THEN '01' ELSE '00' END)::any_value
        WHEN json_typeof(value::json) <> 'null' THEN ROW(1, 0, value)::any_value
    END
$$;

-- The text in JSON, for values whose `comparable` is bytes 02.
CREATE FUNCTION json_text(value text) RETURNS any_value
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ROW(
        1, 0,
        CASE
            WHEN strpos(value, '\u0000') > 0 OR json_typeof(value::json) <> 'string' THEN value
            ELSE value::json #>> '{}'
        END
    )::any_value
$$;

-- The aggregates of SQLite's JSON functions that our texts use.
CREATE FUNCTION json_text(items text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_json(items)::text
$$;
CREATE FUNCTION json_text(items bigint[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_json(items)::text
$$;
CREATE AGGREGATE json_group_array(text) (
    SFUNC = array_append, STYPE = text[], INITCOND = '{}', FINALFUNC = json_text
);
CREATE AGGREGATE json_group_array(bigint) (
    SFUNC = array_append, STYPE = bigint[], INITCOND = '{}', FINALFUNC = json_text
);

-- A value as a text that filters search with ~; a float has a decimal point, as in SQLite.
CREATE FUNCTION searched_text(value any_value) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE (value).kind
        WHEN 0 THEN CASE
            WHEN scale((value).number) = 0 THEN (value).number::text
            ELSE regexp_replace(
                ((value).number::double precision)::text, '^(-?\d+)(e|$)', '\1.0\2'
            )
        END
        WHEN 1 THEN (value).text
        WHEN 2 THEN ''
    END
$$;
CREATE CAST (any_value AS text) WITH FUNCTION searched_text(any_value);

-- The mean of finite values, between the lowest and the highest one. A sum may be infinite; a
-- division must not yield a number that is too small for a float, which is an error here.
CREATE FUNCTION mean(low numeric, high numeric, sum double precision, points bigint)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT greatest(low::double precision, least(high::double precision, CASE
        WHEN abs(sum) >= 5e-324::double precision * points THEN sum / points ELSE 0
    END))
$$;

-- A finite number, or NULL: what groups of runs average.
CREATE FUNCTION finite(value numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN abs(value) < 'Infinity' THEN value END
$$;
CREATE FUNCTION finite(value any_value) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE (value).kind WHEN 0 THEN finite((value).number) END
$$;
CREATE FUNCTION finite(value double precision) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN abs(value) < 'Infinity' THEN exact(value) END
$$;
CREATE FUNCTION finite(value bigint) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT value::numeric
$$;
CREATE FUNCTION finite(value text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT NULL::numeric
$$;

CREATE TABLE projects (
    id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    slug       text COLLATE "C" NOT NULL UNIQUE,
    name       text COLLATE "C" NOT NULL UNIQUE,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);

CREATE TABLE runs (
    id          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    uid         text COLLATE "C" NOT NULL UNIQUE,
    project_id  bigint NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    slug        text COLLATE "C" NOT NULL,
    name        text COLLATE "C",
    group_name  text COLLATE "C",
    state       text COLLATE "C" NOT NULL CHECK (state IN ('running', 'completed', 'failed')),
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL,
    finished_at bigint,
    fork_uid    text COLLATE "C",  -- the run it continues, which need not be here, up to `fork_step`
    fork_step   numeric,
    notes       text COLLATE "C",
    is_silent boolean NOT NULL DEFAULT FALSE,
    UNIQUE (project_id, slug)
);

CREATE INDEX runs_by_name ON runs (project_id, name);
CREATE INDEX runs_by_creation ON runs (created_at, id);
CREATE INDEX runs_by_fork ON runs (fork_uid) WHERE fork_uid IS NOT NULL;

CREATE TABLE configs (
    run_id     bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key        text COLLATE "C" NOT NULL,
    type       text COLLATE "C",
    comparable any_value GENERATED ALWAYS AS (comparable(value)) STORED,
    value      text COLLATE "C" NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (run_id, key)
);

CREATE INDEX configs_by_key ON configs (key, run_id, comparable);

CREATE TABLE environment (
    run_id     bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt    bigint NOT NULL,
    key        text COLLATE "C" NOT NULL,
    comparable any_value GENERATED ALWAYS AS (comparable(value)) STORED,
    value      text COLLATE "C" NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (run_id, attempt, key)
);

CREATE INDEX environment_by_key ON environment (key, run_id, attempt, comparable);

CREATE VIEW latest_environment AS
SELECT environment.run_id, environment.key, environment.comparable, environment.value
FROM environment
JOIN (
    SELECT run_id, max(attempt) AS attempt FROM environment GROUP BY run_id
) AS latest ON latest.run_id = environment.run_id AND latest.attempt = environment.attempt;

CREATE TABLE writers (
    id            bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    uid           text COLLATE "C" NOT NULL UNIQUE,
    run_id        bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt       bigint NOT NULL,
    rank          bigint NOT NULL DEFAULT 0,
    host          text COLLATE "C" NOT NULL,
    pid           bigint NOT NULL,
    started_at    bigint NOT NULL,
    import_id     bigint,
    state         text COLLATE "C" CHECK (state IN ('running', 'completed', 'failed')),
    first_step    numeric,
    ended_at      bigint,
    launch        text COLLATE "C" CHECK (launch IS NULL OR json_valid(launch)),
    resumed_after bigint,
    key_name      text COLLATE "C",
    seen_at       bigint
);

CREATE INDEX writers_of_run ON writers (run_id, attempt);
CREATE INDEX writers_of_import ON writers (import_id) WHERE import_id IS NOT NULL;
CREATE INDEX writers_by_seen_at ON writers (seen_at) WHERE seen_at IS NOT NULL AND state = 'running';

CREATE TABLE series (
    id              bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    run_id          bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    path            text COLLATE "C" NOT NULL,
    axis            text COLLATE "C" NOT NULL CHECK (axis IN ('step', 'time')),
    kind            text COLLATE "C" NOT NULL
                    CHECK (kind IN ('number', 'bool', 'text', 'histogram')),
    points          bigint NOT NULL DEFAULT 0,
    finite_points   bigint NOT NULL DEFAULT 0,
    nan_points      bigint NOT NULL DEFAULT 0,
    first_step      numeric,
    last_step       numeric,
    first_timestamp bigint,
    last_timestamp  bigint,
    last_value      any_value,
    min_value       numeric,
    min_step        numeric,
    max_value       numeric,
    max_step        numeric,
    sum             double precision NOT NULL DEFAULT 0,
    UNIQUE (run_id, path, axis)
);

-- The numbers of one metric over all runs, in one contiguous read. Not the last value: a row of an
-- index is too short for a text.
CREATE INDEX series_by_path ON series (path, axis, run_id)
INCLUDE (kind, points, finite_points, nan_points, min_value, max_value, sum);

CREATE TABLE attempts (
    series_id  bigint NOT NULL REFERENCES series (id) ON DELETE CASCADE,
    attempt    bigint NOT NULL CHECK (attempt > 1),
    first_step numeric NOT NULL,
    PRIMARY KEY (series_id, attempt)
);

CREATE TABLE journals (
    name        text COLLATE "C" PRIMARY KEY,
    consumed    bigint NOT NULL,
    is_remote boolean NOT NULL DEFAULT FALSE,
    orphaned_at bigint
);

CREATE INDEX remote_journals ON journals (substr(name, 18, 32)) WHERE is_remote;

CREATE TABLE tags (
    run_id bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    tag    text COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, tag)
);

CREATE INDEX runs_by_tag ON tags (tag, run_id);

CREATE TABLE files (
    id        bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    run_id    bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    writer_id bigint NOT NULL REFERENCES writers (id) ON DELETE CASCADE,
    path      text COLLATE "C" NOT NULL,  -- what the run calls it
    kind      text COLLATE "C" NOT NULL
              CHECK (kind IN ('file', 'file_series', 'file_set', 'artifact')),
    name      text COLLATE "C" NOT NULL,  -- its file name, inside a set with folders
    step      numeric,
    timestamp bigint,
    size      bigint,
    sha256    text COLLATE "C",
    source    text COLLATE "C" NOT NULL   -- where it was when it was stored
);

CREATE INDEX files_of_run ON files (run_id, path);
CREATE INDEX files_by_content ON files (sha256);
CREATE INDEX files_by_writer ON files (writer_id);

CREATE TABLE imports (
    id          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    run_id      bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    part        text COLLATE "C" NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    consumed    bigint NOT NULL DEFAULT 0,
    complete boolean NOT NULL DEFAULT FALSE,
    counts      text COLLATE "C" NOT NULL DEFAULT '{}' CHECK (json_valid(counts)),
    UNIQUE (run_id, part)
);

CREATE TABLE batches (
    run_id    bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    batch_id  text COLLATE "C" NOT NULL,
    points    bigint NOT NULL,
    stored_at bigint NOT NULL,
    PRIMARY KEY (run_id, batch_id)
);

CREATE TABLE rollup_levels (
    series_id bigint PRIMARY KEY,
    base      bigint NOT NULL,
    top       bigint NOT NULL,
    points    bigint NOT NULL
);

CREATE TABLE stale_rollups (
    series_id  bigint NOT NULL,
    first_step numeric NOT NULL,
    last_step  numeric NOT NULL,
    PRIMARY KEY (series_id, first_step)
);

CREATE TABLE rollups (
    series_id bigint NOT NULL,
    level     bigint NOT NULL,
    block     bigint NOT NULL,
    buckets   bytea  NOT NULL,
    PRIMARY KEY (series_id, level, block)
);

-- The buckets are packed already.
ALTER TABLE rollups ALTER COLUMN buckets SET STORAGE EXTERNAL;

CREATE TABLE deleted_series (
    series_id bigint PRIMARY KEY
);

CREATE TABLE ended_sessions (
    id      text COLLATE "C" PRIMARY KEY,
    expires bigint NOT NULL
);

-- What all servers share, such as the secret that signs sessions.
CREATE TABLE secrets (
    name  text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);

CREATE TABLE keys (
    id           bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    name         text COLLATE "C" NOT NULL,
    hash         bytea NOT NULL UNIQUE,
    scope        text COLLATE "C" NOT NULL CHECK (scope IN ('read', 'write', 'admin')),
    project_id   bigint REFERENCES projects (id) ON DELETE CASCADE,  -- NULL for all projects
    created_at   bigint NOT NULL,
    expires_at   bigint,
    revoked_at   bigint,
    last_used_at bigint
);

CREATE UNIQUE INDEX keys_by_name ON keys (name) WHERE revoked_at IS NULL;

CREATE TABLE artifacts (
    id           bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    type         text COLLATE "C" NOT NULL,  -- '' without one
    name         text COLLATE "C" NOT NULL,
    next_version bigint NOT NULL DEFAULT 0,
    UNIQUE (project_id, name, type)
);

CREATE TABLE artifact_versions (
    id          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    artifact_id bigint NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    version     bigint NOT NULL,
    digest      text COLLATE "C" NOT NULL,
    description text COLLATE "C",
    metadata    text COLLATE "C" NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    tags        text COLLATE "C" NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
    created_at  bigint NOT NULL,
    logged_at   bigint NOT NULL,
    UNIQUE (artifact_id, version),
    UNIQUE (artifact_id, digest)
);

CREATE INDEX artifact_versions_by_time ON artifact_versions (artifact_id, logged_at);

CREATE TABLE artifact_files (
    version_id bigint NOT NULL REFERENCES artifact_versions (id) ON DELETE CASCADE,
    name       text COLLATE "C" NOT NULL,
    size       bigint,
    sha256     text COLLATE "C",
    reference  text COLLATE "C",
    PRIMARY KEY (version_id, name)
);

CREATE INDEX artifact_files_by_content ON artifact_files (sha256) WHERE sha256 IS NOT NULL;

CREATE TABLE artifact_aliases (
    artifact_id bigint NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    alias       text COLLATE "C" NOT NULL,
    version_id  bigint NOT NULL REFERENCES artifact_versions (id) ON DELETE CASCADE,
    PRIMARY KEY (artifact_id, alias)
);

CREATE INDEX artifact_aliases_by_version ON artifact_aliases (version_id);

CREATE TABLE artifact_runs (
    version_id bigint NOT NULL REFERENCES artifact_versions (id) ON DELETE CASCADE,
    role       text COLLATE "C" NOT NULL CHECK (role IN ('logged', 'used')),
    run_id     bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    timestamp  bigint NOT NULL,
    PRIMARY KEY (version_id, role, run_id)
);

CREATE INDEX artifact_runs_by_run ON artifact_runs (run_id, role);

-- Views of the dashboard.
CREATE TABLE views (
    id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name       text COLLATE "C" NOT NULL,
    layout     text COLLATE "C" NOT NULL CHECK (json_valid(layout)),
    version    bigint NOT NULL DEFAULT 1,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    UNIQUE (project_id, name)
);

-- pg_restore and pg_upgrade fill generated columns without a search path. Bodies that are parsed
-- when a function is created find what they name all the same, other than those in quotes.

CREATE OR REPLACE FUNCTION json_number(value text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN value ~ '^-?[0-9]+$' AND abs(value::numeric) < 9223372036854775808
        THEN value::numeric
    WHEN abs(value::numeric) > 1.7976931348623157e308
        THEN sign(value::numeric) * 'Infinity'::numeric
    ELSE exact(value::double precision)
END;

-- A row of an index has at most 2704 bytes, of which a name may take 1536. So texts are long by
-- their bytes: 900 characters may be 3600.
CREATE OR REPLACE FUNCTION comparable(value text) RETURNS any_value
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN octet_length(value) > 900 OR strpos(value, '\u0000') > 0 THEN ROW(2, 0, '02')::any_value
    WHEN json_typeof(value::json) = 'number' THEN ROW(0, json_number(value), '')::any_value
    WHEN json_typeof(value::json) = 'string' THEN ROW(1, 0, value::json #>> '{}')::any_value
    WHEN json_typeof(value::json) = 'boolean'
        THEN ROW(2, 0, CASE value WHEN 'true' THEN '01' ELSE '00' END)::any_value
    WHEN json_typeof(value::json) <> 'null' THEN ROW(1, 0, value)::any_value
END;

ALTER TABLE artifacts DROP CONSTRAINT artifacts_project_id_name_type_key;

CREATE UNIQUE INDEX artifacts_by_name ON artifacts (project_id, name, md5(type));

-- What tables of runs are filtered and sorted by, without reading the runs one by one.

-- Numbers as numbers and text as text; booleans are blobs, so that they equal no number. SQLite
-- orders numbers before text before blobs.
ALTER TABLE configs ADD COLUMN comparable ANY GENERATED ALWAYS AS (
    CASE json_type(value)
        WHEN 'true'  THEN x'01'
        WHEN 'false' THEN x'00'
        ELSE value ->> '$'
    END
) VIRTUAL;

CREATE INDEX configs_by_key ON configs (key, run_id, comparable);

-- The figures of one metric over all runs, in one contiguous read.
CREATE INDEX series_by_path ON series (
    path, run_id, axis, kind, points, finite_points, sum, last_value, min_value, max_value
);

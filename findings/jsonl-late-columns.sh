#!/usr/bin/env bash
# Readers of JSON lines drop a metric whose first value comes late, without an error.
#
# Guess: a reader returns a column for every key in the file, or raises on an unexpected key.
# Seen with polars 2.1.0: `read_ndjson` and `scan_ndjson` infer the columns from the first 100 lines
# and drop keys that first appear later. `infer_schema_length=None` keeps them.
# Seen with DuckDB 2.0.1: `read_json` samples 20 480 lines, drops later keys, and rounds floats in
# a column whose sample was integers. `sample_size = -1` keeps both.
# pyarrow 26.0.1 and pandas 3.1.1 return every key and the exact values.
#
# A validation metric that is first logged after the first epoch is such a key.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 pandas==3.1.1
cd "$folder"
env/bin/python - <<'PYTHON'
import json

import duckdb
import pandas as pd
import polars as pl
import pyarrow.json


def write(path, lines, last):
    with open(path, "w") as file:
        for step in range(lines):
            print(json.dumps({"step": step, "count": 1}), file=file)
        print(json.dumps(last), file=file)


late = {"step": 1, "count": 1, "val": 0.25}
write("short.jsonl", 100, late)
assert pl.read_ndjson("short.jsonl").columns == ["step", "count"]
assert pl.scan_ndjson("short.jsonl").collect().columns == ["step", "count"]
assert "val" in pl.read_ndjson("short.jsonl", infer_schema_length=None).columns
print("polars: the key on line 101 is dropped")

write("long.jsonl", 20_480, late)
assert duckdb.sql("SELECT * FROM 'long.jsonl'").columns == ["step", "count"]
assert "val" in duckdb.sql("SELECT * FROM read_json('long.jsonl', sample_size = -1)").columns
print("DuckDB: the key on line 20 481 is dropped")

write("halves.jsonl", 20_480, {"step": 1, "count": 1.5})
[(rounded,)] = duckdb.sql("SELECT sum(count) FROM 'halves.jsonl'").fetchall()
[(exact,)] = duckdb.sql(
    "SELECT sum(count) FROM read_json('halves.jsonl', sample_size = -1)"
).fetchall()
assert (rounded, exact) == (20_482, 20_481.5), (rounded, exact)
print("DuckDB: 1.5 on line 20 481 is read as 2")

for path, key in (("long.jsonl", "val"), ("halves.jsonl", "count")):
    for frame in (pyarrow.json.read_json(path).to_pandas(), pd.read_json(path, lines=True)):
        assert frame[key].iloc[-1] in (0.25, 1.5)
print("pyarrow and pandas: complete")
PYTHON

#!/usr/bin/env bash
# polars.read_database truncates floats that follow 100 integers, without an error.
#
# Guess: the column becomes Float64, as in pandas and ADBC, or polars raises an error.
# Seen with polars 2.1.0: for a column of 200 times 1 and then 200 times 1.5, read through a
# sqlite3 connection, the type is Int64 and the sum 400 instead of 500. infer_schema_length=None
# reads all values correctly, and so does CAST(... AS REAL).
# SQLite columns can have such values if they have no type or the type ANY, or are expressions.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0
"$folder/env/bin/python" - <<'PYTHON'
import sqlite3

import polars as pl

connection = sqlite3.connect(":memory:")
connection.execute("CREATE TABLE points (step INTEGER, value ANY) STRICT")
values = [1] * 200 + [1.5] * 200
connection.executemany("INSERT INTO points VALUES (?, ?)", enumerate(values))
query = "SELECT value FROM points ORDER BY step"

[column] = pl.read_database(query, connection)
assert column.dtype == pl.Int64, column.dtype
assert column.sum() == 400, column.sum()
print(f"{column.dtype}, sum {column.sum()} instead of {sum(values)}")

[column] = pl.read_database(query, connection, infer_schema_length=None)
assert (column.dtype, column.sum()) == (pl.Float64, 500)
[column] = pl.read_database(query.replace("value", "CAST(value AS REAL)", 1), connection)
assert (column.dtype, column.sum()) == (pl.Float64, 500)
PYTHON

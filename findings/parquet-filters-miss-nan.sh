#!/usr/bin/env bash
# DuckDB and pyarrow find no NaN in a Parquet file that pyarrow or polars has written.
#
# Guess: a filter returns the same rows of a file as of a table in memory.
# Seen with DuckDB 2.0.1, pyarrow 26.0.1 and polars 2.1.0: the statistics of a column in Parquet leave
# out NaN, and both readers skip the row groups in which, by them, no value can match.
#   - DuckDB: of 3 000 losses below 1 and 1 000 NaN, `isnan(loss)`, `loss = 'nan'` and `loss > 1` return
#     0 rows instead of 1 000. DuckDB orders NaN behind all numbers, and its own files are read right.
#   - pyarrow: `~(loss <= 1)` returns 0 rows. If all numbers of a row group are equal, is_nan and
#     `loss != 0.5` return none either.
# polars reads all of these right. Files without statistics of the column are read right by all:
# pq.write_table(..., write_statistics=[other columns]).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0
cd "$folder"
env/bin/python - <<'PYTHON'
import math

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq

losses = [number / 3000 for number in range(3000)] + [math.nan] * 1000
table = pa.table({"loss": losses})
pq.write_table(table, "pyarrow.parquet")
pq.write_table(table, "plain.parquet", write_statistics=False)
pl.DataFrame({"loss": losses}).write_parquet("polars.parquet")
duckdb.sql("COPY (SELECT * FROM 'plain.parquet') TO 'duckdb.parquet' (FORMAT parquet)")
duckdb.sql("CREATE TABLE memory AS SELECT * FROM 'plain.parquet'")

CONDITIONS = ("isnan(loss)", "loss = 'nan'", "loss > 1", "NOT loss <= 1")


def in_duckdb(source):
    queries = (f"SELECT count(*) FROM {source} WHERE {condition}" for condition in CONDITIONS)
    return [duckdb.sql(query).fetchall()[0][0] for query in queries]


def in_pyarrow(path, condition):
    return pyarrow.dataset.dataset(path).to_table(filter=condition).num_rows


assert in_duckdb("memory") == [1000] * 4, in_duckdb("memory")
for writer, rows in (("pyarrow", 0), ("polars", 0), ("plain", 1000), ("duckdb", 1000)):
    counts = in_duckdb(f"'{writer}.parquet'")
    print(f"DuckDB, {writer}.parquet:", dict(zip(CONDITIONS, counts, strict=True)))
    assert counts == [rows] * 4, counts

loss = pc.field("loss")
for writer, rows in (("pyarrow", 0), ("polars", 0), ("plain", 1000), ("duckdb", 1000)):
    assert in_pyarrow(f"{writer}.parquet", pc.is_nan(loss)) == 1000
    counted = in_pyarrow(f"{writer}.parquet", ~(loss <= 1))
    print(f"pyarrow, {writer}.parquet: ~(loss <= 1) returns {counted} rows")
    assert counted == rows, counted
assert table.filter(~(loss <= 1)).num_rows == 1000

pq.write_table(pa.table({"loss": [0.5, math.nan]}), "equal.parquet")
counts = [in_pyarrow("equal.parquet", condition) for condition in (pc.is_nan(loss), loss != 0.5)]
print("pyarrow, 0.5 and NaN: is_nan returns", counts[0], "rows, and != 0.5", counts[1])
assert counts == [0, 0], counts

column = pl.col("loss")
for writer in ("pyarrow", "polars", "duckdb"):
    frame = pl.scan_parquet(f"{writer}.parquet")
    for condition in (column.is_nan(), column > 1, ~(column <= 1)):
        assert frame.filter(condition).collect().height == 1000
PYTHON

#!/usr/bin/env bash
# The mean of 0.5, "nan" and 1.5 in a CSV file is 0.67, 1.0, NaN or None, depending on the reader.
#
# Guess: a column with "nan", as str() and np.savetxt write it, is a column of floats. Its mean is NaN,
# or leaves NaN out as in pandas.
# Seen:
#   - sqlite-utils 4.2.1 makes a column REAL that has the text "nan": avg() counts it as 0, max() is
#     "nan", `loss > 1` returns its row, and count(loss) is 3. "inf" is such a text, too.
#   - polars 2.1.0 reads the whole column as texts, and its mean is None. "NaN" and "inf" are floats
#     there; "Infinity", as JavaScript writes it, is a text.
#   - pyarrow 26.0.1 reads null, so that nothing tells a missing value from a loss that diverged.
#     ConvertOptions(null_values=[""]) keeps NaN.
#   - DuckDB 2.0.1 reads NaN, and the mean is NaN. pandas 3.1.1 reads NaN and leaves it out.
# Write "NaN" and "inf" for polars. In SQLite, leave texts out: WHERE typeof(loss) != 'text'.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    sqlite-utils==4.2.1 polars==2.1.0 pyarrow==26.0.1 duckdb==2.0.1 pandas==3.1.1 numpy==2.4.6
cd "$folder"
printf 'step,loss\n0,0.5\n1,nan\n2,1.5\n' > metrics.csv
ask() {
    env/bin/sqlite-utils memory metrics.csv "SELECT $1 FROM metrics $2" --arrays
}
values=$(ask "avg(loss), max(loss), count(loss), group_concat(typeof(loss))" "")
above=$(ask "step, loss" "WHERE loss > 1")
echo "sqlite-utils: $values; losses above 1: ${above//$'\n'/}"
test "$values" = '[[0.6666666666666666, "nan", 3, "real,text,real"]]'
test "${above//$'\n'/}" = '[[1, "nan"], [2, 1.5]]'
env/bin/python - <<'PYTHON'
import io
import math

import duckdb
import pandas as pd
import polars as pl
import pyarrow.compute as pc
import pyarrow.csv

column = pl.read_csv("metrics.csv")["loss"]
print("polars:", column.dtype, column.to_list(), "mean", column.mean())
assert (column.dtype, column.to_list(), column.mean()) == (pl.String, ["0.5", "nan", "1.5"], None)
types = {"NaN": pl.Float64, "inf": pl.Float64, "-inf": pl.Float64, "Infinity": pl.String}
for text, type_ in types.items():
    assert pl.read_csv(io.StringIO(f"loss\n0.5\n{text}\n"))["loss"].dtype == type_, text

column = pyarrow.csv.read_csv("metrics.csv")["loss"]
print("pyarrow:", column.type, column.to_pylist(), "mean", pc.mean(column))
assert (column.to_pylist(), pc.mean(column).as_py()) == ([0.5, None, 1.5], 1.0)
options = pyarrow.csv.ConvertOptions(null_values=[""])
column = pyarrow.csv.read_csv("metrics.csv", convert_options=options)["loss"]
assert math.isnan(column.to_pylist()[1])

[[mean]] = duckdb.sql("SELECT avg(loss) FROM 'metrics.csv'").fetchall()
print("DuckDB: mean", mean)
assert math.isnan(mean)
mean = pd.read_csv("metrics.csv")["loss"].mean()
print("pandas: mean", mean)
assert mean == 1.0
PYTHON

#!/usr/bin/env bash
# DuckDB reads the columns of many SQLite views as text, and floats with 15 digits.
#
# Guess: a column CAST(... AS REAL) is a DOUBLE, and exact.
# Seen with DuckDB 1.5.5 and its SQLite extension: a view that calls a function that DuckDB does not
# have, such as SQLite's strftime, has only VARCHAR columns. 0.1 + 0.2 is '0.3', and ORDER BY puts 10
# before 9. In a view without such a function, the types are right, and so is the float.
# A view with such a function and NOT IN (SELECT ...) cannot be read, and beside it the tables cannot
# be listed: DuckDB rewrites the view in a form that SQLite does not parse. NOT EXISTS works.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    duckdb==1.5.5 duckdb-extension-sqlite-scanner==1.5.5
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import sqlite3
from importlib.resources import files
from pathlib import Path

import duckdb

time = "strftime('%Y', time, 'unixepoch') AS year"
with sqlite3.connect("points.db") as connection:
    connection.executescript(f"""
        CREATE TABLE points (step INTEGER, time INTEGER, value REAL);
        INSERT INTO points VALUES (9, 0, 0.5), (10, 0, 0.1 + 0.2);
        CREATE VIEW plain AS SELECT step, value FROM points;
        CREATE VIEW dated AS SELECT step, CAST(value AS REAL) AS value, {time} FROM points;
    """)

[extension] = Path(str(files("duckdb_extension_sqlite_scanner"))).rglob("*.duckdb_extension")


def read(query):
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{extension}'")
        connection.execute("ATTACH 'points.db' AS other (TYPE sqlite, READ_ONLY)")
        return connection.sql(query).fetchall()


assert read("SELECT step, value FROM other.plain ORDER BY step") == [(9, 0.5), (10, 0.1 + 0.2)]
rows = read("SELECT step, value FROM other.dated ORDER BY step")
assert rows == [("10", "0.3"), ("9", "0.5")], rows
print("a view with strftime:", rows)

assert read("SHOW ALL TABLES")
with sqlite3.connect("points.db") as connection:
    connection.execute(
        f"CREATE VIEW late AS SELECT {time} FROM points WHERE step NOT IN (SELECT 9)"
    )
try:
    read("SHOW ALL TABLES")
except duckdb.Error as error:
    print("a view with NOT IN:", str(error).partition(" FROM")[0][:70], "…")
else:
    raise AssertionError("the tables can be listed")
PYTHON

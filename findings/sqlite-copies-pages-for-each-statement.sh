#!/usr/bin/env bash
# SQLite writes pages to a temporary file before a statement of many rows changes them.
#
# Guess: within a transaction in WAL mode, an INSERT changes pages in memory, and only COMMIT writes.
# Seen with SQLite 3.40.1 of Python 3.11: an INSERT of 64 rows, each on a page of its own, writes 260 kB
# before the COMMIT. They are copies of the pages as they were (the statement journal), to undo the
# statement alone if it fails; beyond 64 kB they are in a file. With OR FAIL a failed statement is not
# undone, and nothing is written. A statement for each row writes nothing either.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 - <<'PYTHON'
import sqlite3
from pathlib import Path

SERIES = 64


def written():
    return int(Path("/proc/self/io").read_text().split("wchar: ")[1].split()[0])


connection = sqlite3.connect("points.db", isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("PRAGMA cache_size = -16384")
connection.execute(
    "CREATE TABLE points (series INTEGER NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL, "
    "PRIMARY KEY (series, step)) WITHOUT ROWID"
)
connection.execute("BEGIN")
connection.executemany(
    "INSERT INTO points VALUES (?, ?, ?)",
    [(series, step, 0.5) for series in range(SERIES) for step in range(500)],
)
connection.execute("COMMIT")

together = ", ".join(["(?, ?, ?)"] * SERIES)
bytes_of = {}
for step, (name, rows_of_statement) in enumerate(
    {"INSERT": SERIES, "INSERT OR FAIL": SERIES, "INSERT of one row": 1}.items(), start=500
):
    rows = [(series, step, 0.5) for series in range(SERIES)]
    verb = name.removesuffix(" of one row")
    connection.execute("BEGIN")
    before = written()
    if rows_of_statement == 1:
        connection.executemany(f"{verb} INTO points VALUES (?, ?, ?)", rows)
    else:
        connection.execute(
            f"{verb} INTO points VALUES {together}", [value for row in rows for value in row]
        )
    bytes_of[name] = written() - before
    connection.execute("COMMIT")
print(f"SQLite {sqlite3.sqlite_version}, bytes written before the COMMIT: {bytes_of}")
assert bytes_of["INSERT"] > 60 * 4096, bytes_of
assert bytes_of["INSERT OR FAIL"] < 4096, bytes_of
assert bytes_of["INSERT of one row"] < 4096, bytes_of
PYTHON

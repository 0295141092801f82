#!/usr/bin/env bash
# Reading a SQLite database in WAL mode with mode=ro creates files, which outlive the connection.
#
# Guess: a connection with mode=ro changes nothing in the folder, or removes the files it has created.
# Seen with apsw 3.50.4.0 (SQLite 3.50.4): after all writers have closed, a reader with mode=ro creates
# x.db-wal and x.db-shm, and leaves both. They belong to the reader: in a shared folder the owner of
# the database then cannot write them, and so cannot write the database.
# In a folder that cannot be written, the same reader fails with "unable to open database file" or
# "attempt to write a readonly database". With immutable=1, reading works in both cases and creates
# nothing, but ignores what a log contains.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check apsw==3.50.4.0
"$folder/env/bin/python" - "$folder/data" <<'PYTHON'
import os
import sys

import apsw

folder = sys.argv[1]
os.mkdir(folder)
path = os.path.join(folder, "x.db")
FLAGS = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


def read(uri: str) -> int:
    connection = apsw.Connection(uri, flags=FLAGS)
    [(count,)] = connection.execute("SELECT count(*) FROM t").fetchall()
    connection.close()
    return count


writer = apsw.Connection(path)
writer.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)").fetchall()
writer.close()
assert os.listdir(folder) == ["x.db"]

assert read(f"file:{path}?mode=ro&immutable=1") == 1
assert os.listdir(folder) == ["x.db"]
assert read(f"file:{path}?mode=ro") == 1
left = sorted(os.listdir(folder))
assert left == ["x.db", "x.db-shm", "x.db-wal"], left
print("after a reader:", left)

writer = apsw.Connection(path)
writer.execute("INSERT INTO t VALUES (2)")
assert read(f"file:{path}?mode=ro") == 2
assert read(f"file:{path}?mode=ro&immutable=1") == 1
writer.close()
print("beside a writer, immutable=1 ignores what is in the log")
PYTHON

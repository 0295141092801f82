#!/usr/bin/env bash
# Reading with apsw makes every later write of Python's sqlite3 in the same process fail.
#
# Guess: apsw sees the lock of the open connection of sqlite3, and leaves the write-ahead log.
# Seen with apsw 3.54.1.0 and the SQLite of Python: POSIX locks do not work between two libraries of
# one process. apsw concludes that it is the last user, and removes -wal and -shm when it closes.
#   - sqlite3 still reads and writes the removed files, without an error;
#   - rows that it commits then are not in the file that other processes read;
#   - a new connection of sqlite3 shares the removed index, and fails with "disk I/O error".
# It works again once all connections of sqlite3 have been closed.
# https://www.sqlite.org/howtocorrupt.html, 2.2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0
"$folder/env/bin/python" - "$folder/x.db" <<'PYTHON'
import os
import sqlite3
import subprocess
import sys

import apsw

path = sys.argv[1]
count = "SELECT COUNT(*) FROM t"


def count_elsewhere():
    code = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone())"
    return int(subprocess.check_output([sys.executable, "-c", code, path, count]))


writer = sqlite3.connect(path, isolation_level=None)
writer.execute("PRAGMA journal_mode = WAL")
writer.execute("CREATE TABLE t (x)")
writer.execute("INSERT INTO t VALUES (1)")
assert os.path.exists(path + "-wal")

reader = apsw.Connection(path)
assert reader.execute(count).fetchall() == [(1,)]
reader.close()
assert not os.path.exists(path + "-wal"), "apsw left the log"
print("after closing apsw: -wal exists:", os.path.exists(path + "-wal"))

writer.execute("INSERT INTO t VALUES (2)")
print("rows for the writer:", *writer.execute(count).fetchone(), "- elsewhere:", count_elsewhere())
assert count_elsewhere() == 1
try:
    second = sqlite3.connect(path)
    second.execute(count).fetchone()
except sqlite3.OperationalError as error:
    print("a second connection:", error)
else:
    raise SystemExit("a second connection works")
second.close()
writer.close()
print("after closing all:", count_elsewhere())
PYTHON

"""Migrations: names, checksums, atomicity."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

import trackai
from trackai.errors import NewerSchemaError, StoreError
from trackai.store.engine import migrate as module
from trackai.store.engine.database import Database
from trackai.store.engine.migrate import Migration, migrations
from trackai.store.engine.opening import APPLICATION_ID

pytestmark = pytest.mark.sqlite("about the migrations of files")


def test_they_are_numbered_without_gaps_and_checksummed() -> None:
    versions = [migration.version for migration in migrations()]
    assert versions == list(range(1, len(versions) + 1))
    assert all(len(migration.checksum) == 64 for migration in migrations())
    for migration in migrations():
        assert migration.statements()


def test_they_are_pure_sql_and_leave_transactions_to_the_runner() -> None:
    folder = Path(trackai.__file__).parent.parent / "migrations"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".sql"}
    assert {path.parent.name for path in files} == {"migrations", "postgresql", "snapshots"}
    for path in files:
        assert not re.search(r"^\s*(BEGIN|COMMIT)\b", path.read_text(), re.M | re.I), path
    for migration in migrations():
        for statement in migration.statements():
            words = re.sub(r"--.*", "", statement).split()
            assert words[0] in {"CREATE", "ALTER", "INSERT", "UPDATE", "DELETE", "DROP"}, statement
            if words[:2] == ["CREATE", "TABLE"]:
                assert "STRICT" in " ".join(words[-3:]), statement


def test_line_ends_of_a_checkout_do_not_matter(tmp_path: Path) -> None:
    unix, windows = tmp_path / "0001_a.sql", tmp_path / "0002_a.sql"
    unix.write_bytes(b"SELECT 1;\nSELECT 2;\n")
    windows.write_bytes(b"SELECT 1;\r\nSELECT 2;\r\n")
    assert Migration.read(unix).checksum == Migration.read(windows).checksum
    with pytest.raises(StoreError, match="0001_what"):
        Migration.read(tmp_path / "first.sql")


def test_an_incomplete_statement_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "0001_a.sql"
    path.write_text("SELECT 1;\nSELECT 2\n-- comment")
    with pytest.raises(StoreError, match="incomplete"):
        Migration.read(path).statements()


async def test_applied_migrations_are_recorded(db: Database) -> None:
    connection = sqlite3.connect(db.path)
    rows = connection.execute("SELECT version, checksum FROM schema_migrations").fetchall()
    connection.close()
    assert rows == [(migration.version, migration.checksum) for migration in migrations()]


async def test_a_migration_that_fails_is_rolled_back(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = migrations()[-1].version
    broken = Migration(
        last + 1, "broken", "CREATE TABLE half (x);\nCREATE TABLE half (x);\n", "0" * 64
    )
    monkeypatch.setattr(module, "migrations", lambda: (*migrations(), broken))
    connection = await aiosqlite.connect(db.path, isolation_level=None)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="half"):
            await module.migrate(connection, db.path)
    rows = await connection.execute_fetchall("SELECT max(version) FROM schema_migrations")
    tables = await connection.execute_fetchall("SELECT 1 FROM sqlite_master WHERE name = 'half'")
    await connection.close()
    assert list(rows) == [(last,)]
    assert not list(tables)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ("INSERT INTO schema_migrations VALUES (999, 'x', 'x', 1)", NewerSchemaError, "newer"),
        ("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1", StoreError, "another"),
    ],
)
async def test_a_schema_that_is_not_ours_is_refused(
    db: Database, change: str, error: type[StoreError], text: str
) -> None:
    await db.close()
    connection = sqlite3.connect(db.path)
    connection.execute(change)
    connection.commit()
    connection.close()
    before = db.path.read_bytes()
    with pytest.raises(error, match=text) as caught:
        await Database(db.path).open()
    assert str(db.path) in str(caught.value)
    assert db.path.read_bytes() == before
    assert [path.name for path in db.path.parent.iterdir() if path.is_file()] == [db.path.name]


async def test_a_snapshot_is_what_its_migrations_make_of_an_empty_file(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = module.snapshot()
    assert first.name == migrations()[first.version - 1].name
    monkeypatch.setattr(module, "migrations", lambda: migrations()[: first.version])
    found = []
    for name in ("at-once.db", "one-by-one.db"):
        database = Database(db_path.with_name(name))
        await database.open()
        await database.close()
        found.append(contents(database.path))
        monkeypatch.setattr(module, "snapshot", lambda: migrations()[0])
    assert found[0] == found[1]
    assert found[0]["arrivals"]  # a migration inserts a row


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of all tables, and of the schema, without what differs from file to file."""
    with closing(sqlite3.connect(path)) as connection:
        columns = "type, name, tbl_name, sql"
        rows = {"schema": connection.execute(f"SELECT {columns} FROM sqlite_master").fetchall()}
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            kept = ", ".join(name for name in names if name not in {"nonce", "applied_at"})
            rows[table] = connection.execute(f"SELECT {kept} FROM {table}").fetchall()
    return rows


LARGE = "large " * 1000


def make_older_database(path: Path, version: int) -> None:
    """Create a database with that schema version, and a run with one point."""
    path.parent.mkdir(exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    for migration in migrations()[:version]:
        for statement in migration.statements():
            connection.execute(statement)
        row = (migration.version, migration.name, migration.checksum, 1)
        connection.execute("INSERT INTO schema_migrations VALUES (?, ?, ?, ?)", row)
    for statement in (
        "INSERT INTO projects VALUES (1, 'p', 'p', 1, 1)",
        """
        INSERT INTO runs (uid, project_id, slug, state, created_at, updated_at)
        VALUES ('u', 1, 'r', 'running', 1, 1)
        """,
        "INSERT INTO configs (run_id, key, value) VALUES (1, 'lr', '0.5')",
        "INSERT INTO series (run_id, path, axis, kind) VALUES (1, 'x', 'step', 'text')",
        "INSERT INTO metrics VALUES (1, 0, 1, 'hello', 1)",
        f"INSERT INTO metrics VALUES (1, 1, 1, '{LARGE}', 1)",
    ):
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("version", range(1, len(migrations())))
async def test_an_older_database_is_brought_up_to_date(db_path: Path, version: int) -> None:
    make_older_database(db_path, version)
    for path in (db_path, db_path.with_name("fresh.db")):
        database = Database(path)
        await database.open()
        await database.close()
    assert schema(db_path) == schema(db_path.with_name("fresh.db"))
    connection = sqlite3.connect(db_path)
    assert connection.execute("SELECT run, metric, value FROM points").fetchall() == [
        ("r", "x", "hello"), ("r", "x", LARGE),
    ]  # fmt: skip
    assert connection.execute("SELECT comparable FROM configs").fetchall() == [(0.5,)]
    connection.close()


def schema(path: Path) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
    rows += connection.execute("SELECT version, name, checksum FROM schema_migrations").fetchall()
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    return rows


OPEN = """
import asyncio, sys
from pathlib import Path
from trackai.store.engine.database import Database

async def main():
    db = Database(Path(sys.argv[1]))
    await db.open()
    async with db.read() as conn:
        print(list(await conn.execute_fetchall("SELECT max(version) FROM schema_migrations")))
    await db.close()

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


def test_eight_processes_open_a_new_database_at_once(db_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(db_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    answers = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        answers.append(out)
    assert answers == [f"[({migrations()[-1].version},)]\n"] * 8


# Creates a database, and is killed before the n-th visit to the thread of SQLite, statement in it,
# or change of a folder. Each
# attempt runs in a forked process, so that modules are imported only once.
DIE = """
import asyncio, os, signal, sys
import aiosqlite
from pathlib import Path
from trackai.store.engine.database import Database
from trackai.store.engine.direct import Direct
from trackai.store.engine.migrate import migrations

async def use(path):
    db = Database(path)
    await db.open()
    async with db.read() as conn:
        [(version,)] = await conn.execute_fetchall("SELECT max(version) FROM schema_migrations")
        [(mode,)] = await conn.execute_fetchall("PRAGMA journal_mode")
    await db.close()
    assert (version, mode) == (migrations()[-1].version, "wal"), (version, mode)

def child(path, remaining):
    def before(function):
        def count(*args, **kwargs):
            nonlocal remaining
            remaining -= 1
            if remaining == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)
        return count

    aiosqlite.Connection._execute = before(aiosqlite.Connection._execute)
    Direct.execute = before(Direct.execute)
    for name in ("mkdir", "open", "unlink", "replace"):
        setattr(os, name, before(getattr(os, name)))
    asyncio.run(use(path))
    os._exit(0)

asyncio.run(use(Path(sys.argv[1], "warm.db")))
number, status = 0, -1
while status != 0:
    number += 1
    path = Path(sys.argv[1], f"{number}.db")
    pid = os.fork()
    if pid == 0:
        child(path, number)
    status = os.waitpid(pid, 0)[1]
    assert status in (0, signal.SIGKILL), status
    asyncio.run(use(path))
    assert path.read_bytes()[68:72] == b"TRAI", number
print(number - 1)
"""


def test_a_kill_at_any_moment_while_the_database_is_created(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", DIE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) > 2 * len(migrations())

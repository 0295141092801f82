"""Migrations: what they are called, and that each is whole or not there."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import aiosqlite
import pytest

from trackai.errors import NewerSchemaError, StoreError
from trackai.store import migrate as module
from trackai.store.database import Database
from trackai.store.migrate import Migration, migrations

if TYPE_CHECKING:
    from pathlib import Path


def test_they_are_numbered_without_gaps_and_checksummed() -> None:
    found = migrations()
    assert [migration.version for migration in found] == list(range(1, len(found) + 1))
    assert all(len(migration.checksum) == 64 for migration in found)
    for migration in found:
        assert migration.statements()


def test_line_ends_of_a_checkout_do_not_matter(tmp_path: Path) -> None:
    unix, windows = tmp_path / "0001_a.sql", tmp_path / "0002_a.sql"
    unix.write_bytes(b"SELECT 1;\nSELECT 2;\n")
    windows.write_bytes(b"SELECT 1;\r\nSELECT 2;\r\n")
    assert Migration.read(unix).checksum == Migration.read(windows).checksum
    with pytest.raises(StoreError, match="0001_what"):
        Migration.read(tmp_path / "first.sql")


def test_a_statement_without_an_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "0001_a.sql"
    path.write_text("SELECT 1;\nSELECT 2\n-- comment")
    with pytest.raises(StoreError, match="no end"):
        Migration.read(path).statements()


async def test_what_is_recorded_is_what_was_applied(db: Database) -> None:
    connection = sqlite3.connect(db.path)
    rows = connection.execute("SELECT version, checksum FROM schema_migrations").fetchall()
    connection.close()
    assert rows == [(migration.version, migration.checksum) for migration in migrations()]


async def test_a_migration_that_fails_in_the_middle_leaves_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = migrations()[-1].version
    broken = Migration(
        last + 1, "broken", "CREATE TABLE half (x);\nCREATE TABLE half (x);\n", "0" * 64
    )
    monkeypatch.setattr(module, "migrations", lambda: (*migrations(), broken))
    connection = await aiosqlite.connect(db.path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="half"):
        await module.migrate(connection, db.path)
    rows = await connection.execute_fetchall("SELECT max(version) FROM schema_migrations")
    tables = await connection.execute_fetchall("SELECT 1 FROM sqlite_master WHERE name = 'half'")
    await connection.close()
    assert list(rows) == [(last,)]
    assert not list(tables)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ("INSERT INTO schema_migrations VALUES (999, 'x', 'x', 1)", NewerSchemaError, "upgrade"),
        ("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1", StoreError, "another"),
    ],
)
async def test_a_schema_that_is_not_ours_is_refused(
    db: Database, change: str, error: type[StoreError], says: str
) -> None:
    await db.close()
    connection = sqlite3.connect(db.path)
    connection.execute(change)
    connection.commit()
    connection.close()
    before = db.path.read_bytes()
    with pytest.raises(error, match=says):
        await Database(db.path).open()
    assert db.path.read_bytes() == before


OPEN = """
import asyncio, sys
from pathlib import Path
from trackai.store.database import Database

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


def test_a_kill_while_the_database_is_made_does_not_matter(db_path: Path) -> None:
    for number in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", OPEN, str(db_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            process.stdin.write(b"\n")
            process.stdin.flush()
            time.sleep(0.003 * number)
            process.kill()
        answer = subprocess.run(
            [sys.executable, "-c", OPEN, str(db_path)],
            input="\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert answer.returncode == 0, answer.stderr
        for path in db_path.parent.glob("trackai.db*"):
            if path.is_file():
                path.unlink()

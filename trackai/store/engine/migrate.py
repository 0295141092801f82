"""Schema migrations: numbered SQL files, each applied in one transaction with its record.

An empty database gets a snapshot, which is the schema after one of the migrations, and then the
migrations after that one. Running all of them takes five times as long.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import time
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from trackai.errors import NewerSchemaError, StoreError
from trackai.store.engine import direct, stamps

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class Migration(msgspec.Struct, frozen=True):
    """A numbered SQL file.

    Attributes:
        version: its number, counted from 1.
        name: the file name without its suffix.
        checksum: the SHA-256 of `sql` in hex.
    """

    version: int
    name: str
    sql: str
    checksum: str

    @classmethod
    def read(cls, path: Path) -> Migration:
        """Read a migration from its file.

        Raises:
            StoreError: the file name is invalid.
        """
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise StoreError(f"{path.name}: must be named like 0001_what_it_does.sql")
        # A checkout on Windows may have other line endings, and must have the same checksum.
        sql = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        checksum = hashlib.sha256(sql.encode()).hexdigest()
        return cls(int(match[1]), path.stem, sql, checksum)

    def statements(self) -> list[str]:
        """The statements of the file.

        Raises:
            StoreError: the last statement is incomplete.
        """
        statements, current = [], ""
        for line in self.sql.splitlines(keepends=True):
            current += line
            if sqlite3.complete_statement(current):
                statements.append(current)
                current = ""
        if re.sub(r"--.*", "", current).strip():
            raise StoreError(f"{self.name}.sql: the last statement is incomplete")
        return statements


def folder() -> Path:
    """The folder of the migrations."""
    # Not by importlib.resources: its import takes longer than reading the files.
    packaged = Path(__file__).parents[2] / "migrations"
    # In a checkout, it is next to the package.
    return packaged if packaged.is_dir() else packaged.parent.parent / "migrations"


@lru_cache(maxsize=1)
def migrations() -> tuple[Migration, ...]:
    """All migrations of this version of TrackAI, in order."""
    return tuple(Migration.read(path) for path in sorted(folder().glob("*.sql")))


def snapshot() -> Migration:
    """The schema of an empty database after the migration of the same version."""
    (path,) = folder().joinpath("snapshots").glob("*.sql")
    return Migration.read(path)


async def applied_version(connection: Connection, path: Path) -> int:
    """The schema version of an open database; 0 for an empty one.

    Raises:
        NewerSchemaError: a newer version of TrackAI migrated the database.
        StoreError: the database was migrated with other files of the same versions.
    """
    known = {migration.version: migration for migration in migrations()}
    tables = await connection.execute_fetchall(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'"
    )
    if not list(tables):
        return 0
    version = 0
    rows = await connection.execute_fetchall(
        "SELECT version, name, checksum FROM schema_migrations ORDER BY version"
    )
    for version, name, checksum in rows:
        if version not in known:
            raise NewerSchemaError(
                f"{path} has schema version {version} ({name}), written by a newer TrackAI; this "
                f"one supports {max(known)}: install that version of TrackAI"
            )
        if checksum != known[version].checksum:
            raise StoreError(
                f"{path} was created by a development version with another migration {name}: move "
                "it away, or set TRACKAI_DB_PATH to another path"
            )
    return int(version)


async def migrate(connection: Connection, path: Path) -> None:
    """Apply the migrations that a database lacks, each with its record in one transaction."""
    read_version = partial(applied_version, path=path)
    if await direct.run(connection, read_version) == 0:
        first = snapshot()
        recorded = migrations()[: first.version]
        await direct.run(connection, partial(_apply, first, recorded, path))
    version = await direct.run(connection, read_version)
    for migration in migrations():
        if migration.version > version:
            await direct.run(connection, partial(_apply, migration, (migration,), path))


async def _apply(
    sql: Migration, recorded: tuple[Migration, ...], path: Path, connection: Connection
) -> None:
    """Run a migration or a snapshot, unless the database has it, and record its migrations."""
    # The version is read under the write lock: another process may be migrating as well.
    await connection.execute("BEGIN IMMEDIATE")
    try:
        if await applied_version(connection, path) == recorded[0].version - 1:
            for statement in sql.statements():
                await connection.execute(statement)
            await stamps.write(connection)
            await connection.executemany(
                """
                INSERT INTO schema_migrations (version, name, checksum, applied_at)
                VALUES (?, ?, ?, ?)
                """,
                [
                    (migration.version, migration.name, migration.checksum, time.time_ns() // 1000)
                    for migration in recorded
                ],
            )
        await connection.execute("COMMIT")
    except BaseException:
        await connection.rollback()
        raise

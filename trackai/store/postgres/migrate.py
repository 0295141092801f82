"""Migrations of PostgreSQL, each in one transaction with its record."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

import asyncpg

from trackai.errors import ForeignDatabaseError, NewerSchemaError, StoreError
from trackai.store.engine.migrate import Migration, folder

if TYPE_CHECKING:
    from collections.abc import Sequence

# Row 0 stands for no migration: servers that start at the same time take turns by locking it.
_BEGIN = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version    bigint PRIMARY KEY,
        name       text   NOT NULL,
        checksum   text   NOT NULL,
        applied_at bigint NOT NULL
    );
    INSERT INTO schema_migrations (version, name, checksum, applied_at)
    VALUES (0, 'lock', '', 0)
    ON CONFLICT DO NOTHING;
"""
_TRIES = 20
_ENCODING = "UTF8"
# Tables that other programs may have as well.
_OURS = {"projects", "runs", "series", "files", "keys", "tags", "views", "configs", "writers"}
# In the order of preference.
_COLLATIONS = ("pg_unicode_fast", "pg_c_utf8", "und-x-icu")


@lru_cache(maxsize=1)
def migrations() -> tuple[Migration, ...]:
    """All migrations of this version of TrackAI for PostgreSQL, in order."""
    return tuple(map(Migration.read, sorted((folder() / "postgresql").glob("*.sql"))))


async def migrate(conn: asyncpg.Connection, name: str) -> None:
    """Apply the migrations that a database lacks.

    Args:
        name: what messages call the database.

    Raises:
        ForeignDatabaseError: it has tables of another program; it has not been changed.
        NewerSchemaError: a newer version of TrackAI migrated the database.
        StoreError: the database was migrated with other files of the same versions, or is not
            encoded in UTF-8.
    """
    _check_encoding(conn, name)
    if await _is_complete(conn, name):
        return
    await _check_tables(conn, name)
    await _create_table(conn)
    collation = await _collation(conn)
    for migration in migrations():
        async with conn.transaction():
            await conn.execute("SELECT 1 FROM schema_migrations WHERE version = 0 FOR UPDATE")
            if migration.version > _check(await _applied(conn), name):
                await conn.execute(migration.sql.replace("/*unicode*/", collation))
                await conn.execute(
                    "INSERT INTO schema_migrations VALUES ($1, $2, $3, $4)",
                    migration.version,
                    migration.name,
                    migration.checksum,
                    time.time_ns() // 1000,
                )


async def _collation(conn: asyncpg.Connection) -> str:
    """The clause for texts whose letters are to be made small; without any, the database decides.

    PostgreSQL has one of its own since version 17; earlier ones have that of ICU, unless they were
    built without it.
    """
    rows = await conn.fetch(
        "SELECT collname FROM pg_collation WHERE collname = ANY ($1::text[])", [*_COLLATIONS]
    )
    found = {name for (name,) in rows}
    return next((f'COLLATE "{name}"' for name in _COLLATIONS if name in found), "")


async def _create_table(conn: asyncpg.Connection) -> None:
    for attempt in range(1, _TRIES + 1):
        try:
            await conn.execute(_BEGIN)
        except (
            asyncpg.UniqueViolationError,
            asyncpg.DuplicateTableError,
            asyncpg.DuplicateObjectError,  # the type of its rows
        ):
            # Two that create it at the same time: IF NOT EXISTS does not see what is not committed.
            if attempt == _TRIES:
                raise
        else:
            return


async def _is_complete(conn: asyncpg.Connection, name: str) -> bool:
    """Whether nothing is to be done, which a role without the right to create tables may ask."""
    try:
        applied = await _applied(conn)
    except asyncpg.UndefinedTableError:
        return False
    except asyncpg.UndefinedColumnError:  # other programs have a table of this name, too
        raise _foreign(name, "schema_migrations") from None
    return _check(applied, name) == migrations()[-1].version


def _check_encoding(conn: asyncpg.Connection, name: str) -> None:
    """Check that a database can hold all texts, in the order and with the letters of Unicode."""
    encoding = getattr(conn.get_settings(), "server_encoding", _ENCODING)
    if encoding != _ENCODING:
        raise StoreError(
            f"{name} has the encoding {encoding}, and must have {_ENCODING}: create another one "
            f"with createdb --encoding {_ENCODING} --template template0 NAME"
        )


async def _check_tables(conn: asyncpg.Connection, name: str) -> None:
    """Check that a database without our first table has no tables of another program."""
    rows = await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    tables = {table for (table,) in rows}
    if "schema_migrations" not in tables and (found := _OURS & tables):
        raise _foreign(name, min(found))


def _foreign(name: str, table: str) -> ForeignDatabaseError:
    return ForeignDatabaseError(
        f"{name} belongs to another program, which has a table {table}, and was not changed: "
        "use another database"
    )


async def _applied(conn: asyncpg.Connection) -> Sequence[tuple[int, str, str]]:
    rows = await conn.fetch(
        "SELECT version, name, checksum FROM schema_migrations WHERE version > 0 ORDER BY version"
    )
    return [(version, name, checksum) for version, name, checksum in rows]


def _check(applied: Sequence[tuple[int, str, str]], name: str) -> int:
    """The version of the schema."""
    known = {migration.version: migration for migration in migrations()}
    version = 0
    for version, title, checksum in applied:
        if version not in known:
            raise NewerSchemaError(
                f"{name} has schema version {version} ({title}), written by a newer TrackAI; this "
                f"one supports {max(known)}: install that version of TrackAI"
            )
        if checksum != known[version].checksum:
            raise StoreError(
                f"{name} was created by a development version with another migration {title}: "
                "use another database"
            )
    return version

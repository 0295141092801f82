"""Keys of a server: who may read, log or change everything.

A key is 32 random bytes as text, so its SHA-256 alone tells nothing about it.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from trackai.errors import ConflictError, NotFoundError
from trackai.values.times import utc

if TYPE_CHECKING:
    from aiosqlite import Connection

Scope: TypeAlias = Literal["read", "write", "admin"]

# Makes a key recognisable where it does not belong, such as in a commit.
_PREFIX = "trackai_"


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without the secret.

    Attributes:
        project: the name of the only project that it may log to; None for all.
        expires_at, revoked_at, last_used_at: None for never.
    """

    name: str
    scope: Scope
    project: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class Grant(msgspec.Struct, frozen=True):
    """What the holder of a valid key may do.

    Attributes:
        key_id: None for the shared key of the server, which is in no table.
        name: the name of the key; None for the shared key.
        project_id: the row id of the only project that it may log to; None for all.
        expires_at: microseconds since the epoch; None for never.
    """

    scope: Scope
    key_id: int | None = None
    name: str | None = None
    project_id: int | None = None
    expires_at: int | None = None


def new_secret() -> str:
    """Create a key."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest(secret: bytes) -> bytes:
    """The hash under which a key is stored."""
    return hashlib.sha256(secret).digest()


async def create(
    conn: Connection,
    secret: str,
    *,
    name: str,
    scope: Scope,
    project_id: int | None,
    expires_at: int | None,
    now: int,
) -> Key:
    """Store a key.

    Args:
        project_id: the only project that it may log to; None for all.
        expires_at, now: microseconds since the epoch.

    Raises:
        ConflictError: another key has this name.
    """
    try:
        await conn.execute(
            """
            INSERT INTO keys (name, hash, scope, project_id, expires_at, created_at)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            (name, digest(secret.encode()), scope, project_id, expires_at, now),
        )
    except sqlite3.IntegrityError:
        raise ConflictError(
            f"key {name!r} already exists: revoke it, or choose another name"
        ) from None
    return next(key for key in await list_all(conn) if key.name == name and not key.revoked_at)


async def list_all(conn: Connection) -> list[Key]:
    """All keys, also those that are not valid any more, in order of creation."""
    rows = await conn.execute_fetchall(
        """
        SELECT
            keys.name, keys.scope, projects.name,
            keys.created_at, keys.expires_at, keys.revoked_at, keys.last_used_at
        FROM keys
        LEFT JOIN projects ON projects.id = keys.project_id
        ORDER BY keys.id
        """
    )
    return [
        Key(
            name=name,
            scope=scope,
            project=project,
            created_at=utc(created_at),
            expires_at=None if expires_at is None else utc(expires_at),
            revoked_at=None if revoked_at is None else utc(revoked_at),
            last_used_at=None if last_used_at is None else utc(last_used_at),
        )
        for name, scope, project, created_at, expires_at, revoked_at, last_used_at in rows
    ]


async def revoke(conn: Connection, name: str, *, now: int) -> None:
    """Make a key invalid from now on.

    Raises:
        NotFoundError: there is no key of this name, or it is revoked already.
    """
    cursor = await conn.execute(
        "UPDATE keys SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL", (now, name)
    )
    if cursor.rowcount == 0:
        raise NotFoundError(f"key {name!r} not found: trackai keys list shows all")


async def find_grant(conn: Connection, hash_: bytes, *, now: int) -> Grant | None:
    """What the key with this hash allows; None if there is no such key, or it is not valid."""
    rows = await conn.execute_fetchall(
        """
        SELECT scope, id, name, project_id, expires_at FROM keys
        WHERE hash = ? AND revoked_at IS NULL AND coalesce(expires_at > ?, TRUE)
        """,
        (hash_, now),
    )
    return next((Grant(*row) for row in rows), None)


async def has_valid(conn: Connection, *, now: int) -> bool:
    """Whether there is a key that is valid now."""
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM keys WHERE revoked_at IS NULL AND coalesce(expires_at > ?, TRUE) LIMIT 1",
        (now,),
    )
    return bool(list(rows))


async def note_use(conn: Connection, key_id: int, *, now: int) -> None:
    """Record that a key was used."""
    await conn.execute("UPDATE keys SET last_used_at = ? WHERE id = ?", (now, key_id))

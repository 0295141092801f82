"""Keys of a server: who may read, log or change everything.

A key is 32 random bytes as text. One round of SHA-256 is enough to store it: nobody can try so many
values, as they could with a password. Looking up a hash needs no constant time either: how long it
takes tells something about the hash of a guess, which does not help to find a better one.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from trackai.errors import ConflictError, NotFoundError
from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.store.engine.connection import Connection

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
        fingerprint: identifies the key also in another database, such as one that is restored,
            where its row id may belong to another key; None for the shared key.
    """

    scope: Scope
    key_id: int | None = None
    name: str | None = None
    project_id: int | None = None
    expires_at: int | None = None
    fingerprint: str | None = None


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
    created = await conn.execute_fetchall(
        """
        INSERT INTO keys (name, hash, scope, project_id, expires_at, created_at)
        VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT DO NOTHING
        RETURNING id
        """,
        (name, digest(secret.encode()), scope, project_id, expires_at, now),
    )
    if not list(created):
        raise ConflictError(f"key {name!r} already exists: revoke it, or choose another name")
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
    revoked = await conn.execute_fetchall(
        "UPDATE keys SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL RETURNING id",
        (now, name),
    )
    if not list(revoked):
        problem = "not found: trackai keys list shows all"
        if list(await conn.execute_fetchall("SELECT 1 FROM keys WHERE name = ?", (name,))):
            problem = "is already revoked"
        raise NotFoundError(f"key {name!r} {problem}")


class StoredKey(msgspec.Struct, frozen=True):
    """A key as servers check it: its hash, what it allows, and whether it was revoked."""

    hash: bytes
    grant: Grant
    is_revoked: bool

    def valid_grant(self, now: int) -> Grant | None:
        """What the key allows; None if it is expired or revoked.

        Args:
            now: microseconds since the epoch.
        """
        expires_at = self.grant.expires_at
        is_expired = expires_at is not None and expires_at <= now
        return None if self.is_revoked or is_expired else self.grant


async def list_stored(conn: Connection) -> list[StoredKey]:
    """All keys with their hashes, also those that are not valid any more."""
    rows = await conn.execute_fetchall(
        "SELECT hash, revoked_at IS NOT NULL, scope, id, name, project_id, expires_at FROM keys"
    )
    return [
        StoredKey(
            hash_,
            Grant(scope, key_id, name, project_id, expires_at, _fingerprint(hash_)),
            bool(is_revoked),
        )
        for hash_, is_revoked, scope, key_id, name, project_id, expires_at in rows
    ]


def _fingerprint(hash_: bytes) -> str:
    return hashlib.sha256(hash_).hexdigest()[:32]


async def ever_existed(conn: Connection) -> bool:
    """Whether a key was ever created, also one that has been deleted with its project."""
    rows = await conn.execute_fetchall(
        """
        /*sqlite*/ SELECT 1 FROM sqlite_sequence WHERE name = 'keys' /*end*/
        /*pg: SELECT 1 FROM keys_id_seq WHERE is_called */
        """
    )
    return bool(list(rows))


async def note_use(conn: Connection, used: Iterable[tuple[int, int]]) -> None:
    """Record when keys were used: microseconds since the epoch, and row id."""
    await conn.executemany(
        "UPDATE keys SET last_used_at = max(?, coalesce(last_used_at, 0)) WHERE id = ?", used
    )

"""The keys of a server in memory: the shared one, and those in the table of the database.

The table is read again every second, so that a key that is created or revoked takes effect in a
running server, and a request looks its key up in a dictionary.

A server is protected if it has a shared key (`TRACKAI_API_KEY`), or if its database has ever had a
key. It stays protected when the last key is revoked or expires: a server that opened then would be
open to everybody if it is behind a proxy.
"""

from __future__ import annotations

import hmac
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from trackai.errors import InvalidInputError, StoreError
from trackai.guard import guarded
from trackai.store.catalogue import keys
from trackai.store.catalogue.keys import Grant, StoredKey
from trackai.values.logger import logger

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store

# The interval of reading the table, and so the delay until a change of it takes effect.
REFRESH_SECONDS = 1.0
# The interval of writing when a key was last used.
_NOTE_SECONDS = 60.0


class Keyring:
    """The keys that a server accepts.

    Args:
        shared: the key of `TRACKAI_API_KEY`, which allows everything.
    """

    def __init__(self, shared: str | None = None) -> None:
        self._shared = None if shared is None else keys.digest(shared.encode())
        self._by_hash: dict[bytes, StoredKey] = {}
        self._by_fingerprint: dict[str | None, StoredKey] = {}
        self._used: dict[int, int] = {}
        self._noted: dict[int, int] = {}
        self.is_protected = shared is not None

    @property
    def has_valid(self) -> bool:
        """Whether there is a key with which a request is allowed now."""
        now = time.time_ns() // 1000
        stored = self._by_hash.values()
        return self._shared is not None or any(key.valid_grant(now) for key in stored)

    def find(self, secret: bytes) -> Grant | None:
        """What a key allows; None for one that is unknown, expired or revoked."""
        hash_ = keys.digest(secret)
        stored = self._by_hash.get(hash_)
        if stored is not None:
            return self._use(stored)
        is_shared = hmac.compare_digest(hash_, self._shared or b"")
        return Grant("admin") if is_shared else None

    def find_fingerprint(self, fingerprint: str | None) -> Grant | None:
        """What a key allows; None if it is expired, revoked or deleted.

        Args:
            fingerprint: None for the shared key, and for a sign-in code.
        """
        if fingerprint is None:
            return Grant("admin")
        stored = self._by_fingerprint.get(fingerprint)
        return None if stored is None else self._use(stored)

    def allows(self, grant: Grant | None) -> bool:
        """Whether a request that was allowed with this grant still would be."""
        if grant is None:
            return not self.is_protected
        return self.find_fingerprint(grant.fingerprint) is not None

    def _use(self, stored: StoredKey) -> Grant | None:
        now = time.time_ns() // 1000
        grant = stored.valid_grant(now)
        if grant is not None and grant.key_id is not None:
            self._used[grant.key_id] = now
        return grant

    async def refresh(self, db: Store) -> None:
        """Read the keys of the database.

        Raises:
            StoreError: the database cannot be read.
        """
        stored, ever_existed = await db.look(_read)
        self._by_hash = {key.hash: key for key in stored}
        self._by_fingerprint = {key.grant.fingerprint: key for key in stored}
        self.is_protected = self.is_protected or ever_existed

    async def refresh_now(self, db: Store) -> None:
        """Read the keys because a request has an unknown one, which may be new."""
        with suppress(StoreError):
            await self.refresh(db)

    def check_shared(self) -> None:
        """Check that the shared key, which allows everything, is not one of the database.

        Raises:
            InvalidInputError: it is, such as the one that this machine logs with.
        """
        stored = None if self._shared is None else self._by_hash.get(self._shared)
        if stored is not None:
            raise InvalidInputError(
                "TRACKAI_API_KEY",
                f"must not be the key {stored.grant.name!r} of the database, as it would allow "
                "everything: unset it where the server starts",
            )

    async def keep_fresh(self, db: Store) -> None:
        """Read the keys every second, and write when they were last used."""
        last_warning = ""
        while True:
            await anyio.sleep(REFRESH_SECONDS)
            try:
                with guarded("reading the keys", but=StoreError):
                    await self.refresh(db)
                    await self._note_use(db)
            except StoreError as error:  # the keys that are known stay valid
                if str(error) != last_warning:
                    logger.warning("%s", error)
                last_warning = str(error)

    async def _note_use(self, db: Store) -> None:
        due = {
            key_id: used
            for key_id, used in self._used.items()
            if used - self._noted.get(key_id, 0) >= _NOTE_SECONDS * 1e6
        }
        if due and not db.is_read_only:
            await db.change(
                lambda conn: keys.note_use(conn, [(used, key_id) for key_id, used in due.items()])
            )
            self._noted.update(due)


async def _read(conn: Connection) -> tuple[list[StoredKey], bool]:
    return await keys.list_stored(conn), await keys.ever_existed(conn)

"""Handles: the open connections to a database, and the state of its files after our last use."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import anyio

from trackai.errors import StoreError
from trackai.store.engine import access, write_ahead_log
from trackai.store.engine.database_file import identity, sibling, state

if TYPE_CHECKING:
    from pathlib import Path

    import aiosqlite

    from trackai.store.engine.access import Access
    from trackai.store.engine.database_file import Identity

# The ids of connections, from before they are opened until they are closed.
_in_use: set[int] = set()
_has_inherited = False


def _after_fork_in_child() -> None:
    global _has_inherited
    _has_inherited = bool(_in_use)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def begin_use(connection: object) -> None:
    """Note that a connection is about to be opened."""
    _in_use.add(id(connection))


def end_use(connection: object) -> None:
    """Note that a connection has been closed, or could not be opened."""
    _in_use.discard(id(connection))


def refuse_inherited() -> None:
    """Refuse to open the database after a fork: SQLite would act on locks of the parent.

    It would damage the file or wait forever (https://www.sqlite.org/howtocorrupt.html, 2.6).
    """
    if _has_inherited:
        raise StoreError(
            "this process was forked while the database was in use and cannot open it: start its "
            'runs before the fork, or use multiprocessing with "spawn"'
        )


class Handle:
    """A connection, with the state of its file after our last use of it.

    A checkpoint by another process changes the file's time as well. Reopening then costs half a
    millisecond, and SQLite never serves cached pages of a file that was overwritten.

    Attributes:
        file: identity of the file that was opened.
        state: identity, size and time of the file; None before the connection is set up.
        access: how the file was opened.
        log: identities of the files of its write-ahead log; None if it has no log.
        starts_log: whether the log was empty, and this connection has not changed the file yet.
    """

    def __init__(
        self, connection: aiosqlite.Connection, path: Path, access: Access = "write"
    ) -> None:
        self.connection = connection
        self.file = identity(path)
        self.state: tuple[int, ...] | None = None
        self.access = access
        self.resources = ExitStack()  # closed after the connection
        self.log: tuple[Identity | None, ...] | None = None
        self.starts_log = False
        self._log_paths = [sibling(path, suffix) for suffix in write_ahead_log.SUFFIXES]

    async def close(self) -> None:
        """Close the connection, even if the task is cancelled."""
        with self.resources, anyio.CancelScope(shield=True):
            try:
                await self.connection.close()
            finally:
                end_use(self.connection)

    def is_current(self, path: Path) -> bool:
        """Whether the file is as we left it, and is still to be opened in the same way."""
        return (
            self.state is not None
            and self.state == state(path)
            and (self.access == "write" or self.access == access.of(path))
        )

    def has_lost_log(self) -> bool:
        """Whether the files of the log were removed while the connection uses them.

        Another SQLite library in this process does that: when it closes a file, the system drops
        all locks of this process on it, and the library concludes that it is the only user
        (https://www.sqlite.org/howtocorrupt.html, 2.2).
        """
        return self.log is not None and (
            None in self.log or identity(self._log_paths[0]) != self.log[0]
        )

    async def record_log(self) -> None:
        """Record the files of the log; one is missing if a connection shares a removed index."""
        log = tuple(map(identity, self._log_paths))
        if None in log:
            rows = await self.connection.execute_fetchall("PRAGMA journal_mode")
            self.log = log if [mode for (mode,) in rows] == ["wal"] else None
        else:
            self.log = log

    def record_state(self, path: Path) -> None:
        """Record the state of the file, unless another file has taken its path."""
        if self.file == identity(path):
            self.state = state(path)

"""What the rest of TrackAI needs of a database, whether it is a file or a server of PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import anyio

    from trackai.store.blobs.blob_store import BlobStore
    from trackai.store.engine.connection import Connection

T = TypeVar("T")


class Store(Protocol):
    """A database.

    Attributes:
        held_seconds: how long the last call of `change` took, without waiting for others.
        transactions, transaction_seconds: how many calls of `change` have committed, and how long
            they took together.
        collecting: the lock of garbage collection, of which one at a time is enough.
        vacuumed: how many bytes this process has returned to the file system so far.
    """

    held_seconds: float
    transactions: int
    transaction_seconds: float
    collecting: anyio.Lock
    vacuumed: int

    @property
    def spool(self) -> Path | None:
        """The folder of the journals of this machine; None if others write the database, too."""

    @property
    def blobs(self) -> BlobStore:
        """Where the bytes of files are."""
        raise NotImplementedError

    @property
    def is_read_only(self) -> bool:
        """Whether this process cannot write to the database."""

    async def open(self) -> None:
        """Open the database, and create or migrate its tables.

        Raises:
            StoreError: the database cannot be used; it has not been changed.
        """

    async def close(self) -> None:
        """Close all connections."""

    def write(self) -> AbstractAsyncContextManager[Connection]:
        """Run a write transaction: committed at the end of the block, or rolled back.

        It cannot be repeated, so prefer `change` where several may write the same rows.
        """

    def read(self) -> AbstractAsyncContextManager[Connection]:
        """Borrow a read-only connection."""

    def snapshot(self) -> AbstractAsyncContextManager[Connection]:
        """Borrow a read-only connection on which all reads see one state of the database."""

    async def look(self, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
        """Run `work` in a read transaction, in which all reads see one state of the database.

        `work` may run again after a lost connection, so it must begin from the start each time.
        """
        raise NotImplementedError

    async def change(
        self, work: Callable[[Connection], Coroutine[Any, Any, T]], *, bulk: bool = False
    ) -> T:
        """Run `work` in a write transaction: committed on return, rolled back on an exception.

        `work` may run again after a rollback, so it must change nothing but the database.

        Args:
            bulk: whether `work` changes thousands of rows, and deletes rows together with all that
                refer to them, which the database then need not look for. The caller has to
                checkpoint.
        """
        raise NotImplementedError

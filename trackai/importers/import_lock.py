"""The lock that allows one import at a time into a database file.

A database on PostgreSQL takes several: each transaction locks the rows of its runs, and stores only
what is new by then.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trackai.errors import StoreBusyError
from trackai.locks import open_lock, try_lock
from trackai.store.engine.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.store.engine.store import Store


@contextmanager
def import_lock(db: Store | None) -> Iterator[None]:
    """Hold the import lock of a database file; without one, do nothing.

    Raises:
        StoreBusyError: another import holds the lock.
    """
    if not isinstance(db, Database):
        yield
        return
    fd = open_lock(db.spool / "import.lock")
    assert fd is not None  # noqa: S101 - it is created
    try:
        if not try_lock(fd):
            raise StoreBusyError(f"another import into {db.path} is running; retry when it is done")
        yield
    finally:
        os.close(fd)

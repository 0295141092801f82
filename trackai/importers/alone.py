"""One import at a time into one store."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trackai.errors import StoreBusyError
from trackai.locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.store.engine.database import Database


@contextmanager
def alone(db: Database | None) -> Iterator[None]:
    """Keep other imports into the same store out; without a store there is nothing to do.

    Raises:
        StoreBusyError: another one is running.
    """
    if db is None:
        yield
        return
    fd = os.open(db.spool / "import.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not try_lock(fd):
            raise StoreBusyError(f"another import into {db.path} is running: wait until it is done")
        yield
    finally:
        os.close(fd)

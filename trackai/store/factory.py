"""The store at an address: a file, or a database on a server of PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.errors import MissingExtraError
from trackai.settings import DatabaseUrl, Settings
from trackai.store.engine.database import Database

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.store.engine.store import Store


def create_store(address: Path | DatabaseUrl) -> Store:
    """Create the store at an address; it is not opened yet.

    Raises:
        MissingExtraError: it is on a server of PostgreSQL, and the driver is not installed.
    """
    if not isinstance(address, DatabaseUrl):
        return Database(address)
    try:
        from trackai.store.postgres.database import PostgresDatabase
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise MissingExtraError("a database on PostgreSQL", "postgres") from None
    return PostgresDatabase(address.secret, files=Settings.from_env().files)

"""The database of a command, and the runs that people name in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import click

from trackai.settings import Settings
from trackai.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trackai.sdk.sources import Source

    Decorated = Callable[..., Any]

T = TypeVar("T")


def db_option(command: Decorated) -> Decorated:
    """The option --db of a command that opens the database."""
    return click.option(
        "--db",
        type=click.Path(),
        help="The database file.  [default: TRACKAI_DB_PATH, then ~/.trackai/trackai.db]",
    )(command)


def with_store(db: str | None, work: Callable[[Database], Awaitable[T]]) -> T:
    """Open the database, do the work in an event loop, close it."""

    async def main() -> T:
        database = Database(Settings.from_env(db).db_path)
        try:
            await database.open()
            return await work(database)
        finally:
            await database.close()

    return anyio.run(main)


def open_source(db: str | None, url: str | None) -> Source:
    """What `Api` reads from: the database, or a server if its URL is given."""
    from trackai.sdk.sources import LocalSource, RemoteSource

    settings = Settings.from_env(db)
    return LocalSource(settings.db_path) if url is None else RemoteSource(url, settings.api_key)

"""The database of a command, and the runs that people name in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import click

from trackai.errors import NotFoundError
from trackai.settings import Settings
from trackai.store.engine.database import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trackai.reading.sources import Source

    Decorated = Callable[..., Any]

T = TypeVar("T")


def db_option(command: Decorated) -> Decorated:
    """The option --db of a command that opens the database."""
    return click.option(
        "--db",
        type=click.Path(),
        help="The database file.  [default: TRACKAI_DB_PATH, then ~/.trackai/trackai.db]",
    )(command)


def with_store(
    db: str | None, work: Callable[[Database], Awaitable[T]], *, make: bool = False
) -> T:
    """Open the database, do the work in an event loop, close it.

    Args:
        make: make the file if there is none.

    Raises:
        NotFoundError: there is none; a name that is mistyped must not look like an empty one.
    """
    path = Settings.from_env(db).db_path
    if not make and not path.exists():
        raise NotFoundError(f"there is no database {path}: log a run, or name another with --db")

    async def main() -> T:
        database = Database(path)
        try:
            await database.open()
            return await work(database)
        finally:
            await database.close()

    return anyio.run(main)


def open_source(db: str | None, url: str | None) -> Source:
    """What `Api` reads from: the database, or a server if its URL is given."""
    from trackai.reading.sources import LocalSource, RemoteSource

    settings = Settings.from_env(db)
    return LocalSource(settings.db_path) if url is None else RemoteSource(url, settings.api_key)

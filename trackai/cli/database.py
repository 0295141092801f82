"""The database of a command: the option --db, and opening and closing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import click

from trackai.errors import NotFoundError, StoreError
from trackai.settings import Settings
from trackai.store.engine.database import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trackai.reading.source import Source

    Decorated = Callable[..., Any]

T = TypeVar("T")


def db_option(command: Decorated) -> Decorated:
    """Add the option --db to a command."""
    return click.option(
        "--db",
        type=click.Path(),
        help="Database file.  [default: TRACKAI_DB_PATH, then ~/.trackai/trackai.db]",
    )(command)


def url_option(command: Decorated) -> Decorated:
    """Add the option --url to a command that can read from a server."""
    return click.option(
        "--url", help="Read from the TrackAI server at this URL, not from a database file."
    )(command)


def with_database(
    db: str | None, work: Callable[[Database], Awaitable[T]], *, create: bool = False
) -> T:
    """Open the database, run `work` in an event loop, and close the database.

    Args:
        db: the value of --db.
        create: create the file if it does not exist.

    Raises:
        NotFoundError: the file does not exist; without `create`, a mistyped path is an error and
            not an empty database.
    """
    path = Settings.from_env(db).db_path
    if not create and not path.exists():
        raise NotFoundError(f"database {path} not found: log a run first, or pass --db")

    async def main() -> T:
        database = Database(path)
        try:
            await database.open()
            return await work(database)
        finally:
            await database.close()

    try:
        return anyio.run(main)
    except StoreError as error:
        if db:  # the advice is for this command
            advice = str(error).replace("set TRACKAI_DB_PATH to", "pass --db with")
            raise type(error)(advice) from error
        raise


def open_source(db: str | None, url: str | None) -> Source:
    """Open the source that `Api` reads from: the server at `url`, or else the database."""
    from trackai.reading.local_source import LocalSource
    from trackai.reading.remote_source import RemoteSource

    settings = Settings.from_env(db)
    return LocalSource(settings.db_path) if url is None else RemoteSource(url, settings.api_key)

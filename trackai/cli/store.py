"""The database of a command, and the runs that people name in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import click

from trackai.settings import Settings
from trackai.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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

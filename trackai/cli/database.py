"""Where a command works: a database file, which is opened and closed, or a server."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import anyio
import click

from trackai.errors import NotFoundError, StoreError
from trackai.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trackai.client.connection import Connection
    from trackai.reading.remote_source import RemoteSource
    from trackai.reading.source import Source
    from trackai.store.engine.database import Database
    from trackai.store.engine.store import Store

    Decorated = Callable[..., Any]

T = TypeVar("T")

_DATABASE_HELP = (
    "Database: a file, or postgresql://USER@HOST/NAME.  [default: TRACKAI_DATABASE_URL, then "
    "TRACKAI_DB_PATH, then ~/.trackai/trackai.db]"
)
_FILE_HELP = "Database file.  [default: TRACKAI_DB_PATH, then ~/.trackai/trackai.db]"


def db_option(command: Decorated) -> Decorated:
    """Add the option --db to a command that works on any database, or on a server."""
    return _option(_DATABASE_HELP, None, "--db")(command)


def store_option(command: Decorated) -> Decorated:
    """Add the option --db to a command that works on any database, and not on a server."""
    return _option(_DATABASE_HELP, _require_database, "--db")(command)


def file_option(command: Decorated) -> Decorated:
    """Add the option --db to a command that works on a database file only."""
    return _option(_FILE_HELP, _require_file, "--db")(command)


def _option(
    text: str, callback: Callable[..., Any] | None, *names: str
) -> Callable[[Decorated], Decorated]:
    return click.option(*names, "db", type=click.Path(), callback=callback, help=text)


def _require_database(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    _refuse_server(ctx, value)
    return value


def _refuse_server(ctx: click.Context, value: str | None) -> None:
    # Otherwise `trackai sql` would show an empty file beside the server that `trackai runs` shows.
    if not value and not ctx.resilient_parsing and Settings.from_env().server_url:
        raise click.UsageError(
            f"{ctx.info_name} works on a database file, and TRACKAI_SERVER_URL names a server: "
            "pass --db",
            ctx,
        )


def _require_file(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    _refuse_server(ctx, value)
    if not ctx.resilient_parsing:
        url = Settings.from_env(database=value).database_url
        if url is not None:
            raise click.UsageError(
                f"{ctx.info_name} works on a database file, and "
                f"{'--db' if value else 'TRACKAI_DATABASE_URL'} names {url}: pass --db with a file",
                ctx,
            )
    return value


class Place(NamedTuple):
    """The values of --db and --server-url of a command that stores runs."""

    db: str | None = None
    server_url: str | None = None

    @property
    def connection(self) -> Connection | None:
        """The server; None for a database file.

        Raises:
            InvalidInputError: the address is not an HTTP URL.
        """
        server = find_server(self.db, self.server_url)
        if server is None:
            return None
        from trackai.client.connection import Connection

        return Connection(server.url, Settings.from_env().api_key)


def place_option(command: Decorated) -> Decorated:
    """Add the options --db, also as --into, and --server-url; the command gets a `place`."""

    @wraps(command)
    def run(*args: Any, db: str | None, server_url: str | None, **arguments: Any) -> Any:
        return command(*args, place=Place(db, server_url), **arguments)

    server_option = click.option(
        "--server-url",
        "--url",
        "server_url",
        metavar="URL",
        help="TrackAI server, instead of a file.  [default: TRACKAI_SERVER_URL]",
    )
    database_option = _option(_DATABASE_HELP, None, "--db", "--into")
    return database_option(server_option(run))


def url_option(command: Decorated) -> Decorated:
    """Add the option --url to a command that can work on a server."""
    return click.option(
        "--url", help="TrackAI server, instead of a file.  [default: TRACKAI_SERVER_URL]"
    )(command)


def with_file(
    db: str | None, work: Callable[[Database], Awaitable[T]], *, create: bool = False
) -> T:
    """Like `with_database`, for a command with `file_option`."""
    return with_database(db, work, create=create)  # type: ignore[arg-type]


def with_database(
    db: str | None, work: Callable[[Store], Awaitable[T]], *, create: bool = False
) -> T:
    """Open the database, run `work` in an event loop, and close the database.

    Args:
        db: the value of --db.
        create: create the file if it does not exist. The tables of a database on PostgreSQL are
            created in any case.

    Raises:
        NotFoundError: the file does not exist; without `create`, a mistyped path is an error and
            not an empty database.
    """
    settings = Settings.from_env(database=db)
    if not create and settings.database_url is None and not settings.db_path.exists():
        raise NotFoundError(f"database {settings.db_path} not found: log a run first, or pass --db")

    from trackai.store.factory import create_store

    async def main() -> T:
        database = create_store(settings.database)
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


def find_server(db: str | None, url: str | None) -> RemoteSource | None:
    """Return the server of a command: that of --url, or of TRACKAI_SERVER_URL without --db.

    Returns:
        The server; None for a database file.

    Raises:
        InvalidInputError: the address is not an HTTP URL.
    """
    if db and url is not None:
        raise click.UsageError("pass either --db or --url", click.get_current_context())
    if url is None and (db or Settings.from_env().server_url is None):
        return None
    from trackai.reading.remote_source import RemoteSource, default_server

    return default_server() if url is None else RemoteSource(url, Settings.from_env().api_key)


def open_source(db: str | None, url: str | None) -> Source:
    """Open the source that `Api` reads from: a server, or else the database."""
    from trackai.reading.local_source import LocalSource

    return find_server(db, url) or LocalSource(Settings.from_env(database=db).database)

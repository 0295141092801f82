"""trackai serve"""

from __future__ import annotations

import socket
import sys

import click

from trackai import __version__
from trackai.errors import TrackAIError


@click.command()
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Its TCP port.  [default: 8000]")
@click.option("--db", type=click.Path(), help="The database file.  [default: TRACKAI_DB_PATH, "
              "then ~/.trackai/trackai.db]")  # fmt: skip
def serve(host: str | None, port: int | None, db: str | None) -> None:
    """Serve the HTTP API."""
    import anyio
    import msgspec
    import uvicorn

    from trackai.api.main import create_app
    from trackai.settings import Settings
    from trackai.store.database import Database

    settings = Settings.from_env(db)
    settings = msgspec.structs.replace(
        settings, host=host or settings.host, port=settings.port if port is None else port
    )

    async def check_store() -> None:
        database = Database(settings.db_path)
        try:
            await database.open()
        finally:
            await database.close()

    # Before the server starts: a database that cannot be used is one line, not a traceback.
    anyio.run(check_store)
    listener = _listen(settings.host, settings.port)
    settings = msgspec.structs.replace(settings, port=listener.getsockname()[1])
    click.echo(f"trackai {__version__}: {settings.url} serves {settings.db_path}", err=True)
    config = uvicorn.Config(
        create_app(settings), log_level="warning", server_header=False, lifespan="on"
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        # Like uvicorn: a server that has just ended does not block its port.
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise TrackAIError(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another port with "
            "--port, or stop the program that uses this one"
        ) from error
    return listener

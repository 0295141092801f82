"""trackai serve"""

from __future__ import annotations

import socket
import sys

import click

from trackai import __version__
from trackai.errors import TrackAIError

_IDLE_SECONDS = 15
_SWITCH_SECONDS = 0.0003
# After SIGTERM, for requests that are under way.
_LAST_SECONDS = 20


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

    from trackai.api.access_log import JSONFormatter, TextFormatter, log_to_stderr
    from trackai.api.main import create_app
    from trackai.api.security import is_loopback
    from trackai.api.timeouts import TimeoutProtocol
    from trackai.settings import Settings
    from trackai.store.engine.database import Database

    settings = Settings.from_env(db)
    settings = msgspec.structs.replace(
        settings, host=host or settings.host, port=settings.port if port is None else port
    )

    if not is_loopback(settings.host) and settings.api_key is None:
        raise TrackAIError(
            f"{settings.host} can be reached from other machines: set TRACKAI_API_KEY to a secret "
            "that they must send, or listen on 127.0.0.1"
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
    app = create_app(settings)
    click.echo(f"trackai {__version__}: {settings.url} serves {settings.db_path}", err=True)
    if app.state.sessions is not None:
        # What follows the # is sent to no server, and so is in no log of one.
        link = f"{settings.url}/#code={app.state.sessions.create_code()}"
        click.echo(f"sign in with the key, or once, within the hour, at {link}", err=True)
    if settings.access_log != "off":
        log_to_stderr(JSONFormatter() if settings.access_log == "json" else TextFormatter())
    config = uvicorn.Config(
        app,
        http=TimeoutProtocol,
        ws="none",
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_LAST_SECONDS,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
    )
    # Threads prepare and store what comes in; who only reads waits for the interpreter's lock for
    # so long at most, and not for the usual five milliseconds each time it is given away.
    sys.setswitchinterval(_SWITCH_SECONDS)
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
        listener.listen(2048)
    except OSError as error:
        raise TrackAIError(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another port with "
            "--port, or stop the program that uses this one"
        ) from error
    return listener

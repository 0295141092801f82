"""trackai serve"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import click
from anyio.to_thread import run_sync

from trackai import __version__
from trackai.cli.database import db_option, with_database
from trackai.cli.output import echo
from trackai.errors import TrackAIError

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

    from trackai.api.keyring import Keyring
    from trackai.store.engine.store import Store

_KEEP_ALIVE_SECONDS = 15
# After SIGTERM, for the requests in progress.
_SHUTDOWN_SECONDS = 20
_SWITCH_SECONDS = 0.0003


@click.command()
@click.option("--host", help="Address to listen on.  [default: TRACKAI_HOST, then 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535),
              help="TCP port; 0 picks a free one.  [default: TRACKAI_PORT, then 8000]",
              )  # fmt: skip
@click.option("--open", "open_browser", is_flag=True, help="Open the dashboard in a browser.")
@click.option("--allow-frame-origin", "frame_origins", multiple=True, metavar="ORIGIN",
              help="Let pages of an origin, such as https://notebooks.example.com, show the "
              "dashboard in a frame; repeatable.  [default: TRACKAI_FRAME_ORIGINS]",
              )  # fmt: skip
@click.option("--until-stdin-closes", is_flag=True, hidden=True)
@db_option
def serve(
    host: str | None,
    port: int | None,
    open_browser: bool,
    frame_origins: tuple[str, ...],
    until_stdin_closes: bool,
    db: str | None,
) -> None:
    """Serve the dashboard and API; --open shows it in a browser."""
    import msgspec
    import uvicorn

    from trackai.api.access_log import JSONFormatter, TextFormatter, log_to_stderr
    from trackai.api.keyring import Keyring
    from trackai.api.main import create_app
    from trackai.cli.listening import Listener
    from trackai.settings import Settings
    from trackai.settings import frame_origins as check_origins

    settings = Settings.from_env(database=db)
    settings = msgspec.structs.replace(
        settings,
        host=host or settings.host,
        port=settings.port if port is None else port,
        frame_origins=check_origins("--allow-frame-origin", frame_origins)
        or settings.frame_origins,
    )

    # Before the database is created, or a key is asked for.
    listener = Listener(settings.host, settings.port, field="--host" if host else "TRACKAI_HOST")
    click.get_current_context().call_on_close(listener.close)
    settings = msgspec.structs.replace(settings, host=listener.host, port=listener.port)
    is_new = settings.database_url is None and not settings.db_path.exists()
    keyring = Keyring(settings.api_key)
    app = create_app(settings)
    # Before uvicorn starts, which would report an unusable database with a traceback.
    if listener.is_local or keyring.has_valid or not is_new:
        with_database(db, partial(_check, app=app, keyring=keyring), create=True)
    keyring.check_shared()
    if not listener.is_local and not keyring.has_valid:
        raise TrackAIError(
            f"{settings.host} is reachable from other machines, which requires an API key: set "
            "TRACKAI_API_KEY, create a key with trackai keys create, or listen on 127.0.0.1"
        )
    listener.start()
    note = ", a new database" if is_new else ""
    echo(f"trackai {__version__}: {settings.url} serves {settings.database}{note}", err=True)
    if keyring.is_protected:
        # Browsers send the part after # to no server, so that no access log contains it.
        link = f"{settings.url}/#code={app.state.sessions.create_code()}"
        echo(f"sign in with an API key, or once within an hour with {link}", err=True)
    if open_browser:
        _open(settings.url)
    if settings.access_log != "off":
        log_to_stderr(JSONFormatter() if settings.access_log == "json" else TextFormatter())
    # Worker threads decode and store batches. With Python's default of 5 ms, requests that only
    # read would wait that long for the interpreter lock each time.
    sys.setswitchinterval(_SWITCH_SECONDS)
    if until_stdin_closes:
        threading.Thread(target=_stop_after_stdin, daemon=True).start()
    uvicorn.Server(_uvicorn_config(app)).run(sockets=listener.sockets)


async def _check(database: Store, *, app: Starlette, keyring: Keyring) -> None:
    """Read the keys, and check that files can be stored where several servers share them."""
    await keyring.refresh(database)
    await app.state.sessions.set_up(database)  # which sign the code
    if database.blobs.is_shared:
        await run_sync(database.blobs.check)


def _open(url: str) -> None:
    """Open an address in a browser, which waits until the server accepts its connection.

    The address has no sign-in code: other users of the machine can see the arguments of a browser.
    """
    import webbrowser

    from trackai.settings import has_screen

    def open_browser() -> None:
        is_open = False
        with suppress(OSError, webbrowser.Error):
            is_open = has_screen() and webbrowser.open(url)
        if not is_open:
            echo(f"no browser found: open {url}", err=True)

    # A browser of the terminal keeps the thread until the user leaves it.
    threading.Thread(target=open_browser, daemon=True).start()


def _stop_after_stdin() -> None:
    """Stop the server when the process that started it has ended, in whatever way."""
    with suppress(OSError):
        while os.read(sys.stdin.fileno(), 1024):
            pass
    signal.raise_signal(signal.SIGTERM)


def _uvicorn_config(app: Starlette) -> uvicorn.Config:
    import uvicorn

    from trackai.api.timeouts import TimeoutProtocol

    return uvicorn.Config(
        app,
        http=TimeoutProtocol,
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
    )

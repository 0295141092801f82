"""`trackai.show`: open the dashboard from Python."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import weakref
import webbrowser
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.errors import TrackAIError
from trackai.guard import guarded
from trackai.reading.local_source import LocalSource
from trackai.reading.remote_source import RemoteSource
from trackai.sdk import active, ignored_calls
from trackai.sdk.interactive import in_notebook, is_interactive
from trackai.sdk.place import Place
from trackai.settings import Settings, has_screen
from trackai.values.logger import logger

if TYPE_CHECKING:
    from datetime import datetime
    from typing import IO

    from trackai.structs.records import Project


# How long to wait for the answer of a server that may not be running.
_PROBE_SECONDS = 0.5
# How long a new server may take to start.
_START_SECONDS = 30
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# In pixels.
_FRAME_HEIGHT = 600


class Dashboard(NamedTuple):
    """The result of `show`, in the order of trackio's.

    Attributes:
        app: the server process if `show` started one, else None. `app.close()` stops it, and so
            does the end of this process.
        url: the address of the server; empty if the dashboard could not be shown.
        share_url: always None; for scripts written for trackio.
        full_url: the address of the project that is shown.
    """

    app: Server | None
    url: str
    share_url: None
    full_url: str


class Server:
    """A `trackai serve` process, which stops at the end of this process, even if that is killed.

    Raises:
        TrackAIError: it does not start.
    """

    def __init__(self, settings: Settings, host: str | None, port: int) -> None:
        address = ["--host", host or settings.host, "--port", str(port)]
        with tempfile.TemporaryFile() as output:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-m", "trackai.cli", "serve", *address,
                 "--db", str(settings.db_path), "--until-stdin-closes"],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=output,
            )  # fmt: skip
            atexit.register(self.close)
            _servers.add(self)
            self.url = self._wait_for_url(output)

    def _wait_for_url(self, output: IO[bytes]) -> str:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            output.seek(0)
            text = output.read().decode(errors="replace")
            before, separator, _ = text.partition(" serves ")
            if separator:
                return before.split()[-1]
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                lines = text.strip().splitlines() or ["the server printed nothing"]
                raise TrackAIError(lines[-1])
            time.sleep(0.02)

    def close(self) -> None:
        """Stop the server."""
        atexit.unregister(self.close)
        self._process.terminate()
        self._process.wait()
        self._close_stdin()

    def leave_to_parent(self) -> None:
        """In a forked process: neither stop the server nor keep it alive."""
        atexit.unregister(self.close)
        self._close_stdin()

    def _close_stdin(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def wait(self) -> None:
        """Wait until the server ends; Ctrl-C stops it."""
        try:
            self._process.wait()
        except KeyboardInterrupt:
            self.close()


_servers: weakref.WeakSet[Server] = weakref.WeakSet()


def _leave_servers_to_parent() -> None:
    for server in _servers:
        server.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_servers_to_parent)


def show(
    project: str | None = None,
    *,
    dashboard: str | None = None,
    theme: Any = None,
    mcp_server: bool | None = None,
    footer: bool = True,
    color_palette: list[str] | None = None,
    open_browser: bool = True,
    block_thread: bool | None = None,
    host: str | None = None,
    share: bool | None = None,
    server_port: int | None = None,
    frontend_dir: Any = None,
    db_path: str | os.PathLike[str] | None = None,
) -> Dashboard:
    """Open the dashboard, on the server that is running for the database or on a new one.

    With `TRACKAI_SERVER_URL`, it is the dashboard of that server.

    The address is printed. A notebook also shows the dashboard itself if the server is on this
    machine. If it cannot be shown, a warning is logged and nothing is raised, so that training goes
    on.

    Args:
        project: the name or slug of the project to show; default all projects.
        open_browser: open a browser tab, if this machine has a screen.
        block_thread: wait for Ctrl-C if a server was started; default True in scripts, and False
            in notebooks, at a prompt and while a run is being logged.
        host: the address of a new server; default `TRACKAI_HOST`, then 127.0.0.1.
        server_port: its port; default `TRACKAI_PORT`, then 8000, then any free one.
        db_path: the database file; default `TRACKAI_DB_PATH`, then `~/.trackai/trackai.db`.
        dashboard, theme, mcp_server, footer, color_palette, share, frontend_dir: accepted for
            scripts written for trackio, and ignored with a warning.

    Returns:
        The server and the addresses; a named tuple in the order of trackio's.

    Example:
        trackai.show("digits")
    """
    ignored_calls.warn_ignored_arguments(
        "show",
        {
            "dashboard": dashboard, "theme": theme, "mcp_server": mcp_server,
            "footer": None if footer else False, "color_palette": color_palette, "share": share,
            "frontend_dir": frontend_dir,
        },
    )  # fmt: skip
    with guarded("showing the dashboard"):
        try:
            return _show(project, Settings.from_env(db_path), open_browser=open_browser,
                         block=block_thread, host=host, port=server_port)  # fmt: skip
        except (TrackAIError, OSError) as error:
            logger.warning("could not show the dashboard: %s", error)
    return Dashboard(None, "", None, "")


def _show(
    project: str | None,
    settings: Settings,
    *,
    open_browser: bool,
    block: bool | None,
    host: str | None,
    port: int | None,
) -> Dashboard:
    source = Place(settings.db_path, settings.server_url).source()
    ids = {name: known.id for known in source.projects() for name in (known.name, known.project_id)}
    server, url = None, settings.server_url or settings.url
    if isinstance(source, LocalSource) and (
        host is not None or port is not None or not _is_served(settings, source)
    ):
        server = _start(settings, host, port)
        url = server.url
    full_url = url
    if project in ids:
        full_url += f"/?{urllib.parse.urlencode({'project': ids[project]})}"
    elif project is not None:
        logger.warning("project %r not found: the dashboard shows all projects", project)
    if sys.stdout is not None:  # as in a program without a console on Windows
        sys.stdout.write(f"trackai: {full_url}\n")
        sys.stdout.flush()
    if in_notebook() and urllib.parse.urlsplit(full_url).hostname in _LOOPBACK:
        from IPython import display

        display.display(display.IFrame(full_url, "100%", _FRAME_HEIGHT))  # type: ignore[no-untyped-call]
    if open_browser and has_screen() and not in_notebook():
        webbrowser.open(full_url)
    if server is not None and (_is_script() if block is None else block):
        server.wait()
    return Dashboard(server, url, None, full_url)


def _start(settings: Settings, host: str | None, port: int | None) -> Server:
    if port is not None:
        return Server(settings, host, port)
    try:
        return Server(settings, host, settings.port)
    except TrackAIError:  # another program has the port, or a server for another database
        return Server(settings, host, 0)


def _is_served(settings: Settings, local: LocalSource) -> bool:
    """Whether a server answers at the configured address, and for this database."""
    server = RemoteSource(settings.url, settings.api_key, timeout=_PROBE_SECONDS)
    try:
        served = server.projects()
    except TrackAIError:
        return False
    stored = local.projects()
    return bool(stored) and _identities(stored) == _identities(served)


def _identities(projects: list[Project]) -> list[tuple[int, str, datetime]]:
    return [(project.id, project.project_id, project.created_at) for project in projects]


def _is_script() -> bool:
    return not is_interactive() and active.current_run() is None

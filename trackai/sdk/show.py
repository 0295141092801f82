"""Opening the dashboard from Python: `trackai.show`."""

from __future__ import annotations

import atexit
import logging
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import webbrowser
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.errors import TrackAIError
from trackai.guard import guarded
from trackai.reading.local_source import LocalSource
from trackai.reading.remote_source import RemoteSource
from trackai.sdk import active, compat
from trackai.settings import Settings, has_screen

if TYPE_CHECKING:
    from typing import IO

logger = logging.getLogger("trackai")

_PROBE_SECONDS = 0.5
_START_SECONDS = 30


class Dashboard(NamedTuple):
    """Where the dashboard is, in the order of what trackio.show returns.

    Attributes:
        app: the server if it was started for this; `app.close()` ends it, and so does the end of
            this process.
        url: its address; empty if there is none, which a warning says.
        share_url: None, as nothing is shared.
        full_url: the address of what is shown.
    """

    app: Server | None
    url: str
    share_url: None
    full_url: str


class Server:
    """A `trackai serve` process of ours.

    Raises:
        TrackAIError: it does not start.
    """

    def __init__(self, settings: Settings, host: str | None, port: int) -> None:
        where = ["--host", host or settings.host, "--port", str(port)]
        with tempfile.TemporaryFile() as said:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-m", "trackai.cli", "serve", *where,
                 "--db", str(settings.db_path)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            )  # fmt: skip
            atexit.register(self.close)
            self.url = self._started(said)

    def _started(self, said: IO[bytes]) -> str:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            said.seek(0)
            text = said.read().decode(errors="replace")
            first, newline, _ = text.partition(" serves ")
            if newline:
                return first.split()[-1]
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise TrackAIError((text.strip().splitlines() or ["it says nothing"])[-1])
            time.sleep(0.02)

    def close(self) -> None:
        """End it."""
        atexit.unregister(self.close)
        self._process.terminate()
        self._process.wait()

    def wait(self) -> None:
        """Wait until it ends, or somebody presses Ctrl-C."""
        try:
            self._process.wait()
        except KeyboardInterrupt:
            self.close()


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
    """Open the dashboard: of the server that is running, or of one that is started for it.

    Training never dies of it: what goes wrong is said in a warning. The arguments are those of
    trackio 0.43; what is not described here is named once, and ignored.

    Args:
        project: show this project; otherwise all of them.
        open_browser: open a tab in a browser, where there is a screen to see it on.
        block_thread: wait until Ctrl-C, if a server was started; the default in scripts, but not
            in notebooks, at a prompt, or while a run is being logged.
        host: the address to listen on; default `TRACKAI_HOST`, then 127.0.0.1.
        server_port: its port; default `TRACKAI_PORT`, then 8000, then any that is free.
        db_path: the database file; default `TRACKAI_DB_PATH`, then `~/.trackai/trackai.db`.
    """
    ignored = {
        "dashboard": dashboard, "theme": theme, "mcp_server": mcp_server,
        "footer": None if footer else False, "color_palette": color_palette, "share": share,
        "frontend_dir": frontend_dir,
    }  # fmt: skip
    for name, value in ignored.items():
        if value is not None:
            compat.say_once(f"the argument {name} of show()")
    with guarded("showing the dashboard"):
        try:
            return _show(project, Settings.from_env(db_path), open_browser=open_browser,
                         block=block_thread, host=host, port=server_port)  # fmt: skip
        except (TrackAIError, OSError) as error:
            logger.warning("the dashboard cannot be shown: %s", error)
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
    local = LocalSource(settings.db_path)
    known = {name: one.id for one in local.projects() for name in (one.name, one.project_id)}
    server, url = None, settings.url
    if host is not None or port is not None or not _is_served(settings, local):
        server = _start(settings, host, port)
        url = server.url
    full = url
    if project in known:
        full += f"/?{urllib.parse.urlencode({'project': known[project]})}"
    elif project is not None:
        logger.warning("there is no project %r: the dashboard shows all", project)
    sys.stdout.write(f"trackai: {full}\n")
    sys.stdout.flush()
    if open_browser and has_screen() and not _in_notebook():
        webbrowser.open(full)
    if server is not None and (_is_script() if block is None else block):
        server.wait()
    return Dashboard(server, url, None, full)


def _start(settings: Settings, host: str | None, port: int | None) -> Server:
    if port is not None:
        return Server(settings, host, port)
    try:
        return Server(settings, host, settings.port)
    except TrackAIError:  # somebody else has the port, or the server there has another file
        return Server(settings, host, 0)


def _is_served(settings: Settings, local: LocalSource) -> bool:
    """Whether the server of the settings answers, and for this file."""
    server = RemoteSource(settings.url, settings.api_key, timeout=_PROBE_SECONDS)
    try:
        there = server.projects()
    except TrackAIError:
        return False
    here = local.projects()
    same = [(one.id, one.project_id, one.created_at) for one in here] == [
        (one.id, one.project_id, one.created_at) for one in there
    ]
    return same and bool(here)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def _is_script() -> bool:
    interactive = _in_notebook() or hasattr(sys, "ps1") or bool(sys.flags.interactive)
    return not interactive and active.current_run() is None

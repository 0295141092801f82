"""The two lines that `init` prints: what the run is called, and where to look at it."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from trackai.values.text import escaped

if TYPE_CHECKING:
    from trackai.sdk.run import Run
    from trackai.settings import Settings


def announce(run: Run, settings: Settings) -> None:
    """Print the two lines to stderr; nothing for a run that another rank has announced."""
    if run._rank:
        return
    lines = (
        f"trackai: run {run.path}{', resumed' if run.resumed else ''}",
        f"trackai: {_place(run, settings)}",
    )
    text = "".join(f"{escaped(line)}\n" for line in lines)
    with suppress(Exception):  # it may be closed, or an object of the script
        sys.stderr.write(text)


def _place(run: Run, settings: Settings) -> str:
    if settings.server_url is not None:
        return f"see {run.url}" if run.id else f"see {run.url}, once the server has answered"
    command = "trackai serve"
    if settings.db_path_source == "argument":
        command += f" --db {shlex.quote(str(settings.db_path))}"
    return f"stored in {settings.db_path}; see it with: {command}"

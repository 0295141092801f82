"""Whether a run without an end is still being written."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from trackai.values.types import State

# Files that have not changed for this long belong to a process that has ended or was killed.
SILENT_SECONDS = 300


def last_change(paths: Iterable[Path]) -> float:
    """Return when one of the files changed last, in seconds since the epoch; 0 if none exists.

    Empty files do not count: a reader of a SQLite database may create an empty WAL.
    """
    times = [0.0]
    for path in paths:
        with suppress(OSError):
            status = path.stat()
            if status.st_size:
                times.append(status.st_mtime)
    return max(times)


def is_silent(changed_at: float, seconds: float = SILENT_SECONDS) -> bool:
    """Whether files that changed last at this time, in seconds, are not being written any more."""
    return time.time() - changed_at > seconds


def open_state(changed_at: float) -> State:
    """Return the state of a run without an end whose files changed last at this time."""
    return "failed" if is_silent(changed_at) else "running"

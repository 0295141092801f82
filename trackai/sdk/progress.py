"""The progress line on the terminal while `finish` stores many points."""

from __future__ import annotations

import sys
import time

_AFTER_SECONDS = 1.0
_EVERY_SECONDS = 0.1


class Progress:
    """Shows the stored share of the points after a second, if standard error is a terminal."""

    def __init__(self, total: int, where: str) -> None:
        """Start at 0 of `total` bytes, which are stored in `where`."""
        self._where = where
        self._total = max(total, 1)
        self._done = 0
        self._next = time.monotonic() + _AFTER_SECONDS
        self._shown = False
        # Under pythonw, standard error is None; a script may replace it by any object with write().
        self._silent = not getattr(sys.stderr, "isatty", lambda: False)()

    def advance(self, size: int) -> None:
        """Add to the number of stored bytes."""
        self._done += size
        now = time.monotonic()
        if self._silent or now < self._next:
            return
        self._next = now + _EVERY_SECONDS
        self._shown = True
        percent = min(100, 100 * self._done // self._total)
        sys.stderr.write(f"\rtrackai: storing the last points in {self._where}: {percent} %")
        sys.stderr.flush()

    def close(self) -> None:
        """End the line, if it was shown."""
        if self._shown:
            sys.stderr.write("\n")

"""A line on the terminal while finish() takes longer than one would expect."""

from __future__ import annotations

import sys
import time

_AFTER_SECONDS = 1.0
_EVERY_SECONDS = 0.1


class Progress:
    """How much of what was logged is stored; silent unless standard error is a terminal."""

    def __init__(self, total: int) -> None:
        self._total = max(total, 1)
        self._done = 0
        self._next = time.monotonic() + _AFTER_SECONDS
        self._shown = False
        # Under pythonw there is no standard error.
        self._silent = sys.stderr is None or not sys.stderr.isatty()

    def advance(self, size: int) -> None:
        """Note that so many more bytes are stored."""
        self._done += size
        now = time.monotonic()
        if self._silent or now < self._next:
            return
        self._next = now + _EVERY_SECONDS
        self._shown = True
        percent = min(100, 100 * self._done // self._total)
        sys.stderr.write(f"\rtrackai: storing the last points: {percent} %")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the line."""
        if self._shown:
            sys.stderr.write("\n")

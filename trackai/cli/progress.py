"""How far a command has come, for people who wait."""

from __future__ import annotations

import sys
import time

import click


class ProgressLine:
    """A line on the terminal that is written anew; nothing if there is no terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._started = time.monotonic()
        self._last = 0.0

    def files(self, done: int, total: int) -> None:
        """So many of the files have been looked at."""
        self._show(f"looked at {done} of {total} files", done == total)

    def rows(self, done: int, total: int) -> None:
        """So many of the rows have been read."""
        self.share(done, total, "rows")

    def share(self, done: int, total: int, unit: str) -> None:
        """So much of what there is has been read."""
        if done == total:
            self._show("", last=True)
            return
        seconds = time.monotonic() - self._started
        left = round(seconds / done * (total - done)) if done else 0
        self._show(
            f"{done:,} of {total:,} {unit} ({100 * done // total} %), "
            f"{left // 60}:{left % 60:02} left",
            last=False,
        )

    def _show(self, text: str, last: bool) -> None:
        now = time.monotonic()
        if self._shown and (last or now - self._last > 0.2):
            self._last = now
            # Clearing the line is no colour: NO_COLOR must not leave the rest of a longer one.
            click.echo(f"\r\x1b[K{text}", nl=False, err=True, color=True)

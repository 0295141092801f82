"""The progress of long commands, on stderr."""

from __future__ import annotations

import sys
import time

import click

_INTERVAL_SECONDS = 0.2


class ProgressLine:
    """A line on the terminal that is updated in place; does nothing without a terminal."""

    def __init__(self) -> None:
        self._enabled = sys.stderr.isatty()
        self._started = time.monotonic()
        self._last_update = 0.0

    def files(self, done: int, total: int) -> None:
        """Show that `done` of `total` files have been checked."""
        self._show(f"checked {done:,} of {total:,} files", done == total)

    def rows(self, done: int, total: int) -> None:
        """Show that `done` of `total` rows have been read, and the remaining time."""
        self.share(done, total, "rows")

    def runs(self, done: int, total: int) -> None:
        """Show that `done` of `total` runs are done, and the remaining time."""
        self.share(done, total, "runs")

    def share(self, done: int, total: int, unit: str) -> None:
        """Show that `done` of `total` units are done, and the remaining time."""
        if done == total:
            self._show("", last=True)
            return
        seconds = time.monotonic() - self._started
        remaining = round(seconds / done * (total - done)) if done else 0
        self._show(
            f"{done:,} of {total:,} {unit} ({100 * done // total} %), "
            f"{remaining // 60}:{remaining % 60:02} left",
            last=False,
        )

    def _show(self, text: str, last: bool) -> None:
        now = time.monotonic()
        if self._enabled and (last or now - self._last_update > _INTERVAL_SECONDS):
            self._last_update = now
            # color=True keeps the escape sequence, which clears the line, also with NO_COLOR.
            click.echo(f"\r\x1b[K{text}", nl=False, err=True, color=True)

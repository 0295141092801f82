"""Puts the pieces of console output together to lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Lines:
    """The lines of one stream, each with a time of its own.

    Of a line that is written again after a carriage return, the last state is kept.
    """

    def __init__(self) -> None:
        self._pending = ""
        self._time = 0

    def add(self, text: str, time: int) -> Iterator[tuple[int, str]]:
        """Add a piece; yield the lines that it completes, with their times in microseconds."""
        *lines, self._pending = (self._pending + text).split("\n")
        self._time = max(time, self._time)
        for line in lines:
            yield self._time, _last_state(line)
            self._time += 1

    def rest(self) -> Iterator[tuple[int, str]]:
        """Yield the line that has no end yet."""
        if self._pending:
            yield self._time, _last_state(self._pending)


def _last_state(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]

"""How much printed output a run keeps."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    Lines = Iterable[tuple[int, str]]

# In each stream of a run: lines a second, after the first ones of a burst.
LINES_PER_SECOND = 1000
BURST = 20_000
# All lines of a stream together, each with what the database adds to it.
MAX_BYTES = 50_000_000
_BYTES_OF_ROW = 64
# Of the lines that are left out, the last ones are logged after all: they may say why it ended.
_LAST_LINES = 100


class OutputLimit:
    """Leaves out lines that are printed too fast or are too many, and says how many."""

    def __init__(self) -> None:
        self._allowance = float(BURST)
        self._counted_at = 0
        self._bytes = 0
        self._left_out = 0
        self._last: deque[tuple[int, str]] = deque(maxlen=_LAST_LINES)

    def leave_out(self, lines: int) -> None:
        """Count lines that are known to be lost."""
        self._left_out += lines

    def admit(self, lines: Lines, now: int, *, final: bool = False) -> Lines:
        """Return the lines to log.

        Args:
            now: microseconds since the epoch.
            final: no more lines will come.
        """
        gained = (now - self._counted_at) / 1_000_000 * LINES_PER_SECOND
        self._allowance = min(self._allowance + max(gained, 0), BURST)
        self._counted_at = now
        if self._is_open() or final:
            yield from self._report(now)
        for line in lines:
            if self._is_open() and not self._last:
                self._allowance -= 1
                self._bytes += len(line[1]) + _BYTES_OF_ROW
                yield line
            else:
                if len(self._last) == _LAST_LINES:
                    self._left_out += 1
                self._last.append(line)
        if final:
            yield from self._report(now)

    def _is_open(self) -> bool:
        return self._allowance >= 1 and self._bytes < MAX_BYTES

    def _report(self, now: int) -> Lines:
        """The number of the lines that were left out, and the last of them."""
        if self._left_out:
            reason = (
                f"of more than {MAX_BYTES // 1_000_000} MB"
                if self._bytes >= MAX_BYTES
                else f"faster than {LINES_PER_SECOND} a second"
            )
            time = self._last[0][0] if self._last else now
            yield time, f"[trackai: {self._left_out} lines left out: {reason}]"
            self._left_out = 0
        self._allowance -= len(self._last)
        while self._last:
            time, text = self._last.popleft()
            self._bytes += len(text) + _BYTES_OF_ROW
            yield time, text

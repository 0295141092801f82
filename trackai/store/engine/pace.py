"""How much work fits a transaction: other processes cannot write meanwhile."""

from __future__ import annotations

# How long a transaction should take. Shorter ones store fewer points a second: each has its own
# statements, and beside a busy main thread each of those takes milliseconds.
_SECONDS = 0.18


class Pace:
    """The amount of work for the next transaction, adapted to how long the previous ones took.

    Attributes:
        size: the amount, in any unit: bytes, points, rows.
    """

    def __init__(self, size: int, *, smallest: int, largest: int) -> None:
        self.size = size
        self._smallest = smallest
        self._largest = largest

    def adapt(self, amount: int, seconds: float) -> None:
        """Choose the next amount, after a transaction with `amount` took `seconds`."""
        factor = min(2.0, _SECONDS / max(seconds, 1e-6))
        # A small transaction tells nothing about how long a large one takes, unless it is slow. It
        # may have waited for the processor, so that the size is halved at most.
        if factor < 1 or 2 * amount >= self.size:
            size = max(int(amount * factor), self.size // 2)
            self.size = max(self._smallest, min(self._largest, size))

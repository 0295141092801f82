"""The attempts of a run, as they appear while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from trackai.structs.exchange import RunHead, WriterHead
    from trackai.values.types import State


class Attempt(msgspec.Struct):
    """An attempt of a run: when it began, where, and how it ended."""

    number: int
    started_at: int
    host: str = ""
    state: State | None = None


class Attempts:
    """Gathers the attempts of the writers of a run."""

    def __init__(self, head: RunHead) -> None:
        self._head = head
        self._attempts: dict[int, Attempt] = {}
        for number in head.environment:
            self._attempts[number] = Attempt(number, 0)

    def add(self, writer: WriterHead) -> None:
        """Note the writer of points or a file."""
        attempt = self._attempts.setdefault(writer.attempt, Attempt(writer.attempt, 0))
        if writer.started_at and not 0 < attempt.started_at <= writer.started_at:
            attempt.started_at = writer.started_at
        attempt.host = attempt.host or writer.host
        attempt.state = attempt.state or writer.state

    def list(self, first_times: dict[int, int]) -> list[Attempt]:
        """Return the attempts in order, each starting later than the one before.

        The first one starts when the run was created, and the last one ends as the run did.

        Args:
            first_times: the earliest times of points, by attempt.
        """
        attempts = [self._attempts[number] for number in sorted(self._attempts)]
        attempts = attempts or [Attempt(1, 0)]
        previous = 0
        for attempt in attempts:
            first_time = first_times.get(attempt.number)
            start = attempt.started_at or first_time or self._head.created_at
            if attempt is attempts[0]:
                start = self._head.created_at
            if first_time is not None:
                start = min(start, first_time)
            attempt.started_at = previous = max(start, previous + 1)
        attempts[-1].state = self._head.state
        return attempts

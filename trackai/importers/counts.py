"""Counts of imported rows by type, from which all receipts are built."""

from __future__ import annotations

import msgspec


class Counts(msgspec.Struct):
    """The rows of one type, by outcome.

    Attributes:
        null: rows without a value; there is nothing to store.
        not_stored: rows that could not be stored, by reason.
    """

    read: int = 0
    stored: int = 0
    already_there: int = 0
    null: int = 0
    not_stored: dict[str, int] = {}

    def refuse(self, reason: str, rows: int = 1) -> None:
        """Count rows that are not stored."""
        if rows:
            self.not_stored[reason] = self.not_stored.get(reason, 0) + rows

    def add(self, counts: Counts) -> None:
        """Add other counts to these."""
        self.read += counts.read
        self.stored += counts.stored
        self.already_there += counts.already_there
        self.null += counts.null
        for reason, rows in counts.not_stored.items():
            self.refuse(reason, rows)

    @property
    def adds_up(self) -> bool:
        """Whether every row that was read has an outcome."""
        return self.read == (
            self.stored + self.already_there + self.null + sum(self.not_stored.values())
        )

"""Counts of imported rows by type, from which all receipts are built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


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


_HEADINGS = ("rows", "read", "stored", "already there", "no value", "not stored")


def table(types: Mapping[str, Counts], totals: Counts) -> list[str]:
    """Format counts as the lines of a table."""
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for type_, counts in [*sorted(types.items()), ("all", totals)]:
        numbers = (
            counts.read, counts.stored, counts.already_there, counts.null,
            sum(counts.not_stored.values()),
        )  # fmt: skip
        rows.append((type_, *map(str, numbers)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]

"""What became of the rows of a source, by type: the receipts of all imports are made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Counts(msgspec.Struct):
    """What became of rows of one type.

    Attributes:
        null: rows without a value, which say nothing.
        not_stored: how many for which reason.
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

    def add(self, other: Counts) -> None:
        """Count what another has counted."""
        self.read += other.read
        self.stored += other.stored
        self.already_there += other.already_there
        self.null += other.null
        for reason, rows in other.not_stored.items():
            self.refuse(reason, rows)

    @property
    def adds_up(self) -> bool:
        """Whether every row that was read is accounted for."""
        return self.read == (
            self.stored + self.already_there + self.null + sum(self.not_stored.values())
        )


_HEADINGS = ("rows", "read", "stored", "already there", "no value", "not stored")


def table(types: Mapping[str, Counts], totals: Counts) -> list[str]:
    """Counts as the lines of a table."""
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

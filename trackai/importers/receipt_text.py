"""Formats the parts of receipts, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.importers.counts import Counts

_MAX_LISTED = 50


def table(types: Mapping[str, Counts], totals: Counts, *, stored: str = "stored") -> list[str]:
    """Format counts as the lines of a table.

    Args:
        stored: the heading of the rows that are stored.
    """
    rows: list[tuple[str, ...]] = [
        ("rows", "read", stored, "already there", "no value", "not stored")
    ]
    for type_, counts in [*sorted(types.items()), ("all", totals)]:
        numbers = (
            counts.read, counts.stored, counts.already_there, counts.null,
            sum(counts.not_stored.values()),
        )  # fmt: skip
        rows.append((type_, *map(str, numbers)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def listing(title: str, items: Sequence[str]) -> list[str]:
    """Format the first items as lines that begin with a title, and count the others."""
    lines = [f"{title}: {item}" for item in items[:_MAX_LISTED]]
    if len(items) > _MAX_LISTED:
        lines.append(f"{title}: {len(items) - _MAX_LISTED} more; use --json to see them")
    return lines


def reasons(counts: Counts) -> str:
    """Format the reasons of rows that are not stored, with the numbers of rows."""
    return ", ".join(f"{reason} ({rows})" for reason, rows in counts.not_stored.items())

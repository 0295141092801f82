"""How commands print: tables for people, JSON for machines.

Every answer in JSON is one object, {"version": 1, ...}: a new field may come at any time, another
meaning of an old one comes with another version.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Decorated = Callable[..., Any]

JSON_VERSION = 1


def json_option(command: Decorated) -> Decorated:
    """The option --json of a command that prints something."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(**fields: Any) -> None:
    """Print one JSON object."""
    answer = msgspec.json.encode({"version": JSON_VERSION, **fields})
    click.echo(msgspec.json.format(answer, indent=2 if sys.stdout.isatty() else 0))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, widest: int = 60) -> None:
    """Print a table: aligned on a terminal, separated by tabs in a pipe.

    Args:
        widest: what is longer than so many characters is cut off on a terminal.
    """
    texts = [[cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [list(columns), *texts]:
            click.echo("\t".join(row))
        return
    texts = [[_clipped(text, widest) for text in row] for row in texts]
    numeric = [
        all(isinstance(row[at], int | float | None) for row in rows) for at in range(len(columns))
    ]
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    click.secho(_line(columns, widths, numeric), bold=True)
    for row in texts:
        click.echo(_line(row, widths, numeric))


def _clipped(text: str, widest: int) -> str:
    return text if len(text) <= widest else text[: widest - 1] + "…"


def _line(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    cells = (
        text.rjust(width) if right else text.ljust(width)
        for text, width, right in zip(row, widths, numeric, strict=True)
    )
    return "  ".join(cells).rstrip()


def cell(value: Any) -> str:
    """A value as a table shows it: numbers in six digits, times as "3 min ago"."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return ago(value)
    if isinstance(value, list):
        return ", ".join(map(cell, value)) or "-"
    # A name may hold anything; a terminal must not obey it.
    return "".join(c if c.isprintable() else "�" for c in str(value))


def ago(time: datetime) -> str:
    """How long ago a time was, in the largest unit that fits."""
    seconds = (datetime.now(UTC) - time).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def human_bytes(number: float) -> str:
    """A number of bytes in the unit that fits."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError  # pragma: no cover

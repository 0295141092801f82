"""Tables in HTML for notebooks. All stored text is escaped."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The most rows of a table.
MAX_ROWS = 20
FAINT = "opacity:.7"
_CELL = "padding:1px 10px 1px 0;text-align:left;border:0;background:none"
_TEXT_LENGTH = 80
# Of sparklines, in pixels.
_WIDTH, _HEIGHT = 120, 18


class Markup(str):
    """HTML of TrackAI's own, which is not escaped."""


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], total: int | None = None) -> str:
    """Return a table of at most 20 rows; "" without any.

    Args:
        head: the names of the columns.
        total: the number of all rows, of which `rows` are the first; default all are given.
    """
    total = len(rows) if total is None else total
    if not rows:
        return ""
    lines = [_row("th", [f'<span style="{FAINT}">{escape(text)}</span>' for text in head])]
    lines += [_row("td", map(_cell, row)) for row in rows[:MAX_ROWS]]
    if total > MAX_ROWS:
        lines.append(_row("td", [f"and {total - MAX_ROWS} more"]))
    return (
        f'<table style="margin:6px 0 0;border-collapse:collapse;border:0">{"".join(lines)}</table>'
    )


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag} style={_CELL!r}>{cell}</{tag}>' for cell in cells)}</tr>"


def _cell(value: Any) -> str:
    return value if isinstance(value, Markup) else escape(_text(value))


def sparkline(values: Sequence[float | None]) -> Markup:
    """Draw finite numbers as a small line; None is a gap."""
    numbers = [value for value in values if value is not None]
    if len(numbers) < 2:
        return Markup("")
    low, high = min(numbers), max(numbers)
    # Halved, as the difference of two floats may be larger than any float.
    span = high / 2 - low / 2 or 1.0
    points = " ".join(
        f"{index * _WIDTH / (len(values) - 1):.1f},"
        f"{_HEIGHT - 1 - (value / 2 - low / 2) / span * (_HEIGHT - 2):.1f}"
        for index, value in enumerate(values)
        if value is not None
    )
    return Markup(
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" style="vertical-align:middle">'
        f'<polyline points="{points}" fill="none" stroke="#2563eb" stroke-width="1.2"/></svg>'
    )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{float(value):.6g}"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    text = str(value)
    return text if len(text) <= _TEXT_LENGTH else text[: _TEXT_LENGTH - 1] + "…"

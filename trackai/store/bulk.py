"""Statements that take many rows at once.

The interpreter's lock is handed over once a statement, and with a busy main thread every handing
over costs milliseconds: one statement for a thousand rows is what lets the drain keep up.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aiosqlite import Connection


async def execute_rows(
    conn: Connection,
    statement: Callable[[int], str],
    rows: Iterable[tuple[Any, ...]],
    *,
    width: int,
    sizes: Sequence[int],
) -> None:
    """Execute `statement(size)`, which takes `size` rows of `width` values, over all rows.

    Args:
        sizes: how many rows a statement takes, falling, 1 at the end.
    """
    values = tuple(chain.from_iterable(rows))
    start = 0
    for size in sizes:
        step = size * width
        stop = start + (len(values) - start) // step * step
        if stop > start:
            await conn.executemany(
                statement(size), [values[at : at + step] for at in range(start, stop, step)]
            )
        start = stop


def placeholders(rows: int, width: int) -> str:
    """`(?, ?), (?, ?)`"""
    return ", ".join([f"({', '.join('?' * width)})"] * rows)

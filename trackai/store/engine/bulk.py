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
    await _execute(conn, statement, tuple(chain.from_iterable(rows)), width, sizes)


async def execute_columns(
    conn: Connection,
    statement: Callable[[int], str],
    blocks: Sequence[tuple[Any, ...]],
    *,
    width: int,
    sizes: Sequence[int],
) -> None:
    """Execute `statement(size)` over rows that come in blocks, column by column.

    Args:
        blocks: each has for each of the `width` columns a list of values, all of one length, or
            one value for all of its rows; at least one of them is a list.
        sizes: how many rows a statement takes, falling, 1 at the end.
    """
    lengths = [len(next(one for one in block if type(one) is list)) for block in blocks]
    values: list[Any] = [None] * (width * sum(lengths))
    start = 0
    for block, length in zip(blocks, lengths, strict=True):
        stop = start + width * length
        for position, one in enumerate(block):
            # Assigning to every fifth place is a fraction of the cost of making rows.
            values[start + position : stop : width] = one if type(one) is list else [one] * length
        start = stop
    await _execute(conn, statement, values, width, sizes)


async def _execute(
    conn: Connection,
    statement: Callable[[int], str],
    values: Sequence[Any],
    width: int,
    sizes: Sequence[int],
) -> None:
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


def numbered(rows: int, width: int, *, after: int) -> str:
    """`(?3, ?4), (?5, ?6)` with `after=2`: for statements that use other values more than once."""
    numbers = iter(range(after + 1, after + rows * width + 1))
    return ", ".join(
        f"({', '.join(f'?{next(numbers)}' for _ in range(width))})" for _ in range(rows)
    )

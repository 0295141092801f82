"""Insert many rows with one statement.

Every statement releases and reacquires the interpreter's lock, which takes milliseconds next to a
busy main thread. With a thousand rows a statement the drain keeps up with log().

In SQLite, such statements have OR FAIL. Otherwise SQLite copies each page before they change it, to
undo a failed statement alone, and writes copies beyond 64 KB to a temporary file
(https://www.sqlite.org/tempfiles.html#statement_journal_files). Here, an error undoes the whole
transaction. Rows with foreign keys are copied in any case.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from trackai.store.engine.connection import Connection


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
        width: values of a row.
        sizes: rows of a statement, in falling order; the last is 1.
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
    """Execute `statement(size)` over all rows of blocks of columns.

    Args:
        blocks: each with `width` columns. A column is a list of values, as long as the other lists
            of the block, or one value for all rows of the block; at least one column is a list.
        width: values of a row.
        sizes: rows of a statement, in falling order; the last is 1.
    """
    lengths = [len(next(column for column in block if type(column) is list)) for block in blocks]
    values: list[Any]
    if set(lengths) == {1}:  # as of small requests: half the time of slices
        values = [
            column[0] if type(column) is list else column for block in blocks for column in block
        ]
        await _execute(conn, statement, values, width, sizes)
        return
    values = [None] * (width * sum(lengths))
    start = 0
    for block, length in zip(blocks, lengths, strict=True):
        stop = start + width * length
        for position, column in enumerate(block):
            # Assigning to a slice with a step is several times as fast as building rows.
            values[start + position : stop : width] = (
                column if type(column) is list else [column] * length
            )
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


def filled_up(
    rows: Sequence[tuple[Any, ...]], sizes: Sequence[int]
) -> Iterator[list[tuple[Any, ...]]]:
    """Split rows into parts of the given sizes; a part gets rows of NULL up to the next size.

    Args:
        sizes: rows of a statement, in rising order.
    """
    for start in range(0, len(rows), sizes[-1]):
        part = list(rows[start : start + sizes[-1]])
        size = next(size for size in sizes if size >= len(part))
        yield part + [(None,) * len(part[0])] * (size - len(part))


def placeholders(rows: int, width: int, types: Sequence[str] = ()) -> str:
    """The placeholders of rows: `(?, ?), (?, ?)`.

    Args:
        types: those of the columns in PostgreSQL. Rows that are not inserted into a table need
            them: their values are texts otherwise.
    """
    return _rows([["?"] * width] * rows, types)


def numbered(rows: int, width: int, *, after: int, types: Sequence[str] = ()) -> str:
    """The numbered placeholders of rows: `(?3, ?4), (?5, ?6)` with `after=2`.

    For statements that use their first values more than once.

    Args:
        types: as of `placeholders`.
    """
    numbers = iter(range(after + 1, after + rows * width + 1))
    return _rows([[f"?{next(numbers)}" for _ in range(width)] for _ in range(rows)], types)


def _rows(rows: Sequence[Sequence[str]], types: Sequence[str]) -> str:
    # The types of the first row are those of all.
    typed = [f"{mark}/*pg: ::{type_} */" for mark, type_ in zip(rows[0], types, strict=False)]
    return ", ".join(f"({', '.join(row)})" for row in (typed or rows[0], *rows[1:]))

"""Large texts and histograms, which are in a table of their own.

To compare the keys of two rows of `metrics`, SQLite reads a row to its end if it does not fit a
quarter of a page. So a point with a large value has a marker there, and its value in a table with
row ids, under the same key. `trackai.store.engine.sql.VALUE` reads both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.values.types import Step, Value

T = TypeVar("T")

# Texts of more characters are large. No row with a shorter text in ASCII exceeds a quarter of a
# page; other texts exceed it by a page at most.
LONGEST = 900
# The value in `metrics` of a point with a large value, and the last value of its series.
MARKER = b""

# The key of a point and its value: series, step, timestamp, writer and value.
LargeValue = tuple[int, "Step", int, int, "Value"]


def is_large(value: object) -> bool:
    """Whether a value is stored apart from its point."""
    return type(value) is str and len(value) > LONGEST


def with_marker(value: T) -> T | bytes:
    """The marker in place of a large value; other values as they are."""
    return MARKER if is_large(value) else value


def marked(values: list[Value]) -> tuple[Sequence[Value | bytes], list[int]]:
    """Replace large values by markers; also returns the positions of these."""
    large = [at for at, value in enumerate(values) if type(value) is str and len(value) > LONGEST]
    if not large:
        return values, large
    marked: list[Value | bytes] = [*values]
    for at in large:
        marked[at] = MARKER
    return marked, large


async def insert(conn: Connection, rows: Iterable[LargeValue]) -> None:
    """Store the large values of points that have been stored with a marker.

    A point that was not stored, because its key was taken, has none or another value there.
    """
    await conn.executemany(
        """
        INSERT INTO large_values (series_id, step, timestamp, writer_id, value)
        SELECT series_id, step, timestamp, writer_id, ?5 FROM metrics
        WHERE series_id = ?1 AND step = ?2 AND timestamp = ?3 AND writer_id = ?4 AND value IS x''
        ON CONFLICT DO NOTHING
        """,
        rows,
    )

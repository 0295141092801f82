"""Points of SQLite as images of a table: no Python object is made for a point.

A row that `sqlite3` fetches becomes a tuple with an object for each value, which takes half of the
time of `pandas.read_sql_query`. Here SQLite copies the points to a temporary table, and returns the
pages of its database as bytes. They are exact: numbers have up to eight bytes in its file format,
and integers stay integers. `trackai.reading.image_reader` reads them with NumPy.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from trackai.store.engine.connection import Shared

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.direct import Direct
    from trackai.store.points.lineage import Segment
    from trackai.values.types import Step

# Points of an image. The cache of temporary databases has room for twice as many.
MOST = 25_000
# Of fewer points, NumPy would take longer to import than it saves.
_FEW = 10_000


class Copied(NamedTuple):
    """Points that have been copied.

    Attributes:
        root: the number of the first page of the table.
        data: the pages.
        points: their number.
        last: the step and time of the last point; None if there are no points.
        same: how many points at the end have this step and time.
    """

    root: int
    data: bytes
    points: int
    last: tuple[Step, int] | None
    same: int


def suit(conn: Connection, series: Iterable[Sequence[Segment]]) -> bool:
    """Whether series may be read as images: many values in SQLite, which are not all texts."""
    if isinstance(conn, Shared) or not hasattr(sqlite3.Connection, "serialize"):
        return False
    parts = [part for segments in series for part, _ in segments]
    return sum(part.points for part in parts) >= _FEW and all(
        part.kind in ("number", "bool") for part in parts
    )


async def copy(conn: Direct, query: str, parameters: Sequence[Step]) -> Copied | None:
    """Copy the rows of a query in its order.

    The connection must be a reader in a transaction, whose end removes the table.

    Args:
        query: selects step, timestamp and value.

    Returns:
        None if a value is a text.
    """
    # Readers must not change the database, and SQLite applies that to temporary tables.
    await conn.execute("PRAGMA query_only = OFF")
    try:
        await conn.execute("CREATE TEMP TABLE IF NOT EXISTS image (step, timestamp, value)")
        await conn.execute("DELETE FROM temp.image")
        await conn.execute(f"INSERT INTO temp.image {query}", parameters)
    finally:
        await conn.execute("PRAGMA query_only = ON")
    if await conn.execute_fetchall(
        "SELECT 1 FROM temp.image WHERE typeof(value) IN ('text', 'blob') LIMIT 1"
    ):
        return None
    ((root,),) = await conn.execute_fetchall(
        "SELECT rootpage FROM temp.sqlite_schema WHERE name = 'image'"
    )
    data = conn.serialize("temp")
    rows = await conn.execute_fetchall(
        "SELECT rowid, step, timestamp FROM temp.image ORDER BY rowid DESC LIMIT 1"
    )
    if not rows:
        return Copied(root, data, 0, None, 0)
    ((count, step, time),) = rows
    others = await conn.execute_fetchall(
        """
        SELECT rowid FROM temp.image WHERE (step, timestamp) != (?, ?) ORDER BY rowid DESC LIMIT 1
        """,
        (step, time),
    )
    return Copied(root, data, count, (step, time), count - (others[0][0] if others else 0))

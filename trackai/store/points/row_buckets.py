"""Points that are stored as rows: the buckets of charts, computed by SQLite or from columns."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from trackai.downsampling.buckets import Bucket
from trackai.store.engine import direct
from trackai.store.engine.bulk import numbered
from trackai.store.points.queries import FARTHEST, bound
from trackai.store.points.series import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trackai.downsampling.buckets import Range
    from trackai.store.engine.connection import Connection
    from trackai.store.points.queries import Selection, Target
    from trackai.store.points.series import Series
    from trackai.structs.points import PointRow
    from trackai.values.types import Step


# A third faster than zip, which makes an iterator of each row.
_STEP, _VALUE, _TIME = map(itemgetter, range(3))


async def compute(
    conn: Connection,
    selections: Sequence[Selection],
    *,
    resumed: int,
    plain: bool,
    times: bool,
) -> dict[int, dict[int, Bucket]]:
    computed: dict[int, dict[int, Bucket]] = {}
    query, values = _computation(selections, resumed=resumed, plain=plain, times=times)
    for series_id, number, *fields in await conn.execute_fetchall(query, values):
        computed.setdefault(series_id, {})[number] = Bucket(*fields)
    return computed


# Scaling by a power of two is exact. The cast rounds towards zero; the subtraction makes it a
# floor. SQLite shifts to the left by a negative number.
_NUMBER = """
    CASE typeof(step) WHEN 'integer' THEN step >> selected_level
    ELSE CAST(step * scale AS INTEGER) - (step < CAST(step * scale AS INTEGER) * width) END
"""
_PLAIN_FIGURES = """
    COUNT(*) AS finite_points, 0 AS nan_points, 0 AS infinite_points,
    min(value) AS min_value, max(value) AS max_value, total(value) AS sum
"""
_FINITE = "CASE WHEN value BETWEEN ?1 AND ?2 THEN value END"
_FIGURES = f"""
    COUNT({_FINITE}) AS finite_points,
    COUNT(*) - COUNT(value) AS nan_points,
    COUNT(CASE WHEN typeof(value) = 'real' AND value NOT BETWEEN ?1 AND ?2 THEN 1 END)
        AS infinite_points,
    min({_FINITE}) AS min_value, max({_FINITE}) AS max_value, total({_FINITE}) AS sum
"""


def _computation(
    selections: Sequence[Selection], *, resumed: int, plain: bool, times: bool
) -> tuple[str, list[Any]]:
    """The query of `compute` and its parameters."""
    values: list[Any] = [-FARTHEST, FARTHEST]
    for series_id, level, low, high in selections:
        values += [series_id, level, bound(low), bound(high), 2.0**-level, 2.0**level]
    query = f"""
        WITH selected (selected_id, selected_level, low, high, scale, width) AS (
            VALUES {numbered(len(selections), 6, after=2)}
        )
        SELECT
            *,
            (
                SELECT value FROM metrics
                WHERE series_id = bucket_series AND step = first_step AND {visible(resumed)}
                ORDER BY timestamp, writer_id LIMIT 1
            ) AS first_value,
            (
                SELECT value FROM metrics
                WHERE series_id = bucket_series AND step = last_step AND {visible(resumed)}
                ORDER BY timestamp DESC, writer_id DESC LIMIT 1
            ) AS last_value
        FROM (
            SELECT
                selected_id AS bucket_series,
                {_NUMBER} AS number,
                COUNT(*) AS points,
                {_PLAIN_FIGURES if plain else _FIGURES},
                min(step) AS first_step,
                max(step) AS last_step,
                {"min(timestamp)" if times else "0"} AS first_timestamp,
                {"max(timestamp)" if times else "0"} AS last_timestamp
            FROM selected CROSS JOIN metrics
            WHERE series_id = selected_id AND step BETWEEN low AND high AND {visible(resumed)}
            GROUP BY 1, 2
        )
    """
    return query, values


async def read_each(
    conn: Connection,
    selections: Sequence[Selection],
    use: Callable[[Selection, list[Step], list[Any], list[int] | None], None],
    *,
    resumed: int,
    times: bool,
) -> None:
    query = f"""
        SELECT step, value {", timestamp" if times else ""} FROM metrics
        WHERE series_id = ? AND step BETWEEN ? AND ? AND {visible(resumed)}
        ORDER BY step, timestamp, writer_id
    """

    async def work(own: Connection) -> None:
        for selection in selections:
            series_id, _, low, high = selection
            rows: Any = await own.execute_fetchall(query, (series_id, bound(low), bound(high)))
            if not rows:
                continue
            # Each series is processed before the next one is read, while it is in the
            # processor's caches.
            steps = list(map(_STEP, rows))
            values = list(map(_VALUE, rows))
            use(selection, steps, values, list(map(_TIME, rows)) if times else None)

    await direct.run(conn, work)


_CONDITIONS: dict[Target, str] = {
    "nan": "value IS NULL",
    "inf": "value IN (9e999, -9e999)",
    "min": "value = ?",
    "max": "value = ?",
}


async def find_first(
    conn: Connection, series: Series, steps: Range, kind: Target, extreme: Step | None
) -> PointRow | None:
    values = [] if extreme is None else [extreme]
    rows = await conn.execute_fetchall(
        f"""
        SELECT step, timestamp, value FROM metrics
        WHERE series_id = ? AND step BETWEEN ? AND ? AND {_CONDITIONS[kind]}
          AND {visible(series.resumed)}
        ORDER BY step, timestamp, writer_id LIMIT 1
        """,
        (series.id, *map(bound, steps), *values),
    )
    return next((row for row in rows), None)

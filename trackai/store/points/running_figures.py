"""The figures of series, kept up to date as points are stored."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.store.engine.bulk import execute_rows, filled_up, placeholders
from trackai.store.engine.connection import Shared
from trackai.store.points import large_values
from trackai.store.points.figures import Figures
from trackai.store.points.series import NOT_SUPERSEDED
from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.store.engine.connection import Connection
    from trackai.values.types import Kind

_ROWS_PER_STATEMENT = (128, 32, 8, 2, 1)
# On a server, each statement is a round trip: the next size is filled up with rows of no series.
_ROWS_PER_ROUND_TRIP = (1, 2, 4, 8, 16, 32, 64, 128)
_WIDTH = 1 + len(Figures.__struct_fields__)
_TYPES = [
    "bigint", "text", "bigint", "bigint", "bigint", "numeric", "numeric", "bigint", "bigint",
    "any_value", "numeric", "numeric", "numeric", "numeric", "double precision",
]  # fmt: skip


async def merge(
    conn: Connection, additions: Iterable[tuple[int, Figures]], *, are_later: bool = False
) -> None:
    """Add the figures of new points to those of their series, after the points were stored.

    Args:
        additions: row ids of series with the figures of their new points.
        are_later: no stored point is at the last step of the new ones of its series.
    """
    if isinstance(conn, Shared):
        new = additions if are_later else await points_of(conn).with_last_values(conn, additions)
        await _merge_at_once(conn, list(map(_row, new)))
        return
    # The statement reads last values that depend on stored points by itself.
    new = ((series_id, _without_large_value(figures)) for series_id, figures in additions)
    await execute_rows(conn, _merge, map(_row, new), width=_WIDTH, sizes=_ROWS_PER_STATEMENT)


async def _merge_at_once(conn: Connection, rows: list[tuple[Any, ...]]) -> None:
    for part in filled_up(rows, _ROWS_PER_ROUND_TRIP):
        await execute_rows(conn, _merge, part, width=_WIDTH, sizes=(len(part),))


def _row(addition: tuple[int, Figures]) -> tuple[Any, ...]:
    return (addition[0], *msgspec.structs.astuple(addition[1]))


def _without_large_value(figures: Figures) -> Figures:
    if large_values.is_large(figures.last_value):
        return msgspec.structs.replace(figures, last_value=large_values.MARKER)
    return figures


async def reset(conn: Connection, series_id: int, kind: Kind) -> None:
    """Set the figures of a series to those of an empty one, before they are recomputed."""
    await conn.execute(
        """
        UPDATE series SET
            kind = ?, points = 0, finite_points = 0, nan_points = 0, sum = 0,
            first_step = NULL, last_step = NULL, first_timestamp = NULL, last_timestamp = NULL,
            last_value = NULL, min_value = NULL, min_step = NULL, max_value = NULL, max_step = NULL
        WHERE id = ?
        """,
        (kind, series_id),
    )


@lru_cache
def _merge(rows: int) -> str:
    return f"""
        WITH new (
            id, kind, points, finite_points, nan_points, first_step, last_step,
            first_timestamp, last_timestamp, last_value,
            min_value, min_step, max_value, max_step, sum
        ) AS (VALUES {placeholders(rows, _WIDTH, _TYPES)})
        UPDATE /*sqlite*/ OR FAIL /*end*/ series SET
            kind = CASE WHEN series.kind = new.kind THEN new.kind ELSE 'number' END,
            points = series.points + new.points,
            finite_points = series.finite_points + new.finite_points,
            nan_points = series.nan_points + new.nan_points,
            first_step = min(coalesce(series.first_step, new.first_step), new.first_step),
            last_step = max(coalesce(series.last_step, new.last_step), new.last_step),
            first_timestamp =
                min(coalesce(series.first_timestamp, new.first_timestamp), new.first_timestamp),
            last_timestamp =
                max(coalesce(series.last_timestamp, new.last_timestamp), new.last_timestamp),
            -- Of several points at the last step, the one with the highest timestamp counts,
            -- in whatever order they were stored.
            last_value = CASE
                WHEN series.last_step > new.last_step THEN series.last_value
                /*sqlite*/ WHEN series.last_step = new.last_step THEN (
                    SELECT value FROM metrics
                    WHERE series_id = series.id AND step = new.last_step AND {NOT_SUPERSEDED}
                    ORDER BY timestamp DESC, writer_id DESC LIMIT 1
                ) /*end*/
                ELSE new.last_value
            END,
            -- Of 1 and 1.0, the float is stored, whichever came first.
            min_value = CASE
                WHEN new.min_value IS NULL OR series.min_value < new.min_value
                    OR (series.min_value = new.min_value AND typeof(series.min_value) = 'real')
                THEN series.min_value ELSE new.min_value
            END,
            min_step = CASE
                WHEN new.min_value IS NULL OR series.min_value < new.min_value
                THEN series.min_step
                WHEN series.min_value = new.min_value
                THEN min(series.min_step, new.min_step)
                ELSE new.min_step
            END,
            max_value = CASE
                WHEN new.max_value IS NULL OR series.max_value > new.max_value
                    OR (series.max_value = new.max_value AND typeof(series.max_value) = 'real')
                THEN series.max_value ELSE new.max_value
            END,
            max_step = CASE
                WHEN new.max_value IS NULL OR series.max_value > new.max_value
                THEN series.max_step
                WHEN series.max_value = new.max_value
                THEN min(series.max_step, new.max_step)
                ELSE new.max_step
            END,
            -- A sum beyond the largest float is infinite; +Infinity plus -Infinity is NULL.
            sum = /*sqlite*/ coalesce(series.sum + new.sum, series.sum) /*end*/
                  /*pg: added(series.sum, new.sum) */
        FROM new
        WHERE series.id = new.id
    """

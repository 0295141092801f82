"""The figures of a series, computed from its points instead of being kept up to date."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from trackai.downsampling.buckets import Range, Span
from trackai.store.points import bucketing, extremes, reads, running_figures
from trackai.store.points.figures import Figures, summarize
from trackai.store.points.lineage import Segment
from trackai.store.points.storage import points_of
from trackai.values.non_finite import python_value

if TYPE_CHECKING:
    from trackai.downsampling.thinning import BucketColumns
    from trackai.store.engine.connection import Connection
    from trackai.store.points.series import Series
    from trackai.values.types import Kind, Step


async def recount(conn: Connection, counted: Series) -> None:
    """Recompute the figures of a series from its points."""
    await running_figures.reset(conn, counted.id, counted.kind)
    await _count(conn, counted, Range(-math.inf, math.inf))


async def recount_before(conn: Connection, counted: Series, step: Step) -> None:
    """Recompute the figures of a series from its points before a step, and from their rollups.

    A run may be resumed after many millions of points, and rollups make that fast.
    """
    steps = Range(*await points_of(conn).range_before(conn, counted.id, step))  # type: ignore[arg-type]
    pieces = [] if steps.low is None else await bucketing.pieces(conn, counted.id, steps)
    await running_figures.reset(conn, counted.id, counted.kind)
    for piece in pieces:
        if isinstance(piece, Range):
            await _count(conn, counted, piece)
        elif (rolled_up := await bucketing.read_span(conn, counted.id, piece)).numbers:
            figures = _figures_of_buckets(rolled_up.columns, counted.kind)
            await running_figures.merge(conn, [(counted.id, figures)])
    if any(isinstance(piece, Span) for piece in pieces):
        await _find_extremes(conn, counted, steps)


async def _count(conn: Connection, counted: Series, between: Range) -> None:
    """Add the figures of the points of a series between two steps."""
    async for rows in reads.pages(
        conn, [Segment(counted, None)], step_min=between.low, step_max=between.high, stored=True
    ):
        steps, timestamps, values = zip(*rows, strict=True)
        figures = summarize(steps, timestamps, [python_value(v, counted.kind) for v in values])
        if counted.kind == "histogram":  # the stored texts do not tell
            figures = msgspec.structs.replace(figures, kind=counted.kind)
        await running_figures.merge(conn, [(counted.id, figures)])


def _figures_of_buckets(columns: BucketColumns, kind: Kind) -> Figures:
    """The figures of the points of buckets; the steps of extremes are not known."""
    return Figures(
        kind=kind,
        points=sum(columns.points),
        finite_points=sum(columns.finite_points),
        nan_points=sum(columns.nan_points),
        first_step=columns.first_step[0],
        last_step=columns.last_step[-1],
        first_timestamp=min(columns.first_timestamp),
        last_timestamp=max(columns.last_timestamp),
        last_value=columns.last_value[-1],
        min_value=min((low for low in columns.min_value if low is not None), default=None),
        min_step=columns.first_step[0],
        max_value=max((high for high in columns.max_value if high is not None), default=None),
        max_step=columns.first_step[0],
        total=float(sum(columns.sum)),
    )


async def _find_extremes(conn: Connection, counted: Series, steps: Range) -> None:
    """Set the steps of the lowest and the highest value of a series."""
    for low, high in await conn.execute_fetchall(
        "SELECT min_value, max_value FROM series WHERE id = ?", (counted.id,)
    ):
        if low is not None:
            await conn.execute(
                "UPDATE series SET min_step = ?, max_step = ? WHERE id = ?",
                (
                    await extremes.first_step(conn, counted, steps, "min", low),
                    await extremes.first_step(conn, counted, steps, "max", high),
                    counted.id,
                ),
            )

"""The two ways of storing points: a row each in SQLite, packed into pieces in PostgreSQL.

Both modules have the functions of `PointStorage`. Everything else in the store asks `points_of`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from trackai.store.engine.connection import Shared
from trackai.store.points import rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from trackai.downsampling.buckets import Bucket, Range
    from trackai.store.engine.connection import Connection
    from trackai.store.points.figures import Figures
    from trackai.store.points.images import Copied
    from trackai.store.points.lineage import Segment
    from trackai.store.points.queries import (
        Attempt,
        Batch,
        Columns,
        NewPoints,
        Position,
        Selection,
        Target,
    )
    from trackai.store.points.series import Series
    from trackai.structs.points import CurveRow, PointRow
    from trackai.values.types import Axis, Step, StoredValue


class PointStorage(Protocol):
    """What the store does with points. Points that are superseded are left out unless noted.

    Attributes:
        TABLES: the tables of points, with the rest of their primary keys after `series_id`, and the
            smallest number of rows that one transaction deletes.
    """

    @property
    def TABLES(self) -> Mapping[str, tuple[str, int]]: ...  # noqa: N802

    async def insert(self, conn: Connection, new: Sequence[NewPoints]) -> list[Columns] | None:
        """Store points. Those that are stored already are left out.

        Returns:
            None if no point was at a step and time that was taken. Otherwise the columns of each
            item, with the times at which their points are stored.
        """

    async def insert_new(self, conn: Connection, new: Sequence[NewPoints]) -> None:
        """Store points, with their own steps, of which none is stored already.

        Raises:
            ConflictError: a point is stored already; others of them may have been stored.
        """

    async def note_own_steps(
        self, conn: Connection, series_id: int, writer_id: int, steps: Sequence[tuple[int, Step]]
    ) -> None:
        """Store the steps that points at these times had where they were imported from."""

    async def read(
        self,
        conn: Connection,
        segments: Sequence[Segment],
        *,
        step_min: Step | None,
        step_max: Step | None,
        attempt: Attempt,
        after: Position | None,
        limit: int,
        offset: int,
    ) -> list[PointRow]:
        """Read points in order of step; `after` leaves out what is before its step and time."""
        raise NotImplementedError

    def pages(
        self,
        conn: Connection,
        segments: Sequence[Segment],
        *,
        step_min: Step,
        step_max: Step,
        stored: bool,
    ) -> AsyncIterator[list[PointRow]]:
        """Read points page by page, in order of step. If `stored`, large values may be markers."""
        raise NotImplementedError

    async def read_columns(
        self,
        conn: Connection,
        segments: Sequence[Segment],
        *,
        step_min: Step | None,
        step_max: Step | None,
        limit: int,
    ) -> tuple[list[Step], list[int], list[StoredValue]]:
        """Read steps, timestamps and values in order of step."""
        raise NotImplementedError

    async def copy(
        self,
        conn: Connection,
        segments: Sequence[Segment],
        *,
        step_min: Step | None,
        step_max: Step | None,
        attempt: Attempt,
        after: Position | None,
        limit: int,
        offset: int,
    ) -> Copied | None:
        """Copy the points that `read` reads to an image; None if some are not numbers."""

    async def read_many(
        self, conn: Connection, many: Sequence[Series]
    ) -> dict[int, list[CurveRow]]:
        """Read all points of series, by row id."""
        raise NotImplementedError

    async def steps_at(
        self, conn: Connection, series: Series, attempt: int | None, times: Sequence[int]
    ) -> list[Step | None]:
        """Find the step of the last point up to each time; None where there is none.

        Points of an attempt are in order of time as well as of steps.

        Args:
            attempt: only points of this attempt, superseded ones included; None for all.
            times: microseconds since the epoch, rising.
        """
        raise NotImplementedError

    async def count_until(self, conn: Connection, series: Series, until: Step) -> int:
        """Count the points up to and including a step."""
        raise NotImplementedError

    async def count_up_to(
        self, conn: Connection, series_id: int, low: Step, high: Step, limit: int
    ) -> int:
        """Count the points between two steps, superseded ones included, `limit` at most."""
        raise NotImplementedError

    async def compute(
        self,
        conn: Connection,
        selections: Sequence[Selection],
        *,
        resumed: int,
        plain: bool,
        times: bool,
    ) -> dict[int, dict[int, Bucket]]:
        """See `bucketing.compute`."""
        raise NotImplementedError

    async def read_each(
        self,
        conn: Connection,
        selections: Sequence[Selection],
        use: Callable[[Selection, list[Step], list[Any], list[int] | None], None],
        *,
        resumed: int,
        times: bool,
    ) -> None:
        """Call `use` with the steps, values and timestamps of each selection that has points.

        All values are finite numbers; without `times`, there are no timestamps.
        """

    async def find_first(
        self, conn: Connection, series: Series, steps: Range, kind: Target, extreme: Step | None
    ) -> PointRow | None:
        """Find the first point of a kind between two steps; `extreme` is its value."""

    async def search(
        self, conn: Connection, segments: Sequence[Segment], text: str, limit: int, offset: int
    ) -> tuple[list[Any], int]:
        """Find points whose text contains a text, ignoring case.

        Returns:
            A page of rows of number, step, timestamp and value, and the number of all matches.
        """
        raise NotImplementedError

    async def spread(
        self, conn: Connection, segments: Sequence[Segment], count: int
    ) -> tuple[list[PointRow], int]:
        """Read about `count` evenly spread points, and count all."""
        raise NotImplementedError

    async def read_batches(
        self, conn: Connection, batches: Sequence[tuple[Series, Batch]]
    ) -> list[list[PointRow]]:
        """Read the points in the ranges of each batch."""
        raise NotImplementedError

    async def range_before(
        self, conn: Connection, series_id: int, step: Step
    ) -> tuple[Step | None, Step | None]:
        """The lowest and the highest step before a step, superseded points included."""
        raise NotImplementedError

    async def first_steps(self, conn: Connection, series_id: int, limit: int) -> list[Step]:
        """The steps of the first points, superseded ones included."""
        raise NotImplementedError

    async def step_after(
        self, conn: Connection, series_id: int, low: Step, points: int
    ) -> Step | None:
        """The step of the point that so many points from a step on precede, superseded or not."""

    async def last_points(
        self, conn: Connection, series: Iterable[Series], limit: int
    ) -> list[tuple[Series, list[PointRow]]]:
        """Read the points with the highest steps of each series, in order of step."""
        raise NotImplementedError

    async def last_time(self, conn: Connection, run_id: int, until: Step | None) -> int | None:
        """The latest time of the last points of all metrics up to a step, superseded or not."""

    async def find_pauses(self, conn: Connection, run_id: int) -> list[tuple[int, int]]:
        """See `attempts.find_pauses`."""
        raise NotImplementedError

    async def with_last_values(
        self, conn: Connection, additions: Iterable[tuple[int, Figures]]
    ) -> Iterable[tuple[int, Figures]]:
        """Complete the last values of figures, after points were stored.

        A point that was stored before may be later at the same step.
        """
        raise NotImplementedError

    def dump(
        self, conn: Connection, series_id: int
    ) -> AsyncIterator[list[tuple[Step, int, StoredValue, int, Step | None]]]:
        """Read all points of a series, superseded or not: step, time, value, writer, own step."""
        raise NotImplementedError

    async def find_rewinds(self, conn: Connection, series_id: int) -> list[tuple[int, Step]]:
        """The attempts that supersede points before the first step that they logged themselves.

        Returns:
            The row id of a writer of the attempt, and the first superseded step.
        """
        raise NotImplementedError

    async def keys_of_writer(
        self,
        conn: Connection,
        name: tuple[int, str, Axis],
        writer_id: int,
        low: Step,
        high: Step,
    ) -> set[tuple[Step, int]]:
        """The steps and times of the points of a writer between two steps."""
        raise NotImplementedError

    async def values_of_writer(
        self,
        conn: Connection,
        name: tuple[int, str, Axis],
        writer_id: int,
        low: Step,
        high: Step,
    ) -> set[tuple[Step, StoredValue | bytes]]:
        """The steps and values of the points of a writer; a large value is a marker."""
        raise NotImplementedError

    async def count_imported(
        self,
        conn: Connection,
        name: tuple[int, str, Axis],
        import_id: int,
        low: Step,
        high: Step,
    ) -> dict[tuple[Step, int], int]:
        """Count the points of a part of an import at each step and time, between two steps."""
        raise NotImplementedError

    def read_imported(
        self, conn: Connection, run_id: int, import_id: int
    ) -> AsyncIterator[list[tuple[Any, ...]]]:
        """Read the points of a part of an import: path, kind, step, timestamp, value."""
        raise NotImplementedError

    async def delete_imported(self, conn: Connection, run_id: int) -> None:
        """Delete the points of a run that were imported."""

    async def wrong_figures(self, conn: Connection) -> list[int]:
        """The row ids of series whose figures differ from their points."""
        raise NotImplementedError


def points_of(conn: Connection) -> PointStorage:
    """How the database of a connection stores points."""
    if not isinstance(conn, Shared):
        return rows
    # Imported here: SQLite does not need it.
    from trackai.store.points import pieces

    return cast("PointStorage", pieces)

"""Random histories of a metric: of a run and of its fork.

Points come in any order, and repeatedly, at floats and at the ends of the range of steps, with
values that are not finite. Runs are resumed. Between batches, rollups are refreshed, completely or
in part.
"""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from trackai.store.catalogue import projects, runs, writers
from trackai.store.engine.connection import Shared
from trackai.store.points import (
    bucketing,
    large_values,
    lineage,
    metrics,
    piece,
    piece_inserts,
    piece_scan,
    reads,
    recounts,
    rollups,
    series,
)
from trackai.store.upkeep import garbage
from trackai.structs.points import Column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    import pytest

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.store.points.lineage import Segment
    from trackai.structs.points import PointRow
    from trackai.values.types import Step, Value

    NewStore = Callable[[], AbstractAsyncContextManager[Store]]

# Small enough for a test to reach every case.
SHORTEST, _POINTS, _CHUNK = 12, 4, 20

usual_steps = st.one_of(
    st.integers(-40, 200),
    st.integers(0, 400).map(lambda number: number / 8),
    st.floats(-100, 100),
)
steps = usual_steps | st.sampled_from([2**62, -(2**63), 1e300, -5e-324, 1.5e18, 2.0**53 + 2])
usual_values = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-9, 9),
    st.booleans(),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.text(max_size=3),
)
values = usual_values | st.sampled_from([2**63 - 1, -(2**63), 1.7e308])


def histories(
    steps: st.SearchStrategy[Any] = steps, values: st.SearchStrategy[Any] = values
) -> st.SearchStrategy[list[Any]]:
    """Lists of actions: batches, repeating the last one, refreshing rollups, deleting.

    Deleted are a twin of the run, or points of the run, like those of an import that is undone.
    """
    batch = st.tuples(
        st.sampled_from(["root", "root", "child"]),
        st.integers(1, 3),  # the attempt that logs it
        st.just(0) | st.integers(1, 60),  # the number of points at regular steps; 0 for irregular
        st.lists(st.tuples(steps, values), min_size=1, max_size=30),
    )
    commands = st.sampled_from(["refresh", "refresh once", "again", "delete", "delete some"])
    return st.lists(batch | commands, min_size=1, max_size=8)


def with_numbers_only(action: Any) -> Any:
    """The action with finite numbers in place of other values."""
    if isinstance(action, str):
        return action
    *rest, points = action
    return (
        *rest,
        [
            (step, value if isinstance(value, int | float) and math.isfinite(value) else 0.5)
            for step, value in points
        ],
    )


def make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let short series have rollups, with few points in each bucket, and few values be small."""
    monkeypatch.setattr(bucketing, "SHORTEST", SHORTEST)
    monkeypatch.setattr(rollups, "_POINTS", _POINTS)
    monkeypatch.setattr(rollups, "_CHUNK", _CHUNK)
    monkeypatch.setattr(large_values, "LONGEST", 1)
    monkeypatch.setattr(piece, "POINTS", 8)
    monkeypatch.setattr(piece, "MOST_POINTS", 16)
    monkeypatch.setattr(piece_inserts, "_SMALL", 4)
    monkeypatch.setattr(piece_inserts, "_MANY", 3)
    monkeypatch.setattr(piece_scan, "_PIECES", 3)


@asynccontextmanager
async def family(new_store: NewStore, fork_step: Step) -> AsyncIterator[Family]:
    """Create both runs in a new database."""
    async with new_store() as db:
        runs_ = Family(db, fork_step)
        await runs_.start()
        yield runs_


class Family:
    """A run and its fork, created by `start`; each batch has later times than the one before."""

    def __init__(self, db: Store, fork_step: Step) -> None:
        self.db = db
        self.ids: dict[str, int] = {}
        self.logged: set[str] = set()
        self._fork_step = fork_step
        self._writers: dict[tuple[str, int], int] = {}
        self._time = 0
        self._latest: list[tuple[str, int, Column]] = []

    async def start(self) -> None:
        async with self.db.write() as conn:
            project = await projects.get_or_create(conn, "p", now=1)
            for name in ("root", "child"):
                run = await runs.create(
                    conn, uid=name, project_id=project.id, slug=name, name=None,
                    group_name="family", now=1,
                )  # fmt: skip
                self.ids[name] = run.id
                for attempt in (1, 2, 3):
                    self._writers[name, attempt] = await writers.get_or_create(
                        conn, uid=f"{name}{attempt}", run_id=run.id, attempt=attempt,
                        rank=0, host="h", pid=1, now=1,
                    )  # fmt: skip
            await runs.set_fork(conn, self.ids["child"], "root", self._fork_step)

    async def apply(self, action: Any) -> None:
        if action == "refresh":
            await refresh_all(self.db)
        elif action == "refresh once":
            async with self.db.write() as conn:
                series_id = await rollups.next_stale(conn)
                if series_id is not None:
                    await rollups.refresh(conn, series_id)
        elif action == "delete":
            await self._delete_twin()
        elif action == "delete some":
            await self._delete_some()
        elif action == "again":
            for name, writer_id, column in self._latest:
                async with self.db.write() as conn:
                    await metrics.append(conn, self.ids[name], writer_id, [column])
        else:
            await self._log(*action)

    async def _log(
        self, name: str, attempt: int, regular: int, points: list[tuple[Step, Value]]
    ) -> None:
        if regular:
            begin = int(max(-40, min(200, points[0][0])))
            values = islice(cycle([value for _, value in points]), regular)
            points = [(begin + place, value) for place, value in enumerate(values)]
        column = Column(
            "m",
            "step",
            [step for step, _ in points],
            list(range(self._time, self._time + len(points))),
            [value for _, value in points],
        )
        self._time += len(points)
        writer_id = self._writers[name, attempt]
        self._latest = [(name, writer_id, column)]
        async with self.db.write() as conn:
            await metrics.append(conn, self.ids[name], writer_id, [column])
        self.logged.add(name)

    async def _delete_twin(self) -> None:
        """Create a run with points at the same steps, roll it up, and delete it."""
        async with self.db.write() as conn:
            project = await projects.get_or_create(conn, "p", now=1)
            slug = f"twin{self._time}"
            run = await runs.create(
                conn, uid=slug, project_id=project.id, slug=slug, name=None, group_name=None, now=1
            )
            writer_id = await writers.get_or_create(
                conn, uid=slug, run_id=run.id, attempt=1, rank=0, host="h", pid=1, now=1
            )
            numbers = list(range(2 * SHORTEST))
            column = Column("m", "step", [*numbers], numbers, [9e9 for _ in numbers])
            await metrics.append(conn, run.id, writer_id, [column])
        await refresh_all(self.db)
        async with self.db.write() as conn:
            await runs.delete(conn, run.id)
        if self._time % 2:
            await garbage.collect(self.db)
        self._time += 1

    async def _delete_some(self) -> None:
        """Delete every third point of the root, like an import that is undone.

        The rollups are refreshed before, so that they become wrong.
        """
        await refresh_all(self.db)
        async with self.db.write() as conn:
            for metric in await series.list_of_run(conn, self.ids["root"]):
                # In PostgreSQL, whole pieces.
                conditions = {"metrics": "timestamp % 3 = 0", "large_values": "timestamp % 3 = 0"}
                if isinstance(conn, Shared):
                    conditions = {"pieces": "id % 3 = 0"}
                for table, condition in conditions.items():
                    await conn.execute(
                        f"DELETE FROM {table} WHERE series_id = ? AND {condition}", (metric.id,)
                    )
                await recounts.recount(conn, metric)
            await rollups.start_over(conn, self.ids["root"])

    async def segments(self, conn: Connection, name: str) -> list[Segment] | None:
        """The segments of a run's metric; None if it has none."""
        metrics_ = await lineage.find_many(conn, [self.ids[name]], ["m"])
        return next((segments for _, segments in metrics_), None)


async def rows(conn: Connection, segments: list[Segment], **bounds: Step) -> list[PointRow]:
    """Read all points in order of step."""
    return await reads.read(conn, segments, limit=-1, **bounds)  # type: ignore[arg-type]


async def refresh_all(db: Store) -> None:
    """Refresh all rollups."""
    for _ in range(1000):
        async with db.write() as conn:
            series_id = await rollups.next_stale(conn)
            if series_id is None:
                return
            await rollups.refresh(conn, series_id)
    raise AssertionError("refreshing does not end")

"""Create projects whose runs have different numbers of metrics."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from scripts.benchmarks.fill_database import new_database, roll_up
from trackai.store.catalogue import projects, runs, writers
from trackai.store.points import metrics
from trackai.structs.points import Column
from trackai.values.uids import new_uid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trackai.store.engine.database import Database
    from trackai.values.types import Step, Value

RUNS, STEPS = 2, 3
# As many metrics have the same first part of their names.
_SECTION = 10


async def make(path: Path, counts: Sequence[int]) -> None:
    """Create a project for each number of metrics; its row id is its position, from 1 on."""
    async with new_database(path) as database:
        for count in counts:
            for _ in range(RUNS):
                await _log(database, count)
        await roll_up(database)


async def _log(database: Database, count: int) -> None:
    now = time.time_ns() // 1000
    steps: list[Step] = list(range(STEPS))
    times = [now + number for number in range(STEPS)]
    columns = []
    for number in range(count):
        path = f"block{number // _SECTION}/metric{number % _SECTION}"
        values: list[Value] = [1 / (number + step + 1) for step in steps]
        columns.append(Column(path, "step", steps, times, values))
    async with database.write() as conn:
        project = await projects.get_or_create(conn, f"{count} metrics", now=now)
        run = await runs.create(
            conn, uid=new_uid(), project_id=project.id, slug=uuid.uuid4().hex[:8],
            name=None, group_name=None, state="completed", now=now,
        )  # fmt: skip
        writer_id = await writers.get_or_create(
            conn, uid=new_uid(), run_id=run.id, attempt=1, rank=0, host="bench", pid=0,
            now=now,
        )  # fmt: skip
        await metrics.append(conn, run.id, writer_id, columns)

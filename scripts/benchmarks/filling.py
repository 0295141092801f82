"""Fill a database with runs, as quickly as the library's own functions can."""

from __future__ import annotations

import random
import time
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from trackai.store import metrics, projects, runs, writers
from trackai.store.database import Database
from trackai.structs.columns import Column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

# What one transaction stores.
_BATCH = 100_000


@asynccontextmanager
async def new_database(path: Path) -> AsyncIterator[Database]:
    """A database to fill; at the end everything is in its main file."""
    database = Database(path)
    await database.open()
    try:
        yield database
        await database.checkpoint()
    finally:
        await database.close()


async def add_run(database: Database, name: str, points: Mapping[str, int]) -> int:
    """Add a finished run to the project "bench".

    Args:
        points: how many each of its metrics has: random values at the steps from 0 on, one step
            a millisecond.

    Returns:
        The row id of the run.
    """
    now = time.time_ns() // 1000
    async with database.write() as conn:
        project = await projects.get_or_create(conn, "bench", now=now)
        run = await runs.create(
            conn,
            uid=uuid.uuid4().hex,
            project_id=project.id,
            slug=name,
            name=name,
            group_name=None,
            state="completed",
            now=now,
        )
        writer_id = await writers.get_or_create(
            conn, uid=uuid.uuid4().hex, run_id=run.id, attempt=1, rank=0, host="bench", pid=0,
            now=now,
        )  # fmt: skip
    for path, count in points.items():
        for first in range(0, count, _BATCH):
            steps = range(first, min(first + _BATCH, count))
            column = Column(
                path,
                "step",
                list(steps),
                [now + 1000 * step for step in steps],
                [random.random() for _ in steps],
            )
            async with database.write() as conn:
                await metrics.append(conn, run.id, writer_id, [column])
    return run.id

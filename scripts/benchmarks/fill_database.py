"""Fill a database with runs for a benchmark."""

from __future__ import annotations

import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from trackai.store.catalogue import projects, runs, writers
from trackai.store.engine.database import Database
from trackai.store.points import metrics, rollups
from trackai.structs.points import Column
from trackai.values.uids import new_uid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from trackai.store.engine.store import Store

_POINTS_PER_TRANSACTION = 100_000


@asynccontextmanager
async def new_database(path: Path) -> AsyncIterator[Database]:
    """Open a database to fill; on exit, the write-ahead log is moved into the main file."""
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
        points: the number of points of each metric. They have random values at the steps from 0
            on, one step per millisecond.

    Returns:
        The row id of the run.
    """
    now = time.time_ns() // 1000
    async with database.write() as conn:
        project = await projects.get_or_create(conn, "bench", now=now)
        run = await runs.create(
            conn,
            uid=new_uid(),
            project_id=project.id,
            slug=name,
            name=name,
            group_name=None,
            state="completed",
            now=now,
        )
        writer_id = await writers.get_or_create(
            conn, uid=new_uid(), run_id=run.id, attempt=1, rank=0, host="bench", pid=0,
            now=now,
        )  # fmt: skip
    for path, count in points.items():
        for first in range(0, count, _POINTS_PER_TRANSACTION):
            steps = range(first, min(first + _POINTS_PER_TRANSACTION, count))
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


async def roll_up(database: Database) -> None:
    """Bring all rollups up to date, as an idle server does."""
    while True:
        async with database.write() as conn:
            series_id = await rollups.next_stale(conn)
            if series_id is None:
                return
            await rollups.refresh(conn, series_id)


async def add_table(database: Store, runs_: int, metrics_: int, keys: int) -> int:
    """Add a project of runs with figures and configuration, but without points.

    Args:
        runs_: the number of runs.
        metrics_: the number of metrics of each run.
        keys: the number of configuration keys of each run.

    Returns:
        The row id of the project.
    """
    now = time.time_ns() // 1000
    async with database.write() as conn:
        project = await projects.get_or_create(conn, "table", now=now)
        await conn.executemany(
            """
            INSERT INTO runs (uid, project_id, slug, name, state, created_at, updated_at)
            VALUES (?, ?, ?, ?, 'completed', ?, ?)
            """,
            [
                (
                    new_uid(),
                    project.id,
                    f"run-{number}",
                    f"run {number}",
                    now + number,
                    now + number,
                )
                for number in range(runs_)
            ],
        )
        rows = await conn.execute_fetchall(
            "SELECT id FROM runs WHERE project_id = ?", (project.id,)
        )
        ids = [run_id for (run_id,) in rows]
        await conn.executemany(
            "INSERT INTO configs (run_id, key, value) VALUES (?, ?, ?)",
            ((run_id, f"key/{key}", str(random.random())) for run_id in ids for key in range(keys)),
        )
        await conn.executemany(
            """
            INSERT INTO series (
                run_id, path, axis, kind, points, finite_points, first_step, last_step,
                first_timestamp, last_timestamp, last_value, min_value, min_step,
                max_value, max_step, sum
            ) VALUES (?, ?, 'step', 'number', 100, 100, 0, 99, ?, ?, ?, ?, 1, ?, 2, 50)
            """,
            (
                (run_id, f"metric/{number}", now, now, random.random(), random.random() / 2,
                 0.5 + random.random() / 2)
                for run_id in ids
                for number in range(metrics_)
            ),
        )  # fmt: skip
    return project.id

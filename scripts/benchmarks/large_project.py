"""Create a project with many runs of many metrics, mostly by copying rows in SQLite."""

from __future__ import annotations

import json
import math
import random
import time
import uuid
from typing import TYPE_CHECKING, NamedTuple

from scripts.benchmarks.fill_database import new_database, roll_up
from trackai.store.catalogue import configs, projects, runs, writers
from trackai.store.points import metrics
from trackai.structs.points import Column
from trackai.values.uids import new_uid

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database
    from trackai.values.types import Value

# The number of long runs with values of their own; the others are copies of them.
_TEMPLATES = 10
_SECTIONS = ("train", "val", "grad", "optim", "eval")
_TABLES = ("metrics", "rollups", "rollup_levels")


class Size(NamedTuple):
    """The size of the project: `long_runs` have `steps` steps, other runs have `short_steps`."""

    runs: int
    metrics: int
    steps: int
    long_runs: int
    short_steps: int

    @property
    def points(self) -> int:
        """The points of all runs together."""
        short = (self.runs - self.long_runs) * self.short_steps
        return self.metrics * (self.long_runs * self.steps + short)


async def make(path: Path, size: Size) -> list[int]:
    """Create the project "crowd", with all rollups up to date.

    Returns:
        The row ids of the long runs with values of their own; they are the newest runs.
    """
    templates = min(_TEMPLATES, size.long_runs)
    short_runs = size.runs - size.long_runs
    async with new_database(path) as database:
        short = [await _log(database, size, size.short_steps) for _ in range(short_runs and 1)]
        long = [await _log(database, size, size.steps) for _ in range(templates)]
        await roll_up(database)
        for _ in range(short_runs - 1):
            await _copy(database, short[0])
        for number in range(size.long_runs - templates):
            await _copy(database, long[number % templates])
        async with database.write() as conn:
            await conn.execute(
                f"""
                UPDATE runs SET created_at = created_at + 60000000
                WHERE id IN ({", ".join(map(str, long))})
                """
            )
    return long


async def _log(database: Database, size: Size, steps: int) -> int:
    """Add a run with noisy falling curves; return its row id."""
    async with database.write() as conn:
        run_id, writer_id = await _create_run(conn)
    now = time.time_ns() // 1000
    times = [now + 1000 * step for step in range(steps)]
    for number in range(size.metrics):
        path = f"{_SECTIONS[number % len(_SECTIONS)]}/metric_{number // len(_SECTIONS):02}"
        rate, noise = random.uniform(50, 2000), random.uniform(0.01, 0.2)
        values: list[Value] = [
            math.exp(-step / rate) + noise * random.random() for step in range(steps)
        ]
        column = Column(path, "step", list(range(steps)), times, values)
        async with database.write() as conn:
            await metrics.append(conn, run_id, writer_id, [column])
    return run_id


async def _create_run(conn: Connection) -> tuple[int, int]:
    """Add a finished run without points; return the row ids of the run and its writer."""
    now = time.time_ns() // 1000
    project = await projects.get_or_create(conn, "crowd", now=now)
    run = await runs.create(
        conn, uid=new_uid(), project_id=project.id, slug=uuid.uuid4().hex[:8], name=None,
        group_name=random.choice(["baseline", "ablation", "sweep"]), state="completed", now=now,
    )  # fmt: skip
    writer_id = await writers.get_or_create(
        conn, uid=new_uid(), run_id=run.id, attempt=1, rank=0, host="bench", pid=0, now=now
    )
    config = {
        "opt/lr": 10 ** random.uniform(-5, -1),
        "opt/name": random.choice(["adam", "sgd", "lion"]),
        "seed": random.randrange(5),
        **{f"model/option_{number}": random.randrange(100) for number in range(17)},
    }
    await configs.put(conn, run.id, {key: json.dumps(value) for key, value in config.items()})
    return run.id, writer_id


async def _copy(database: Database, template: int) -> int:
    """Add a run with the points of a template; return its row id."""
    async with database.write() as conn:
        run_id, writer_id = await _create_run(conn)
        columns = [name for name in await _columns(conn, "series") if name not in {"id", "run_id"}]
        listed = ", ".join(columns)
        await conn.execute(
            f"""
            INSERT INTO series (run_id, {listed})
            SELECT ?, {listed} FROM series WHERE run_id = ? ORDER BY id
            """,
            (run_id, template),
        )
        for table in _TABLES:
            names = await _columns(conn, table)
            replaced = {"series_id": "new.id", "writer_id": "?1"}
            selected = ", ".join(replaced.get(name, f"{table}.{name}") for name in names)
            await conn.execute(
                f"""
                INSERT INTO {table} ({", ".join(names)})
                SELECT {selected}
                FROM series AS new
                CROSS JOIN series AS old ON old.run_id = ?3 AND old.path = new.path
                CROSS JOIN {table} ON {table}.series_id = old.id
                WHERE new.run_id = ?2 AND ?1
                ORDER BY new.id
                """,
                (writer_id, run_id, template),
            )
    return run_id


async def _columns(conn: Connection, table: str) -> list[str]:
    rows = await conn.execute_fetchall("SELECT name FROM pragma_table_info(?)", (table,))
    return [name for (name,) in rows]

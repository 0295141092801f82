"""A project with many runs of many metrics, made as quickly as SQLite copies rows."""

from __future__ import annotations

import json
import math
import random
import time
import uuid
from typing import TYPE_CHECKING, NamedTuple

from scripts.benchmarks.filling import new_database
from trackai.store.catalogue import configs, projects, runs, writers
from trackai.store.points import metrics, rollups
from trackai.structs.points import Column

if TYPE_CHECKING:
    from pathlib import Path

    from aiosqlite import Connection

    from trackai.store.engine.database import Database
    from trackai.values.types import Value

# So many long runs differ from each other; the others are copies of them.
_TEMPLATES = 10
_SECTIONS = ("train", "val", "grad", "optim", "eval")
_TABLES = ("metrics", "rollups", "rollup_levels")


class Size(NamedTuple):
    """How large the project is; runs that are not `long_runs` have `short_steps` steps."""

    runs: int
    metrics: int
    steps: int
    long_runs: int
    short_steps: int

    @property
    def points(self) -> int:
        """Of all runs."""
        short = (self.runs - self.long_runs) * self.short_steps
        return self.metrics * (self.long_runs * self.steps + short)


async def make(path: Path, size: Size) -> list[int]:
    """Make the project "crowd", its first ten runs long ones, with rollups as an idle server has.

    Returns:
        The row ids of those that are long and differ; they are the newest.
    """
    templates = min(_TEMPLATES, size.long_runs)
    short_runs = size.runs - size.long_runs
    async with new_database(path) as database:
        short = [await _log(database, size, size.short_steps) for _ in range(short_runs and 1)]
        long = [await _log(database, size, size.steps) for _ in range(templates)]
        await _roll_up(database)
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
    """A run as it would be logged: curves that fall, with noise."""
    async with database.write() as conn:
        run_id, writer_id = await _begin(conn)
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


async def _begin(conn: Connection) -> tuple[int, int]:
    """A finished run, and its writer."""
    now = time.time_ns() // 1000
    project = await projects.get_or_create(conn, "crowd", now=now)
    run = await runs.create(
        conn, uid=uuid.uuid4().hex, project_id=project.id, slug=uuid.uuid4().hex[:8], name=None,
        group_name=random.choice(["baseline", "ablation", "sweep"]), state="completed", now=now,
    )  # fmt: skip
    writer_id = await writers.get_or_create(
        conn, uid=uuid.uuid4().hex, run_id=run.id, attempt=1, rank=0, host="bench", pid=0, now=now
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
    """A run with the points of another."""
    async with database.write() as conn:
        run_id, writer_id = await _begin(conn)
        columns = [one for one in await _columns(conn, "series") if one not in {"id", "run_id"}]
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
            given = {"series_id": "new.id", "writer_id": "?1"}
            shown = ", ".join(given.get(name, f"{table}.{name}") for name in names)
            await conn.execute(
                f"""
                INSERT INTO {table} ({", ".join(names)})
                SELECT {shown}
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


async def _roll_up(database: Database) -> None:
    """As a server does when it is idle."""
    while True:
        async with database.write() as conn:
            series_id = await rollups.next_stale(conn)
            if series_id is None:
                return
            await rollups.refresh(conn, series_id)

"""The SQL views, and the example queries in the docs."""

from __future__ import annotations

import math
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.store.test_migrate import make_older_database
from trackai.store.catalogue import configs, projects, runs, writers
from trackai.store.engine.database import Database
from trackai.store.engine.sql import COMPARABLE
from trackai.store.points import metrics
from trackai.structs.points import Column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.sqlite("about the views of a file; PostgreSQL has its own")

SECOND = 1_000_000
STARTED = 1_700_000_000 * SECOND  # 2023-11-14 22:13:20


@pytest.fixture
async def prompt(db: Database) -> AsyncIterator[sqlite3.Connection]:
    """A plain `sqlite3` connection to a database with a 90-second run and an empty one."""
    async with db.write() as conn:
        project = await projects.create(conn, "my-project", "my-slug", now=STARTED)
        run = await runs.create(
            conn, uid="u", project_id=project.id, slug="experiment-1", name="Experiment",
            group_name="g", now=STARTED,
        )  # fmt: skip
        writer_id = await writers.get_or_create(
            conn, uid="w", run_id=run.id, attempt=1, rank=0, host="h", pid=1, now=STARTED
        )
        await configs.put(conn, run.id, {"lr": "0.1"})
        times = [STARTED + 250_000, STARTED + SECOND]
        columns = [
            Column("loss", "step", [0, 0.5], times, [2.0, math.nan]),
            Column("accuracy", "step", [0, 1], times, [0.25, 0.75]),
            Column("gpu", "time", list(times), times, [10, 20]),
        ]
        await metrics.append(conn, run.id, writer_id, columns)
        empty = await runs.create(
            conn, uid="u2", project_id=project.id, slug="empty", name=None, group_name=None,
            now=STARTED + SECOND,
        )  # fmt: skip
        await runs.update(conn, empty.id, archived_at=STARTED + 2 * SECOND)
        await runs.set_state(conn, run.id, "completed", now=STARTED + 90 * SECOND)
    await db.close()
    with closing(sqlite3.connect(db.path)) as connection:
        yield connection


def rows(connection: sqlite3.Connection, query: str) -> list[dict[str, Any]]:
    cursor = connection.execute(query)
    names = [name for name, *_ in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def test_runs(prompt: sqlite3.Connection) -> None:
    assert rows(prompt, "SELECT * FROM run_overview ORDER BY id") == [
        {
            "id": 1, "project": "my-project", "run": "experiment-1", "name": "Experiment",
            "group_name": "g", "state": "completed", "created": "2023-11-14T22:13:20Z",
            "seconds": 90.0, "points": 6, "archived": None, "trashed": None,
        },
        {
            "id": 2, "project": "my-project", "run": "empty", "name": None,
            "group_name": None, "state": "running", "created": "2023-11-14T22:13:21Z",
            "seconds": 0.0, "points": 0, "archived": "2023-11-14T22:13:22Z", "trashed": None,
        },
    ]  # fmt: skip


def test_metrics(prompt: sqlite3.Connection) -> None:
    metric_rows = rows(prompt, "SELECT * FROM metric_overview ORDER BY metric")
    common = {"project": "my-project", "run": "experiment-1", "kind": "number", "points": 2}
    common["last_time"] = "2023-11-14T22:13:21Z"
    assert metric_rows == [
        common | {"metric": "accuracy", "last": 0.75, "min": 0.25, "max": 0.75, "mean": 0.5,
                  "nans": 0, "last_step": 1, "last_number": 0.75, "min_number": 0.25,
                  "max_number": 0.75, "last_step_number": 1.0},
        common | {"metric": "gpu", "last": 20, "min": 10, "max": 20, "mean": 15.0,
                  "nans": 0, "last_step": None, "last_number": 20.0, "min_number": 10.0,
                  "max_number": 20.0, "last_step_number": None},
        common | {"metric": "loss", "last": None, "min": 2.0, "max": 2.0, "mean": 2.0,
                  "nans": 1, "last_step": 0.5, "last_number": None, "min_number": 2.0,
                  "max_number": 2.0, "last_step_number": 0.5},
    ]  # fmt: skip


def test_points_and_configuration(prompt: sqlite3.Connection) -> None:
    query = "SELECT step, time, value FROM points WHERE metric = 'loss' ORDER BY step"
    assert prompt.execute(query).fetchall() == [
        (0, "2023-11-14T22:13:20.250000Z", 2.0),
        (0.5, "2023-11-14T22:13:21.000000Z", None),
    ]
    steps = prompt.execute("SELECT step FROM points WHERE metric = 'gpu'").fetchall()
    assert steps == [(None,), (None,)]
    assert prompt.execute("SELECT * FROM config_overview").fetchall() == [
        ("my-project", "experiment-1", "lr", "0.1")
    ]


def test_queries_in_the_docs(prompt: sqlite3.Connection) -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "sql.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    queries = [query for block in blocks for query in block.split(";") if query.strip()]
    assert len(queries) >= 5
    results = [prompt.execute(query).fetchall() for query in queries]
    assert [("experiment-1", 0.75, 0.75)] in results
    assert [
        (0, "2023-11-14T22:13:20.250000Z", 2.0),
        (0.5, "2023-11-14T22:13:21.000000Z", None),
    ] in results
    assert [("experiment-1", "0.1", 2.0)] in results
    assert [("my-project", "experiment-1", "loss", 1, 0.5)] in results
    readme = (root / "README.md").read_text(encoding="utf-8")
    statistics = re.search(r'trackai\.db "(SELECT\s+\(SELECT COUNT.*?)"', readme, re.DOTALL)
    assert statistics is not None
    assert prompt.execute(statistics[1]).fetchall() == [(1, 2, 6)]


@pytest.mark.parametrize("version", [11, 12])
async def test_the_configuration_of_an_older_database(db_path: Path, version: int) -> None:
    """It is kept, and filters tell texts with U+0000 from their beginnings."""
    make_older_database(db_path, version)
    texts = [r'"a"', r'"a\u0000b"', r'"\\u0000"', r'["a\u0000"]', f'"{"x" * 2000}"']
    with closing(sqlite3.connect(db_path)) as connection:
        connection.executemany(
            "INSERT INTO configs (run_id, key, value) VALUES (1, ?, ?)",
            [(str(key), text) for key, text in enumerate(texts)],
        )
        connection.commit()
    db = Database(db_path)
    query = f"SELECT key, {COMPARABLE} FROM configs WHERE key != 'lr' ORDER BY key"
    async with db.read() as conn:
        stored = await configs.get(conn, 1)
        compared = list(await conn.execute_fetchall(query))
        marked = list(
            await conn.execute_fetchall("SELECT key FROM configs WHERE comparable = x'02'")
        )
    await db.close()
    assert stored.pop("lr") == 0.5
    assert list(stored.values()) == ["a", "a\0b", r"\u0000", ["a\0"], "x" * 2000]
    assert [value for _, value in compared] == [
        "a", "a\0b", r"\u0000", r'["a\u0000"]', "x" * 2000,
    ]  # fmt: skip
    assert sorted(key for (key,) in marked) == ["1", "2", "3", "4"]
    with closing(sqlite3.connect(db_path)) as connection:
        views = "SELECT value FROM config_overview WHERE key != 'lr' ORDER BY key"
        assert [value for (value,) in connection.execute(views)] == texts

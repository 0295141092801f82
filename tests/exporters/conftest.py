"""Stores of odd runs, and what is in a store."""

from __future__ import annotations

import math
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import strategies as st

from tests.cli.conftest import trackai as trackai
from trackai.cli import main
from trackai.importers.loader import load_runs
from trackai.importers.receipt import Receipt
from trackai.store.engine.database import Database
from trackai.store.engine.sql import VALUE
from trackai.structs.exchange import Block, RunHead, WriterHead

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BEGIN = 1_790_000_000_123_457
NUMBERS = (
    st.floats() | st.booleans() | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([-0.0, math.nan, math.inf, -math.inf, 5e-324, 1e308, 2**53 + 1, 1.0])
)  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
STEPS = st.integers(-(2**62), 2**62) | st.floats(-(2.0**62), 2.0**62) | st.integers(0, 5)
# Three metrics with points (step, microseconds, value), by attempt.
ATTEMPTS = st.lists(
    st.dictionaries(
        st.sampled_from(["loss", "a/b c:ü", "_step"]),
        st.lists(st.tuples(STEPS, st.integers(0, 3), NUMBERS), min_size=1, max_size=8),
        min_size=1,
        max_size=3,
    ),
    min_size=1,
    max_size=2,
)


def call(*arguments: object, code: int = 0) -> None:
    """Call `trackai`."""
    with pytest.raises(SystemExit) as exited:
        main(list(map(str, arguments)))
    assert (exited.value.code or 0) == code


def write_store(path: Path, items: Sequence[Any]) -> None:
    """Make a store of runs."""

    async def write() -> None:
        db = Database(path)
        try:
            await db.open()
            await load_runs(db, list(items), Receipt("", ""))
        finally:
            await db.close()

    anyio.run(write)


def run_of(attempts: Sequence[dict[str, list[tuple[Any, int, Any]]]], **fields: Any) -> list[Any]:
    """Return a run with such attempts. An attempt begins a minute after the one before."""
    known: dict[str, Any] = {"uid": "a" * 32, "project": "p", "run_id": "r", "created_at": BEGIN}
    head = RunHead(**known | fields)
    items: list[Any] = [head]
    for number, metrics in enumerate(attempts, start=1):
        start = BEGIN + 60_000_000 * (number - 1)
        writer = WriterHead(uid=f"{number:032}", attempt=number, started_at=start, host="host")
        for metric, points in metrics.items():
            unique = {(step, time): value for step, time, value in points}
            steps, times = map(list, zip(*unique, strict=True))
            items.append(
                Block(run_uid=head.uid, metric=metric, writer=writer, steps=steps,
                      timestamps=[start + time for time in times], values=list(unique.values()))
            )  # fmt: skip
    return items


def stored(path: Path, columns: str = "path, attempt, step, time, value") -> list[tuple[Any, ...]]:
    """Return the points of a store; floats as their bits."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            f"""
            SELECT {columns} FROM (
                SELECT path, attempt, step, metrics.timestamp AS time, {VALUE} AS value, axis, kind,
                       runs.slug AS run, projects.name AS project
                FROM metrics JOIN series ON series.id = series_id
                JOIN runs ON runs.id = series.run_id JOIN projects ON projects.id = project_id
                JOIN writers ON writers.id = writer_id
            )
            """
        ).fetchall()
    return sorted((tuple(map(bits, row)) for row in rows), key=repr)


def bits(value: Any) -> Any:
    """Return a value that is equal to another one only if their types and bits are."""
    return struct.pack("<d", value) if isinstance(value, float) else value


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Run a query on a store."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute(sql).fetchall(), key=repr)

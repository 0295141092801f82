"""The database of a server that is killed: backups, restoring them, and what is stored in it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import anyio

from scripts.benchmarks.harness import ROOT, ChildError
from scripts.benchmarks.kill import steps_of_runs
from trackai.store.points import reads
from trackai.store.points.lineage import Segment
from trackai.store.points.series import COLUMNS, Series
from trackai.store.postgres.database import PostgresDatabase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.postgres import Databases

_POINTS = """
SELECT runs.name, path, step, value
FROM metrics
JOIN series ON series.id = metrics.series_id
JOIN runs ON runs.id = series.run_id
"""

_FIGURES = """
SELECT runs.name, path, kind, series.points, finite_points, nan_points, sum, first_step, last_step,
       last_value, min_value, min_step, max_value, max_step
FROM series JOIN runs ON runs.id = series.run_id
WHERE axis = 'step' AND series.points > 0
ORDER BY 1, 2
"""

_RUNNING = "SELECT count(*) FROM runs WHERE state = 'running'"


class Contents(NamedTuple):
    """What is stored: points as run, metric, step and value; figures of series; runs that run."""

    points: list[tuple[str, str, int, float]]
    figures: list[tuple[Any, ...]]
    running: int


class Store(Protocol):
    """The database of a server.

    Attributes:
        place: the path or URL for `trackai serve --db`.
    """

    @property
    def place(self) -> str: ...

    def back_up(self) -> str:
        """Make a backup; the server may run meanwhile."""
        raise NotImplementedError

    def steps(self, backup: str) -> Mapping[str, set[int]]:
        """The steps of each run in a backup."""
        raise NotImplementedError

    def replace(self, backup: str | None) -> None:
        """Put a backup in place, or nothing; the server must not run."""

    def contents(self) -> Contents:
        """Read everything that is stored; the server must not run."""
        raise NotImplementedError


class FileStore:
    """A database file in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._path = folder / "trackai.db"
        self._backups: list[Path] = []

    @property
    def place(self) -> str:
        return str(self._path)

    def back_up(self) -> str:
        copy = self._path.parent.with_name(f"backup-{len(self._backups)}.db")
        done = subprocess.run(
            [sys.executable, "-m", "trackai.cli", "backup", str(copy), "--db", self.place],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ChildError(f"trackai backup: {done.stderr}")
        self._backups.append(copy)
        return str(copy)

    def steps(self, backup: str) -> Mapping[str, set[int]]:
        return steps_of_runs(Path(backup))

    def replace(self, backup: str | None) -> None:
        for path in self._path.parent.glob(self._path.name + "*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if backup is not None:
            shutil.copyfile(backup, self._path)

    def contents(self) -> Contents:
        with closing(sqlite3.connect(self._path)) as connection:
            [(running,)] = connection.execute(_RUNNING)
            points = connection.execute(_POINTS).fetchall()
            return Contents(points, connection.execute(_FIGURES).fetchall(), running)


class PostgresStore:
    """A database on PostgreSQL; its backups are databases that `pg_dump` was restored to."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._url = databases.create()
        self._backups: list[str] = []

    @property
    def place(self) -> str:
        return self._url

    def back_up(self) -> str:
        backup = self._databases.dumped(self._url)
        self._backups.append(backup)
        return backup

    def steps(self, backup: str) -> Mapping[str, set[int]]:
        steps: dict[str, set[int]] = {}
        contents = anyio.run(_read, backup)
        for run, metric, step, _ in contents.points:
            if metric == "b":
                steps.setdefault(run, set()).add(step)
        return steps

    def replace(self, backup: str | None) -> None:
        self._databases.drop(self._url)
        self._url = self._databases.create(*([] if backup is None else [backup]))

    def contents(self) -> Contents:
        return anyio.run(_read, self._url)

    def remove(self) -> None:
        """Drop the database and its backups."""
        for url in (self._url, *self._backups):
            self._databases.drop(url)


async def _read(url: str) -> Contents:
    store = PostgresDatabase(url)
    try:
        async with store.snapshot() as conn:
            figures: Any = await conn.execute_fetchall(_FIGURES)
            [(running,)] = await conn.execute_fetchall(_RUNNING)
            points: list[Any] = []
            for name, *fields in await conn.execute_fetchall(
                f"SELECT runs.name, {COLUMNS} FROM series JOIN runs ON runs.id = series.run_id"
                " WHERE axis = 'step'"
            ):
                segment = Segment(Series(*fields), None)
                rows = await reads.read(conn, [segment], attempt="all", limit=-1)
                points += [(name, segment.series.path, step, value) for step, _, value in rows]
            return Contents(points, list(figures), running)
    finally:
        await store.close()


def figures_of_file(path: Path) -> list[tuple[Any, ...]]:
    """The figures of all series in a database file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(_FIGURES).fetchall()

"""Reading back what an integration has logged."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trackai

if TYPE_CHECKING:
    from trackai.reading.stored_run import StoredRun


class Stored:
    """The runs of a database."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def runs(self, project: str | None = None) -> list[StoredRun]:
        """All runs, the oldest first."""
        if not self._path.exists():
            return []
        runs = [
            run
            for name in trackai.Api(self._path).projects()
            if project in (None, name)
            for run in trackai.Api(self._path).runs(name)
        ]
        return sorted(runs, key=lambda run: run.id)

    def run(self) -> StoredRun:
        """The only run."""
        [run] = self.runs()
        return run

    def points(self, metric: str, run: StoredRun | None = None) -> dict[Any, Any]:
        """The values of a metric by step, each of which is logged once."""
        curve: Any = (run or self.run()).history(metric)[metric]
        steps, values = list(curve.steps), list(curve.values)
        assert len(steps) == len(set(steps))
        return dict(zip(steps, values, strict=True))

    def values(self, metric: str, run: StoredRun | None = None) -> list[Any]:
        """The values of a metric, which is logged at the steps 0, 1, 2 and so on."""
        points = self.points(metric, run)
        assert list(points) == list(range(len(points)))
        return list(points.values())

    def files(self, path: str) -> list[bytes]:
        """The contents of the files that are logged under a name, in the order of their steps."""
        query = "SELECT sha256 FROM files WHERE path = ? ORDER BY step, id"
        with closing(sqlite3.connect(self._path)) as connection:
            digests = [digest for (digest,) in connection.execute(query, [path])]
        folder = Path(f"{self._path}-files")
        return [(folder / digest[:2] / digest[2:]).read_bytes() for digest in digests]

    def table(self, path: str) -> tuple[list[str], list[list[Any]]]:
        """The columns and rows of the only table of this name."""
        [content] = self.files(path)
        table = json.loads(content)
        return table["columns"], table["data"]


@pytest.fixture
def stored(db_path: Path) -> Stored:
    return Stored(db_path)

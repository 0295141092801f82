"""Reading back what an integration has logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import trackai

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.fixture
def stored(db_path: Path) -> Stored:
    return Stored(db_path)

"""Reads the folder `logs` of a run in SwanLab's mode "local": what a killed process has left.

A record file is written 8 KB at a time, and here each point at once, but without its name: the
folder `logs/<n>` is that of the n-th column, and only the record file names the columns.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from trackai.importers.source_database import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class LocalPoint(NamedTuple):
    """A point of the n-th column.

    Attributes:
        value: a number; None for media.
        time: microseconds since the epoch.
    """

    step: int
    time: int
    value: float | None


def columns(folder: Path) -> list[tuple[int, Path]]:
    """Return the folders of a run's columns by number, in order."""
    found = [(int(path.name), path) for path in _listed(folder / "logs") if path.name.isdecimal()]
    return sorted((number, path) for number, path in found if path.is_dir())


def read(column: Path) -> Iterator[LocalPoint]:
    """Yield the points of a column, in order; incomplete lines are left out.

    Raises:
        OSError: a file cannot be read.
    """
    files = [path for path in _listed(column) if path.suffix == ".log" and path.stem.isdecimal()]
    for file in sorted(files, key=lambda path: int(path.stem)):
        if not file.is_file():
            continue
        with file.open("rb") as lines:
            yield from filter(None, map(_parse, lines))


def first_time(folder: Path) -> int | None:
    """Return the time of the first point of a run."""
    times = []
    for _, column in columns(folder):
        try:
            times += [point.time for point in _first(column)]
        except OSError:
            continue
    return min(times, default=None)


def _first(column: Path) -> Iterator[LocalPoint]:
    for point in read(column):
        yield point
        return


def _listed(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.is_symlink()]
    except OSError:
        return []


def _parse(line: bytes) -> LocalPoint | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    step, time, value = row.get("index"), parse_time(row.get("create_time")), row.get("data")
    if type(step) is not int or time is None:
        return None
    try:
        number = float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return None
    return LocalPoint(step, time, number)

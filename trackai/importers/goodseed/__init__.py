"""Reads the runs of GoodSeed: a SQLite file for each, below projects/<workspace>/<project>/runs.

Checked with goodseed 0.4.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError
from trackai.importers.source_database import open_source

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".sqlite"
# What identifies a run.
TABLES = {
    "run_meta": ("key", "value"),
    "configs": ("path", "type_tag", "value"),
    "metric_series": ("id", "path"),
    "metric_points": ("series_id", "step", "y", "ts"),
}
_RUNS = (f"*{SUFFIX}", f"runs/*{SUFFIX}", f"projects/*/*/runs/*{SUFFIX}", f"*/*/runs/*{SUFFIX}")


def recognises(path: Path) -> bool:
    """Whether a path is the file of a run, or one of the folders above such files."""
    if path.is_dir():
        return any(recognises(file) for pattern in _RUNS for file in path.glob(pattern))
    if path.suffix != SUFFIX or not path.is_file():
        return False
    try:
        with open_source(path) as db:
            return all(db.has(table, *columns) for table, columns in TABLES.items())
    except InvalidInputError:
        return False

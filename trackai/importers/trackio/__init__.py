"""Reads trackio's local folder: a database for each project, with media and artifacts beside them.

The tables are those of trackio 0.43. Everything that one call logs is one JSON object in a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError
from trackai.importers.source_database import open_source

if TYPE_CHECKING:
    from pathlib import Path

# The columns of a project's table `metrics`.
METRICS_COLUMNS = ("timestamp", "run_name", "step", "metrics")


def recognises(path: Path) -> bool:
    """Whether a path is the database of a project, or a folder of such databases."""
    if path.is_dir():
        return any(recognises(file) for file in path.glob("*.db") if file.is_file())
    if path.suffix != ".db":
        return False
    try:
        with open_source(path) as db:
            return db.has("metrics", *METRICS_COLUMNS)
    except InvalidInputError:
        return False

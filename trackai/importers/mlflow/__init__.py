"""Reads MLflow's tracking stores: SQLite databases, and the files below `mlruns`.

Checked with MLflow 1.30, 2.22 and 3.17. The tables of older versions lack columns, which then count
as empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError
from trackai.importers.source_database import open_source

if TYPE_CHECKING:
    from pathlib import Path

# Columns that the tables have had in every version.
RUNS_COLUMNS = ("run_uuid", "experiment_id", "status", "artifact_uri")
METRICS_COLUMNS = ("key", "value", "timestamp", "run_uuid")
TRASH = ".trash"
_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_USUAL_NAME = "mlflow.db"
_FIRST_BYTES = 65_536


def recognises(path: Path) -> bool:
    """Whether a path is a database or a folder of runs, or holds one."""
    if path.is_dir():
        return bool(find_databases(path) or find_folders(path))
    return path.suffix in _SUFFIXES and is_database(path)


def is_database(path: Path) -> bool:
    """Whether a file is a database with MLflow's tables."""
    try:
        return _has_tables(path)
    except InvalidInputError:
        return False


def find_databases(folder: Path) -> list[Path]:
    """Return MLflow's databases in a folder; a damaged one is known by its usual name."""
    return [
        path
        for path in sorted(_children(folder))
        if path.suffix in _SUFFIXES and path.is_file() and _may_be_database(path)
    ]


def _may_be_database(path: Path) -> bool:
    try:
        return _has_tables(path)
    except InvalidInputError:
        return path.name == _USUAL_NAME


def _has_tables(path: Path) -> bool:
    with open_source(path) as db:
        return db.has("runs", *RUNS_COLUMNS) and db.has("metrics", *METRICS_COLUMNS)


def find_folders(folder: Path) -> list[Path]:
    """Return the folders of experiments, `mlruns`: this one or the one in it."""
    return [path for path in (folder, folder / "mlruns") if _is_store(path)]


def is_experiment(folder: Path) -> bool:
    """Whether a folder is the one of an experiment."""
    try:
        with (folder / "meta.yaml").open("rb") as file:
            text = file.read(_FIRST_BYTES)
    except OSError:
        return False
    return b"artifact_location:" in text and b"model_id:" not in text


def _is_store(folder: Path) -> bool:
    return is_experiment(folder) or any(
        is_experiment(child) for parent in (folder, folder / TRASH) for child in _children(parent)
    )


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []

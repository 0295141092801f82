"""Reads the studies of Optuna's storages: SQLite and other databases, and journal files.

Checked with Optuna 5.0. Its tables have been the same since 3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError
from trackai.importers.json_lines import decode
from trackai.importers.source_database import open_source

if TYPE_CHECKING:
    from pathlib import Path

_DATABASES = (".db", ".sqlite", ".sqlite3")
_FIRST_LINE = 1 << 16


def recognises(path: Path) -> bool:
    """Whether a file is a SQLite database or a journal of Optuna."""
    if not path.is_file():
        return False
    if path.suffix not in _DATABASES:
        return is_journal(path)
    try:
        with open_source(path) as db:
            return db.has("studies", "study_name") and db.has("trials", "number", "state")
    except InvalidInputError:
        return False


def is_journal(path: Path) -> bool:
    """Whether the first line of a file is an operation of a journal."""
    try:
        with path.open("rb") as file:
            value, _ = decode(file.readline(_FIRST_LINE))
    except OSError:
        return False
    return isinstance(value, dict) and {"op_code", "worker_id"} <= value.keys()

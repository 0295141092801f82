"""Reads the offline sessions of ClearML: folders offline-<id>, and the archives of them.

Checked with clearml 2.1.12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.importers.bundles import archive_names

if TYPE_CHECKING:
    from pathlib import Path

TASK = "task.json"
METRICS = "metrics.jsonl"
LOG = "log.jsonl"
PREFIX = "offline-"


def recognises(path: Path) -> bool:
    """Whether a path is an offline session, or a folder of sessions."""
    return is_session(path) or (path.is_dir() and any(map(is_session, path.glob(f"{PREFIX}*"))))


def is_session(path: Path) -> bool:
    """Whether a path is the folder or the archive of a session."""
    if path.is_dir():
        names = {name for name in (TASK, METRICS, LOG) if (path / name).is_file()}
        return TASK in names and (len(names) > 1 or path.name.startswith(PREFIX))
    return path.suffix == ".zip" and path.name.startswith(PREFIX) and TASK in archive_names(path)

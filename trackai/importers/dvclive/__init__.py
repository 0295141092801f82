"""Reads the folders of DVCLive: `dvclive` with metrics.json, params.yaml and plots.

Checked with dvclive 3.49.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

METRICS = "metrics.json"
PARAMS = "params.yaml"
PLOTS = "plots"


def recognises(path: Path) -> bool:
    """Whether a path is the folder of a run, or has one in it."""
    if not path.is_dir():
        return False
    return is_live(path) or any(map(is_live, path.glob("*/")))


def is_live(folder: Path) -> bool:
    """Whether a folder is of a run."""
    if any((folder / PLOTS / "metrics").glob("**/*.tsv")):
        return True
    # Other programs have files of these names, too.
    return (folder / METRICS).is_file() and (
        (folder / PLOTS).is_dir() or (folder / PARAMS).is_file()
    )

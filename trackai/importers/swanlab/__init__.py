"""Reads the folders of SwanLab's runs, `run-*`, each with a record file.

A record file has the format of wandb's (`trackai.importers.wandb.records`) with messages of its own
(`messages.py`). Checked with swanlab 0.10.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def recognises(path: Path) -> bool:
    """Whether a path is a record file, the folder of a run, or the folder of such folders."""
    if path.is_file():
        return path.match("run-*.swanlab")
    return any(path.glob("run-*.swanlab")) or any(path.glob("run-*/run-*.swanlab"))

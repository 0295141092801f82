"""Reads the folders of Weights & Biases: `offline-run-*` and `run-*`, each with a record file.

A record file is a log of LevelDB (`records.py`) that holds protobuf messages (`messages.py`), which
are declared here, so that wandb need not be installed. Checked with wandb 0.31.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def recognises(path: Path) -> bool:
    """Whether a path is a record file, the folder of a run, or the folder of such folders."""
    if path.is_file():
        return path.match("run-*.wandb")
    return any(path.glob("run-*.wandb")) or any(path.glob("*run-*/run-*.wandb"))

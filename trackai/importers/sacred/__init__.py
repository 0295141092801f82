"""Reads the folders of Sacred's `FileStorageObserver`: one for each run, with `run.json`.

Checked with sacred 0.8.7. Nothing is unpickled: see `values.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RUN = "run.json"
CONFIG = "config.json"
_FIRST_BYTES = 1 << 16


def recognises(path: Path) -> bool:
    """Whether a path is the folder of a run, or the folder of such folders."""
    return is_run(path) or any(map(is_run, path.glob("*/")))


def is_run(folder: Path) -> bool:
    """Whether a folder is the one of a run."""
    try:
        with (folder / RUN).open("rb") as file:
            start = file.read(_FIRST_BYTES)
    except OSError:
        return False
    # Files of other programs are called so, too.
    return b'"experiment": {' in start and (folder / CONFIG).exists()
